"""Learning rates as whole numbers: n stands for n * 2^-40.

A library's cosine differs in its last bits between machines, so every rate comes from integer
formulas alone; golden vectors in tests/golden/schedule.json pin them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np

from psyche_client.optim.errors import RuleError

#: Rates are counted in 2 to the minus this power.
RATE_BITS = 40
#: Largest rate: 1.0. Keeps fl(1 - rate * decay) positive and every product small.
RATE_MAX = 1 << RATE_BITS
STEPS_MAX = (1 << 32) - 1
KINDS = ("constant", "linear", "cosine", "wsd")

# sin(pi / 2 * y) = y * (S0 - y^2 * (S1 - y^2 * (S2 - y^2 * (S3 - y^2 * S4)))) for 0 <= y <= 1,
# in units of 2^-30: Taylor's terms, the last chosen so that y = 1 gives exactly 1.
_ONE_BITS = 30
_ONE = 1 << _ONE_BITS
_SINE = (1_686_629_713, 693_598_669, 85_569_295, 5_027_047, 168_532)


def rate_units(decimal: str) -> int:
    """The whole number of 2^-40 nearest to a decimal rate such as "0.001".

    Raises:
        RuleError: the text is no number in [0, 1].
    """
    try:
        units = round(Fraction(decimal) * RATE_MAX)
    except (ValueError, ZeroDivisionError) as error:
        raise RuleError(f"{decimal!r} is not a decimal learning rate") from error
    if not 0 <= units <= RATE_MAX:
        raise RuleError(f"learning rate {decimal} must be between 0 and 1")
    return units


def rate_float32(units: int) -> np.float32:
    """The float32 nearest to units * 2^-40 (exact in float64 first, then rounded once)."""
    return np.float32(units * 2.0**-RATE_BITS)


def _half_cosine(done: int, span: int) -> int:
    """(1 + cos(pi * done / span)) / 2 in units of 2^-30, for 0 <= done <= span."""
    signed = span - 2 * done
    y = (abs(signed) << _ONE_BITS) // span
    square = (y * y) >> _ONE_BITS
    total = 0
    for coefficient in reversed(_SINE):
        total = coefficient - ((square * total) >> _ONE_BITS)
    sine = (y * total) >> _ONE_BITS
    return (_ONE + (sine if signed >= 0 else -sine)) >> 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How the learning rate changes with the run's step.

    Rates (`peak`, `final`) are in units of 2^-40. During the first `warmup_steps` the rate
    climbs in equal parts to `peak`. Then `constant` stays; `linear` and `cosine` fall to `final`
    at `total_steps`; `wsd` stays until `decay_steps` before `total_steps`, then falls linearly.
    After `total_steps` the rate stays at `final`.

        Schedule(kind="constant", peak=rate_units("0.001"))
        Schedule(kind="cosine", peak=rate_units("0.001"), warmup_steps=20, total_steps=2000)
    """

    kind: str = "constant"
    peak: int
    final: int = 0
    warmup_steps: int = 0
    total_steps: int = 0
    decay_steps: int = 0

    def __post_init__(self) -> None:
        """Check every number once.

        Raises:
            RuleError: a number is no whole number, or out of range, or the sums do not fit.
        """
        if self.kind not in KINDS:
            raise RuleError(f"schedule kind {self.kind!r} must be one of {', '.join(KINDS)}")
        for name in ("peak", "final"):
            check_whole(name, getattr(self, name), RATE_MAX)
        for name in ("warmup_steps", "total_steps", "decay_steps"):
            check_whole(name, getattr(self, name), STEPS_MAX)
        if self.kind == "constant":
            if self.final or self.total_steps or self.decay_steps:
                raise RuleError("a constant schedule takes only peak and warmup_steps")
            return
        if self.final > self.peak:
            raise RuleError(f"final ({self.final}) is above peak ({self.peak})")
        if self.kind != "wsd" and self.decay_steps:
            raise RuleError("decay_steps belongs to the wsd schedule alone")
        if self.kind == "wsd" and not self.decay_steps:
            raise RuleError("a wsd schedule needs decay_steps of at least 1")
        if self.total_steps <= self.warmup_steps or (
            self.total_steps < self.warmup_steps + self.decay_steps
        ):
            raise RuleError(
                f"total_steps ({self.total_steps}) must hold warmup_steps "
                f"({self.warmup_steps}) and the decay ({self.decay_steps})"
            )

    def lr_at(self, step: int) -> int:
        """The rate of a step (0 is the run's first) in units of 2^-40.

        Raises:
            ValueError: the step is negative.
        """
        if step < 0:
            raise ValueError(f"step {step} is negative")
        if step < self.warmup_steps:
            return self.peak * (step + 1) // self.warmup_steps
        if self.kind == "constant":
            return self.peak
        begin = self.total_steps - self.decay_steps if self.kind == "wsd" else self.warmup_steps
        if step < begin:
            return self.peak
        span = self.total_steps - begin
        done = min(step - begin, span)
        drop = self.peak - self.final
        if self.kind == "cosine":
            return self.final + ((drop * _half_cosine(done, span)) >> _ONE_BITS)
        return self.final + drop * (span - done) // span

    def lr_float32(self, step: int) -> np.float32:
        """The rate of a step as the float32 that `apply` multiplies by."""
        return rate_float32(self.lr_at(step))

    def annealed(self, step: int, steps: int) -> Schedule:
        """The same up to a step, then a fall to 0 over so many: how a later annealing begins.

        Raises:
            RuleError: the rate is not at its peak at that step, so this is no end of that schedule.
        """
        rate = self.lr_at(step)
        if self.kind not in ("constant", "wsd") or step < self.warmup_steps or rate != self.peak:
            raise RuleError(
                f"at step {step} this {self.kind} schedule is not at its peak, where annealing "
                "begins: choose a step between the warm-up and the decay of a wsd schedule"
            )
        return Schedule(
            kind="wsd",
            peak=self.peak,
            warmup_steps=self.warmup_steps,
            total_steps=step + steps,
            decay_steps=steps,
        )

    def to_value(self) -> dict[str, object]:
        """This schedule as a JSON value, all fields written out."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_value(cls, value: object) -> Schedule:
        """Reads a JSON value; every field must be there and no other.

        Raises:
            RuleError: a key is unknown or missing, or a number is not valid.
        """
        return cls(**exact_fields(value, {field.name for field in fields(cls)}, "schedule"))  # type: ignore[arg-type]  # __post_init__ checks each


def exact_fields(value: object, names: set[str], what: str) -> dict[str, object]:
    """A JSON object with exactly these keys.

    Raises:
        RuleError: it is no object, or a key is unknown or missing.
    """
    if not isinstance(value, Mapping):
        raise RuleError(f"{what} must be an object")
    found = {str(key): item for key, item in value.items()}
    if unknown := sorted(found.keys() - names):
        raise RuleError(f"{what} has unknown keys: {', '.join(unknown)}")
    if missing := sorted(names - found.keys()):
        raise RuleError(f"{what} lacks: {', '.join(missing)}")
    return found


def check_whole(name: str, value: object, most: int, least: int = 0) -> None:
    """Raises `RuleError` unless the value is a whole number from least to most."""
    if type(value) is not int or not least <= value <= most:
        raise RuleError(f"{name} ({value!r}) must be a whole number from {least} to {most}")
