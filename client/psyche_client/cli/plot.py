"""Curves and bars in text: pure functions from numbers to lines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

BRAILLE = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille cell by (row from the top, column): 4 rows of 2 dots."""
LABEL_WIDTH = 6

Point = tuple[float, float]


def curve(
    series: Sequence[Sequence[Point]], *, width: int, height: int, plain: bool = False
) -> list[str]:
    """A plot of several curves over one pair of axes.

    Args:
        series: for each curve its (x, y) points; x ascending.
        width: characters of a line, labels included; at least 12.
        height: lines of the plot, without the axis below; at least 2.
        plain: use ASCII alone.

    Returns:
        `height` + 1 lines, or one line that says that there is nothing yet.
    """
    points = [point for one in series for point in one]
    if not points:
        return ["no loss yet"]
    inner = max(width, 12) - LABEL_WIDTH - 2
    x_low, x_high = _span([x for x, _ in points])
    y_low, y_high = _span([y for _, y in points])
    per_column, per_row = (1, 1) if plain else (2, 4)
    columns, rows = inner * per_column, max(height, 2) * per_row
    lit: set[tuple[int, int]] = set()
    for one in series:
        lit |= _trace(
            [
                (
                    (x - x_low) / (x_high - x_low) * (columns - 1),
                    (y_high - y) / (y_high - y_low) * (rows - 1),
                )
                for x, y in one
            ]
        )
    lines = []
    for row in range(max(height, 2)):
        label = {0: f"{y_high:.2f}", max(height, 2) - 1: f"{y_low:.2f}"}.get(row, "")
        cells = "".join(_cell(lit, row, column, plain) for column in range(inner))
        lines.append(f"{label:>{LABEL_WIDTH}} |{cells}".rstrip())
    left, right = f"{min(x for x, _ in points):.0f}", f"{max(x for x, _ in points):.0f}"
    lines.append(" " * (LABEL_WIDTH + 2) + left + right.rjust(inner - len(left)))
    return lines


def bar(share: float, *, width: int) -> str:
    """A bar that is full to `share` (0 to 1), in ASCII."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "#" * full + "-" * (width - full)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _trace(points: list[Point]) -> set[tuple[int, int]]:
    """The dots of a line through the points."""
    lit = {(round(x), round(y)) for x, y in points}
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = max(1, round(max(abs(x1 - x0), abs(y1 - y0))))
        for step in range(steps):
            part = step / steps
            lit.add((round(x0 + (x1 - x0) * part), round(y0 + (y1 - y0) * part)))
    return lit


def _cell(lit: set[tuple[int, int]], row: int, column: int, plain: bool) -> str:
    if plain:
        return "*" if (column, row) in lit else " "
    bits = 0
    for down, pair in enumerate(DOTS):
        for across, bit in enumerate(pair):
            if (column * 2 + across, row * 4 + down) in lit:
                bits |= bit
    return chr(BRAILLE + bits) if bits else " "
