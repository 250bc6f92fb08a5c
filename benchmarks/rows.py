"""Rows of a benchmark: a claim each, with what it is compared with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

HEAD = ("name", "ours", "peer", "ratio", "goal", "")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was measured; `holds` is None where nothing was promised."""

    name: str
    ours: float
    peer: float
    ratio: float
    goal: str = ""
    holds: bool | None = None

    def cells(self) -> tuple[str, ...]:
        """The row as a table shows it."""
        verdict = {True: "reached", False: "**missed**", None: ""}[self.holds]
        ours, peer = (
            f"{number:.3f}" if number < 20 else f"{number:.0f}" for number in (self.ours, self.peer)
        )
        return self.name, ours, peer, f"{self.ratio:.4f}", self.goal, verdict


def table(rows: Iterable[Row]) -> Iterator[tuple[str, ...]]:
    """Head, rule and rows."""
    yield HEAD
    yield ("---",) * len(HEAD)
    for row in rows:
        yield row.cells()


def main(rows: Callable[[], Iterable[Row]]) -> int:
    """Prints the rows: as JSON with --json, else one a line."""
    found = list(rows())
    if "--json" in sys.argv[1:]:
        print(json.dumps([asdict(row) for row in found], indent=1))
    else:
        for cells in table(found):
            print("| " + " | ".join(cells) + " |")
    return 0
