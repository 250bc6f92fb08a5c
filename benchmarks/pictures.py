"""Draws docs/pictures/*.svg from the tables of docs/BENCHMARKS.md and the losses that are kept.

Nothing is measured: `python -m benchmarks.pictures` draws anew what the page says. The same
numbers and the same matplotlib give the same bytes. It is in the extra `bench`, which normal set-up
leaves out: `.venv/bin/uv pip install matplotlib`.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import loss_points
from benchmarks.loss_points import Point, Shown

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
#: A white ground, as the page around may be dark. Text stays text; nothing varies by chance.
STYLE = {
    "svg.hashsalt": "psyche",
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "white",
    "grid.color": "#e2e2e2",
    "legend.frameon": False,
}
OURS, PEER, OTHER, BOUND = "#0b62c4", "#c4450b", "#7a7a7a", "#000000"
MARKERS = "os^Dv<>pPX*hd"
#: Of a 16-bit index and a sign, as the reference of this protocol sends them.
REFERENCE_BITS = 17
#: Rules that send as much as another, to so much, stand side by side.
_BESIDE, _APART = 1.15, 1.03
Curve = list[tuple[float, float]]


def bits(page: str, rice: Mapping[int, float]) -> dict[str, Curve]:
    """Bits a coefficient by k, as the page says, and the Rice coder's."""
    found = re.findall(r"^\| bits each, k = (\d+), uniform \| ([\d.]+) \| ([\d.]+)", page, re.M)
    rows = [(int(k), float(ours), float(bound)) for k, ours, bound in found]
    return {
        f"a {REFERENCE_BITS - 1}-bit index and a sign": [(k, REFERENCE_BITS) for k, _, _ in rows],
        "Rice-coded gaps (version 1 of payloads)": [(k, rice[k]) for k, _, _ in rows],
        "ours, header included": [(k, ours) for k, ours, _ in rows],
        "bound": [(k, bound) for k, _, bound in rows],
    }


def aggregation(page: str) -> dict[str, Curve]:
    """Milliseconds by payloads, as the page says."""
    found = re.findall(r"^\| (\d+) payloads, ms \| ([\d.]+) \| ([\d.]+)", page, re.M)
    rows = [(int(count), float(ours), float(peer)) for count, ours, peer in found]
    return {
        "pytorch-optimizer's DeMo": [(count, peer) for count, _, peer in rows],
        "ours": [(count, ours) for count, ours, _ in rows],
    }


def draw(page: str, rice: Mapping[int, float], folder: Path = FOLDER) -> None:
    """Writes the pictures of what there is.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl  # noqa: PLC0415 - an extra
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    folder.mkdir(parents=True, exist_ok=True)
    size = {"figsize": (8.4, 3.6), "layout": "constrained"}

    def save(name: str, fill: Callable[[Any], None], panels: int = 1, **other: object) -> None:
        figure = Figure(**{**size, **other})  # type: ignore[arg-type]  # names of its own
        fill(figure.subplots(1, panels))
        figure.savefig(folder / name, metadata={"Date": None, "Creator": None})

    with mpl.rc_context(STYLE):
        save("bits.svg", lambda axes: _bits(axes, bits(page, rice)), panels=2)
        save("aggregation.svg", lambda axes: _aggregation(axes, aggregation(page)))
        kept = loss_points.kept()
        if kept is not None:
            tall = {"figsize": (9.5, 2.2 + 0.24 * max(10, len(kept.points)))}
            save("loss-bytes.svg", lambda axes: _loss_bytes(axes, kept), **tall)
            save("loss-rates.svg", lambda axes: _loss_rates(axes, kept), **tall)


def _bits(panels: Any, curves: dict[str, Curve]) -> None:
    """All of it at the left; at the right how much more than the bound the two coders need."""
    bound = dict(curves["bound"])
    for (name, curve), colour, line in zip(
        curves.items(), (OTHER, PEER, OURS, BOUND), ("--", "-", "-", ":"), strict=True
    ):
        panels[0].plot(*zip(*curve, strict=True), line, color=colour, label=name, marker=".")
        if colour in (PEER, OURS):
            more = [(k, 100 * (number / bound[k] - 1)) for k, number in curve]
            panels[1].plot(*zip(*more, strict=True), line, color=colour, marker=".")
    for axes in panels:
        _doubling(axes, list(bound), "k of each 4,096 coefficients (log scale)")
    panels[0].set(ylabel="bits a coefficient", ylim=(0, 18.5))
    panels[0].legend(loc="lower left", fontsize=9)
    panels[1].set(ylabel="% above the bound")
    panels[1].set_ylim(bottom=0)


def _aggregation(axes: Any, curves: dict[str, Curve]) -> None:
    for (name, curve), colour in zip(curves.items(), (PEER, OURS), strict=True):
        axes.plot(*zip(*curve, strict=True), "o-", color=colour, label=name)
    _doubling(axes, [count for count, _ in curves["ours"]], "payloads (log scale)")
    axes.set(ylabel="ms on one core (log scale)", yscale="log")
    _plain(axes.yaxis)
    axes.legend(loc="upper left")


def _doubling(axes: Any, ticks: list[float], label: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel(label)


def _plain(axis: Any) -> None:
    """A few numbers of each power of ten, written out."""
    from matplotlib.ticker import LogLocator, NullLocator  # noqa: PLC0415 - an extra

    axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda number, _: f"{number:g}")


def _look(kept: Shown, side: str) -> dict[str, str]:
    """The same of a side in both pictures."""
    rank = [sweep.side for sweep in kept.sweeps].index(side)
    return {"color": f"C{rank % 10}", "marker": MARKERS[rank % len(MARKERS)]}


def side_by_side(points: list[Point]) -> list[float]:
    """Where each stands: those of nearly equal bytes get places beside each other."""
    order = sorted(range(len(points)), key=lambda n: points[n].ratio)
    places = [0.0] * len(points)
    while order:
        group = [n for n in order if points[n].ratio <= _BESIDE * points[order[0]].ratio]
        middle = math.prod(points[n].ratio for n in group) ** (1 / len(group))
        for rank, n in enumerate(sorted(group)):
            places[n] = middle * _APART ** (rank - (len(group) - 1) / 2)
        order = order[len(group) :]
    return places


def _loss_bytes(axes: Any, kept: Shown) -> None:
    dense, *rules = kept.points
    axes.axhline(dense.mean, color=BOUND, linewidth=1, label=f"{dense.side}: {dense.mean:.3f}")
    axes.axhspan(min(dense.losses), max(dense.losses), color=BOUND, alpha=0.08, linewidth=0)
    for point, x in zip(rules, side_by_side(rules), strict=True):
        low, high = point.mean - min(point.losses), max(point.losses) - point.mean
        axes.errorbar(
            x, point.mean, [[low], [high]], capsize=3, markersize=5, linestyle="none",
            label=f"{point.side}: {point.mean:.3f}", **_look(kept, point.side),
        )  # fmt: skip
    axes.set(
        title=kept.title, xlabel="float32 gradients' bytes to payloads' (log scale)", xscale="log"
    )
    axes.set_ylabel("validation loss, nats; least and most of the seeds")
    _plain(axes.xaxis)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)


def _loss_rates(axes: Any, kept: Shown) -> None:
    dense, *rules = kept.sweeps
    axes.plot(dense.rates, dense.losses, color=BOUND, marker=".", label=dense.side)
    for sweep in rules:
        look = _look(kept, sweep.side)
        axes.plot(sweep.rates, sweep.losses, label=sweep.side, linewidth=1, **look)
    axes.set(title=kept.title, xlabel="peak learning rate (log scale)", xscale="log")
    axes.set_ylabel("validation loss, nats; mean of the seeds tuned on")
    ticks = sorted({rate for sweep in kept.sweeps for rate in sweep.rates})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], rotation=45)
    axes.minorticks_off()
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)


def main() -> int:
    """Draws what the page says, and shows it there."""
    from benchmarks import page  # noqa: PLC0415 - it imports this module

    if not page.illustrate():
        sys.stderr.write("error: no matplotlib here\n\nhint: .venv/bin/uv pip install matplotlib\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
