"""The update rule with all its numbers, as it stands in model.json."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields

import numpy as np

from psyche_client.optim.errors import RuleError
from psyche_client.optim.form import GROUP_SIZE, VALUE_BITS_MAX, Form
from psyche_client.optim.schedule import (
    RATE_MAX,
    STEPS_MAX,
    Schedule,
    check_whole,
    exact_fields,
    rate_float32,
)

MICRO = 1_000_000
#: A group's indices never outnumber its coefficients.
TOPK_MAX = GROUP_SIZE
#: A share has no more parts than that.
LOCAL_STEPS_MAX = 1 << 16
#: Far from where float32 ends, with any value.
EXPONENT_MAX = 100
GAIN_MAX = 1024 * MICRO
#: A learning rate of 2^-40 times 2 to minus this is a normal float32 number yet.
MEAN_EXPONENT_MAX = 64
EMBEDDINGS = ("block", "row")
UPDATES = ("sign", "mean")
LOCAL_STATES = ("anew", "kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRule:
    """What `generate`, `aggregate` and `apply` do, in whole numbers only.

    Numbers that end in `_micro` are millionths. A shorter selection group than 4,096
    coefficients sends its share of `topk`, rounded up.

        UpdateRule(topk=32, schedule=Schedule(peak=rate_units("0.001")))
    """

    #: Momentum kept from one round to the next: 950_000 is .95.
    beta_micro: int = 950_000
    #: Coefficients that a selection group of 4,096 sends, if all send alike; in the first step.
    topk: int = 32
    #: The same from `topk_ramp_steps` on, between which it changes in equal parts; 0: no change.
    topk_end: int = 0
    topk_ramp_steps: int = 0
    #: Most coefficients of one group: what others do not need is there to take; 0: `topk`.
    group_topk_max: int = 0
    #: Share of its energy with which a group has enough; 1_000_000: it takes what there is.
    energy_micro: int = MICRO
    #: "sign": parameters move by the sign of the inverse transform of the votes. "mean": by the
    #: mean of what members say that AdamW steps of their own changed.
    update: str = "sign"
    #: Bits of a value: 1 is a sign; b is a whole number of magnitude 2^(b - 1) at most.
    value_bits: int = 1
    #: What 1 stands for in the momentum: 2 to this power; with "mean" so many learning rates. With
    #: "sign" a sign has no such unit: it stands for all of its coefficient.
    value_exponent: int = 0
    #: With "mean", parameters move by so many millionths of it. More than 1_000_000 makes up for
    #: what few members say of what all of them want.
    gain_micro: int = MICRO
    #: Largest sum of values a coefficient, either way; 0 leaves sums as they are.
    vote_cap: int = 1
    #: Gradients with a larger global norm are scaled down to it; 0 never scales.
    clip_micro: int = 1_000_000
    #: Parameters shrink by learning rate times this; 1-D tensors and embeddings do not.
    weight_decay_micro: int = 0
    #: 1: a round is one gradient. More: so many local AdamW steps, whose change is sent instead;
    #: with "mean" that of one step, too.
    local_steps: int = 1
    #: Learning rate of local steps in units of 2^-40; 0: the schedule's. A gradient has no use.
    local_rate: int = 1_099_511_628
    #: Whether AdamW's moments are zero in each round ("anew"), or those of the last ("kept").
    local_state: str = "anew"
    #: Transform shape of embedding and output head: "block" as any matrix, or "row".
    embeddings: str = "block"
    schedule: Schedule = field(default_factory=lambda: Schedule(peak=1_099_511_628))

    def __post_init__(self) -> None:
        """Check every number once.

        Raises:
            RuleError: a number is out of its range.
        """
        check_whole("beta_micro", self.beta_micro, MICRO - 1)
        check_whole("topk", self.topk, TOPK_MAX, 1)
        check_whole("topk_end", self.topk_end, TOPK_MAX)
        check_whole("topk_ramp_steps", self.topk_ramp_steps, STEPS_MAX)
        if (self.topk_end > 0) != (self.topk_ramp_steps > 0):
            raise RuleError("topk_end and topk_ramp_steps need one another: write both, or neither")
        check_whole("group_topk_max", self.group_topk_max, TOPK_MAX)
        if 0 < self.group_topk_max < self.topk_max:
            raise RuleError(f"group_topk_max ({self.group_topk_max}) is below topk")
        check_whole("energy_micro", self.energy_micro, MICRO, 1)
        self._check_values()
        check_whole("clip_micro", self.clip_micro, MICRO * MICRO)
        check_whole("weight_decay_micro", self.weight_decay_micro, MICRO)
        check_whole("local_steps", self.local_steps, LOCAL_STEPS_MAX, 1)
        check_whole("local_rate", self.local_rate, RATE_MAX)
        _check_choice("embeddings", self.embeddings, EMBEDDINGS)
        _check_choice("update", self.update, UPDATES)
        _check_choice("local_state", self.local_state, LOCAL_STATES)
        if self.local_state == "kept" and not self.is_local:
            raise RuleError("local_state needs local steps: without them nothing is kept")

    def _check_values(self) -> None:
        check_whole("value_bits", self.value_bits, VALUE_BITS_MAX, 1)
        check_whole("value_exponent", self.value_exponent, EXPONENT_MAX, -EXPONENT_MAX)
        if self.update == "sign" and self.value_bits == 1 and self.value_exponent:
            raise RuleError(
                "value_exponent belongs to values of several bits, or to means: signs have none"
            )
        check_whole("gain_micro", self.gain_micro, GAIN_MAX, 1)
        if self.update == "sign" and self.gain_micro != MICRO:
            raise RuleError("gain_micro belongs to means: signs move by the learning rate")
        if self.update == "mean" and abs(self.value_exponent) > MEAN_EXPONENT_MAX:
            raise RuleError(
                f"value_exponent of a mean is from {-MEAN_EXPONENT_MAX} to "
                f"{MEAN_EXPONENT_MAX}: other units are no float32"
            )
        check_whole("vote_cap", self.vote_cap, 1 << 15)
        if 0 < self.vote_cap < 1 << (self.value_bits - 1):
            raise RuleError(
                f"vote_cap ({self.vote_cap}) would cut single values of {self.value_bits} bits: "
                f"write 0, or {1 << (self.value_bits - 1)} at least"
            )

    @property
    def is_local(self) -> bool:
        """Whether a round's gradient is the change that AdamW steps made."""
        return self.local_steps > 1 or self.update == "mean"

    def local_rate_at(self, step: int) -> int:
        """Learning rate of the local steps of a round that begins at this step."""
        return self.local_rate or self.schedule.lr_at(step)

    def unit_at(self, step: int) -> float | None:
        """What 1 stands for in the momentum; None: each sign for all of its coefficient."""
        if self.update == "mean":
            return float(rate_float32(self.schedule.lr_at(step))) * 2.0**self.value_exponent
        return None if self.value_bits == 1 else 2.0**self.value_exponent

    def mean_step(self, rate: int) -> float:
        """By what a mean of 1 moves parameters at a learning rate; float32 holds it exactly.

        fl32(fl64(rate * gain)) * 2^exponent. Whole numbers divide by one rounding, the power adds
        none.
        """
        quotient = rate * self.gain_micro / (RATE_MAX * MICRO)
        return float(np.float32(quotient)) * 2.0**self.value_exponent

    @property
    def topk_max(self) -> int:
        """The largest k of the run."""
        return max(self.topk, self.topk_end)

    @property
    def is_even(self) -> bool:
        """Whether every group sends its k, whatever is in it."""
        return not self.group_topk_max and self.energy_micro == MICRO

    def topk_at(self, step: int) -> int:
        """k of a step: topk + floor((topk_end - topk) * min(step, ramp) / ramp)."""
        if not self.topk_ramp_steps:
            return self.topk
        done = min(step, self.topk_ramp_steps)
        return self.topk + (self.topk_end - self.topk) * done // self.topk_ramp_steps

    def form_at(self, step: int, coefficients: int) -> Form:
        """The form of all payloads of a round that begins at this step."""
        return self._form(self.topk_at(step), coefficients)

    def form_max(self, coefficients: int) -> Form:
        """The form of the longest payloads of the run."""
        return self._form(self.topk_max, coefficients)

    def _form(self, topk: int, coefficients: int) -> Form:
        return Form(
            coefficients=coefficients,
            topk=topk,
            most=self.group_topk_max,
            value_bits=self.value_bits,
        )

    def to_value(self) -> dict[str, object]:
        """The rule as a JSON value, all fields written out."""
        value = {item.name: getattr(self, item.name) for item in fields(self)}
        value["schedule"] = self.schedule.to_value()
        return value

    @classmethod
    def from_value(cls, value: object) -> UpdateRule:
        """Reads a JSON value; every field must be there and no other.

        Raises:
            RuleError: a key is unknown or missing, or a number is not valid.
        """
        found = exact_fields(value, {item.name for item in fields(cls)}, "update rule")
        found["schedule"] = Schedule.from_value(found["schedule"])
        return cls(**found)  # type: ignore[arg-type]  # __post_init__ checks each

    def to_json(self) -> str:
        """The rule in canonical JSON: sorted keys, no spaces, ASCII."""
        return json.dumps(self.to_value(), sort_keys=True, separators=(",", ":"))


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise RuleError(f"{name} ({value!r}) must be {' or '.join(choices)}")
