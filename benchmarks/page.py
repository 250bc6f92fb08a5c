"""Writes docs/BENCHMARKS.md: the benchmarks' tables, the machine, and the goals beside them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "BENCHMARKS.md"
START, END = "<!-- tables: written by `make bench ARGS=--write` -->", "<!-- end of tables -->"


@dataclass(frozen=True)
class Goal:
    """A number to reach in every row of a table's column, or one that nothing here measures."""

    name: str
    bound: str
    column: int | None = None
    holds: Callable[[float], bool] = bool
    worst: Callable[[Iterable[float]], float] = min

    def row(self, rows: Sequence[tuple[str, ...]]) -> tuple[str, str, str, str]:
        """Goal, bound, the worst row's number, whether it is reached."""
        if self.column is None:
            return self.name, self.bound, "-", "not measured"
        found = self.worst(float(row[self.column]) for row in rows)
        return self.name, self.bound, f"{found:g}", "reached" if self.holds(found) else "**missed**"


GOALS = {
    "decoding": (Goal("with the cache to without", "at least 2", 4, lambda x: x >= 2),),
}


def markdown(rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; the second row is the rule below the head."""
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def part(name: str, title: str, rows: list[tuple[str, ...]]) -> str:
    """A benchmark's heading, table and goals."""
    goals = [goal.row(rows[2:]) for goal in GOALS.get(name, ())]
    head = [("goal", "bound", "worst row", ""), ("---",) * 4]
    judged = f"\n\n{markdown([*head, *goals])}" if goals else ""
    return f"## {title}\n\n{markdown(rows)}{judged}"


def write(machine: str, parts: Sequence[str]) -> None:
    """Replaces the tables on the page."""
    load = os.getloadavg()[0]
    text = f"Taken on {machine}. Other programs ran besides: load {load:.1f}."
    if load < 1.5:
        text = f"Taken on {machine}, with nothing else running."
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(START)
    after = rest.split(END)[1]
    made = "\n\n".join((text, *parts))
    PAGE.write_text(f"{before}{START}\n\n{made}\n\n{END}{after}", encoding="utf-8")
