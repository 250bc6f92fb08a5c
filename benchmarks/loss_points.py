"""What pictures show of the losses that are kept: each side's loss and bytes, and its sweep."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks import loss
from benchmarks.loss_plan import ADAMW
from benchmarks.loss_rows import Outcomes


@dataclass(frozen=True, kw_only=True)
class Point:
    """A side at its best rate: losses of the seeds reported; dense float32's bytes to its own."""

    side: str
    ratio: float
    losses: list[float]

    @property
    def mean(self) -> float:
        """Nats."""
        return fmean(self.losses)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The mean loss at each rate, of the seeds tuned on; what diverged is not a number."""

    side: str
    rates: list[float]
    losses: list[float]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """AdamW stands first. Sides of which a reported seed diverged have a sweep and no point."""

    title: str
    points: list[Point]
    sweeps: list[Sweep]


def kept() -> Shown | None:
    """Of the longest version that is kept with a rule's trials whole."""
    found = map(loss.read, filter(Path.exists, loss.KEPT))
    whole = [one for one in found if any(map(one.is_whole, one.setup.variants))]
    return shown(whole[-1]) if whole else None


def shown(outcomes: Outcomes) -> Shown:
    """The sides whose trials are all there; AdamW's must be.

    Raises:
        ValueError: AdamW's trials are not all there, or diverged.
    """
    if not outcomes.is_whole(ADAMW) or not math.isfinite(fmean(outcomes.losses(ADAMW))):
        raise ValueError("AdamW's losses are missing: without them there is nothing to show")
    sides = [side for side in (ADAMW, *outcomes.setup.variants) if outcomes.is_whole(side)]
    points = [_point(outcomes, side) for side in sides]
    setup = outcomes.setup
    title = f"{setup.name}: {setup.parameters:,} parameters, {setup.steps:,} steps"
    return Shown(
        title=title,
        points=[point for point in points if math.isfinite(point.mean)],
        sweeps=[_sweep(outcomes, side) for side in sides],
    )


def _point(outcomes: Outcomes, side: str) -> Point:
    setup = outcomes.setup
    sent = fmean(one.payload_bytes for one in outcomes.reported(side))
    ratio = 4.0 * setup.parameters * setup.steps / sent
    return Point(side=_name(side), ratio=ratio, losses=outcomes.losses(side))


def _sweep(outcomes: Outcomes, side: str) -> Sweep:
    rates = outcomes.rates(side)
    losses = [outcomes.swept(side, rate) for rate in rates]
    numbers = [one if math.isfinite(one) else math.nan for one in losses]
    return Sweep(side=_name(side), rates=[float(rate) for rate in rates], losses=numbers)


def _name(side: str) -> str:
    return "AdamW, dense" if side == ADAMW else side
