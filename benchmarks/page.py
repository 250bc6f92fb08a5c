"""Writes docs/BENCHMARKS.md: the benchmarks' tables, pictures, machine, and goals beside them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import codec, pictures

PAGE = Path(__file__).resolve().parents[1] / "docs" / "BENCHMARKS.md"
START, END = "<!-- tables: written by `make bench ARGS=--write` -->", "<!-- end of tables -->"

#: Where a part's pictures stand, and which: file and what is said where it cannot be seen.
PLACE = "<!-- pictures of {name} -->"
PICTURES = {
    "codec": (
        ("bits.svg", "Bits a coefficient by k: bound, ours, Rice-coded gaps, 16-bit indices"),
    ),
    "aggregate": (("aggregation.svg", "Milliseconds by payloads, 2 to 256: ours and the peer's"),),
    "loss": (
        ("loss-bytes.svg", "Validation loss by the factor of bytes that are saved, of every rule"),
        ("loss-rates.svg", "Validation loss by learning rate: the sweeps of every rule"),
    ),
}
WITHOUT = (
    "**Pictures are missing**: matplotlib was not installed where this page was written. Install it"
    " (`.venv/bin/uv pip install matplotlib`) and run `python -m benchmarks.pictures`."
)


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
    place = f"{PLACE.format(name=name)}\n\n" if name in PICTURES else ""
    return f"## {title}\n\n{place}{markdown(rows)}{judged}"


def with_pictures(text: str, *, drawn: bool) -> str:
    """The page with its pictures in their places, or with a word on why there are none."""
    text = text.replace(f"{WITHOUT}\n\n", "")
    for name, shown in PICTURES.items():
        place = PLACE.format(name=name)
        links = "".join(f"\n![{said}](pictures/{file})\n" for file, said in shown)
        before = re.escape(place) + r"\n(\n!\[.*\n)*"
        text = re.sub(before, f"{place}\n{links if drawn else ''}", text)
    return text if drawn else text.replace(f"{START}\n\n", f"{START}\n\n{WITHOUT}\n\n")


def illustrate() -> bool:
    """Draws the page's pictures and shows them there; False where matplotlib is missing."""
    text = PAGE.read_text(encoding="utf-8")
    try:
        pictures.draw(text, codec.rice_bits())
    except ImportError:
        drawn = False
    else:
        drawn = True
    PAGE.write_text(with_pictures(text, drawn=drawn), encoding="utf-8")
    return drawn


def write(machine: str, parts: Sequence[str]) -> None:
    """Replaces the tables and pictures on the page."""
    load = os.getloadavg()[0]
    text = f"Taken on {machine}. Other programs ran besides: load {load:.1f}."
    if load < 1.5:
        text = f"Taken on {machine}, with nothing else running."
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(START)
    after = rest.split(END)[1]
    made = "\n\n".join((text, *parts))
    PAGE.write_text(f"{before}{START}\n\n{made}\n\n{END}{after}", encoding="utf-8")
    illustrate()
