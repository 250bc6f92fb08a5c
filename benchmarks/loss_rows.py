"""From the outcomes of trials to rows: the best rate of each sweep, pairs by seed, a bound."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean, stdev

from benchmarks.loss_plan import ADAMW, Setup
from benchmarks.loss_sides import Peer
from benchmarks.loss_trial import Outcome, Trial
from benchmarks.rows import Row

BYTES_GOAL = 900
#: 95 % quantiles of Student's t, for 1 degree of freedom and more.
T95 = (
    6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812,
    1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729,
)  # fmt: skip


def upper_bound(differences: Sequence[float]) -> float:
    """One-sided 95 % bound of the mean: mean + t * s / sqrt(n) (Student, n - 1 degrees).

    Raises:
        ValueError: fewer than 2 or more than 20 differences.
    """
    count = len(differences)
    if not 2 <= count <= len(T95) + 1:
        raise ValueError(f"{count} differences: from 2 to {len(T95) + 1} have a bound here")
    return fmean(differences) + T95[count - 2] * stdev(differences) / math.sqrt(count)


class Outcomes:
    """What is known of each trial, and the Merkle root of the text (empty before the first)."""

    def __init__(self, setup: Setup, found: Iterable[Outcome], root: str = "") -> None:
        self.setup, self.root = setup, root
        self.by_trial = {Trial(side=o.side, rate=o.rate, seed=o.seed): o for o in found}

    def due(self) -> list[Trial]:
        """What can be trained next, side by side: sweep, then other seeds."""
        found = []
        for side in (ADAMW, *self.setup.variants):
            trials = self._sweep(side)
            if all(trial in self.by_trial for trial in trials):
                trials = self._reported(side)
            found += [trial for trial in trials if trial not in self.by_trial]
        return found

    def add(self, outcome: Outcome) -> Outcome:
        """Takes it in."""
        trial = Trial(side=outcome.side, rate=outcome.rate, seed=outcome.seed)
        self.by_trial[trial] = outcome
        return outcome

    def rates(self, side: str) -> tuple[str, ...]:
        """What is swept."""
        if side == ADAMW or self.setup.variants[side].moves_as_adamw:
            return self.setup.rates
        return self.setup.rule_rates

    def best_rate(self, side: str) -> str:
        """The rate with the least mean loss over the seeds tuned on."""
        return min(self.rates(side), key=lambda rate: self.swept(side, rate))

    def swept(self, side: str, rate: str) -> float:
        """The mean loss over the seeds tuned on; infinite if one of them diverged."""
        seeds = self.setup.tuning_seeds
        return fmean(self._loss(Trial(side=side, rate=rate, seed=seed)) for seed in seeds)

    def losses(self, side: str) -> list[float]:
        """At the best rate, of each seed that is reported, in their order."""
        return [self._loss(trial) for trial in self._reported(side)]

    def reported(self, side: str) -> list[Outcome]:
        """The outcomes of these losses."""
        return [self.by_trial[trial] for trial in self._reported(side)]

    def is_whole(self, side: str) -> bool:
        """Whether all trials of a side are there."""
        sweep = all(trial in self.by_trial for trial in self._sweep(side))
        return sweep and all(trial in self.by_trial for trial in self._reported(side))

    def _sweep(self, side: str) -> list[Trial]:
        seeds, rates = self.setup.tuning_seeds, self.rates(side)
        return [Trial(side=side, rate=rate, seed=seed) for rate in rates for seed in seeds]

    def _reported(self, side: str) -> list[Trial]:
        rate = self.best_rate(side)
        return [Trial(side=side, rate=rate, seed=seed) for seed in self.setup.seeds]

    def _loss(self, trial: Trial) -> float:
        loss = self.by_trial[trial].loss
        return math.inf if loss is None else loss


def rows(outcomes: Outcomes) -> Iterator[Row]:
    """Four rows of each rule whose trials, and those of its other side, are all there."""
    for side, variant in outcomes.setup.variants.items():
        if outcomes.is_whole(side) and outcomes.is_whole(variant.against):
            yield from _rows_of(outcomes, side)


def _rows_of(outcomes: Outcomes, side: str) -> Iterator[Row]:
    setup = outcomes.setup
    variant = setup.variants[side]
    judged = setup.name == "long" and not isinstance(variant, Peer)  # goals are ours
    ours, theirs = outcomes.losses(side), outcomes.losses(variant.against)
    name = f"{setup.name}: {side}"
    other = f"{variant.against}, {_rate(outcomes, variant.against)}"
    mean, peer = fmean(ours), fmean(theirs)
    loss = f"{name}, {_rate(outcomes, side)}: validation loss, to {other}"
    yield Row(name=loss, ours=mean, peer=peer, ratio=mean / peer)
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    finite = all(math.isfinite(one) for one in differences)
    bound, limit = upper_bound(differences) if finite else math.inf, variant.limit * peer
    yield Row(
        name=f"{name}: 95 % bound of the difference, to {100 * variant.limit:g} % of the loss",
        ours=bound,
        peer=limit,
        ratio=bound / limit,
        goal=f"at most {100 * variant.limit:g} %" if judged else "",
        holds=bound <= limit if judged else None,
    )
    sent = fmean(one.payload_bytes for one in outcomes.reported(side))
    dense = 4.0 * setup.parameters * setup.steps
    promised = judged and variant.against == ADAMW
    yield Row(
        name=f"{name}: MB a worker sends, to dense float32",
        ours=sent / 1e6,
        peer=dense / 1e6,
        ratio=dense / sent,
        goal=f"at least {BYTES_GOAL} times" if promised else "",
        holds=dense / sent >= BYTES_GOAL if promised else None,
    )
    votes = fmean(one.votes for one in outcomes.reported(side))
    yield Row(name=f"{name}: votes a coefficient", ours=votes, peer=1.0, ratio=votes)


def _rate(outcomes: Outcomes, side: str) -> str:
    rates, best = outcomes.rates(side), outcomes.best_rate(side)
    edge = " (the sweep's edge)" if best in (rates[0], rates[-1]) else ""
    return f"rate {best}{edge}"
