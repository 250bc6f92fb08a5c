"""DisTrO: `generate` a selection, `aggregate` selections to signs, `apply` signs. No I/O.

Selections come from gradients whose momentum lives in the transform's domain. What the chain does
not accept of them goes back into it. Aggregation is whole-number arithmetic from the votes to the
sign, so that every client moves its parameters by the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from psyche_client.optim.codec import Form, Selection
from psyche_client.optim.compiled import Compiled
from psyche_client.optim.errors import LayoutError
from psyche_client.optim.layout import Layout, check_exactness
from psyche_client.optim.momentum import InFlight, RoundKey, pack_state, unpack_state
from psyche_client.optim.rule import MICRO, UpdateRule
from psyche_client.optim.schedule import RATE_MAX, rate_float32
from psyche_client.optim.tiled import Tiled
from psyche_client.optim.transform import Step, matrix


class DisTrO:
    """The update rule over one layout. Holds the momentum and what is in flight.

    Example:
        optimizer = DisTrO(layout, rule, members_max=16)
        selection = optimizer.generate(gradients, (epoch, round))
        optimizer.update(parameters, selections_in_slot_order, rule.schedule.lr_at(step))
        optimizer.settled((epoch, round), accepted=True)
    """

    def __init__(
        self,
        layout: Layout,
        rule: UpdateRule,
        *,
        members_max: int = 1024,
        device: torch.device | None = None,
        compiled: bool = True,
    ) -> None:
        """Start with a momentum of zeros on the device (the CPU by default) of the parameters.

        The Rust extension serves float32 on the CPU where it is installed, unless `compiled` is
        false; else torch does. Both move parameters by the same bits.

        Raises:
            LayoutError: the layout was not built with the rule's `embeddings`.
            ExactnessError: the votes of so many members could make sums that round.
            ValueError: there is no member.
        """
        if members_max < 1:
            raise ValueError(f"members_max ({members_max}) must be 1 at least")
        if layout.embeddings != rule.embeddings:
            raise LayoutError(f"the layout has embeddings by {layout.embeddings}")
        check_exactness(members_max, layout, rule)
        self.layout, self.rule, self.members_max = layout, rule, members_max
        self._tiled = Tiled(layout, rule, device)
        self._compiled = Compiled.of(layout, rule) if compiled else None
        self._momentum = torch.zeros(layout.coefficients, device=device)
        self._in_flight: dict[RoundKey, InFlight] = {}

    @property
    def momentum(self) -> Tensor:
        """float32 [coefficients], in the transform's domain. Do not change it."""
        return self._momentum

    @property
    def in_flight(self) -> tuple[RoundKey, ...]:
        """Rounds whose selections are neither accepted nor given back, oldest first."""
        return tuple(self._in_flight)

    def form_at(self, step: int) -> Form:
        """The form of the payloads of a round that begins at this step of the run."""
        return self.rule.form_at(step, self.layout.coefficients)

    # One round of a trainer

    @torch.no_grad()
    def generate(
        self, gradients: Mapping[str, Tensor], round_key: RoundKey, *, step: int = 0
    ) -> Selection:
        """M <- beta M + DCT(gradients); takes the largest of each group out of M.

        Where the rule gives values a unit, it takes what they say: a whole number of units each.

        How many, and of what unit, is the rule's to say; `step` matters where that changes with
        the run's steps.

        Gradients are scaled down to the rule's norm first; a change that is to be averaged is
        not, for its size is what is said. Gradients that
        hold a NaN or an infinity count as zero as a whole: one bad batch must not poison the
        momentum. Zeros and non-finite numbers are never selected.

        Raises:
            LayoutError: a tensor is missing or has another shape.
            ValueError: this round's selection is already in flight.
        """
        if round_key in self._in_flight:
            raise ValueError(f"round {round_key} is already in flight")
        matrices, form = self._matrices(gradients), self.form_at(step)
        scale, unit = clip_scale(matrices, self.rule), self.rule.unit_at(step)
        if self._compiled and self._compiled.takes(self._momentum, *matrices.values()):
            selection, taken = self._compiled.take(self._momentum, matrices, scale, form, unit)
        else:
            selection, taken = self._tiled.take(self._momentum, matrices, scale, form, unit)
        for flight in self._in_flight.values():
            flight.decays += 1
        self._in_flight[round_key] = taken
        return selection

    def settled(self, round_key: RoundKey, *, accepted: bool) -> None:
        """The chain decided on this member's payload of a round; unknown rounds are ignored.

        A refused payload returns to the momentum as if it had never been taken out:
        M[index] += beta^(decays since) * value.
        """
        flight = self._in_flight.pop(round_key, None)
        if flight is None or accepted:
            return
        faded = flight.values * (self.rule.beta_micro / MICRO) ** flight.decays
        self._momentum[flight.positions] += faded

    def give_back(self, round_key: RoundKey) -> None:
        """The same as `settled(round_key, accepted=False)`."""
        self.settled(round_key, accepted=False)

    def reset(self) -> None:
        """Momentum zero, nothing in flight: what a member has after a resync."""
        self._momentum.zero_()
        self._in_flight.clear()

    # What every client does alike

    @torch.no_grad()
    def aggregate(self, selections: Sequence[Selection]) -> Tensor | None:
        """The inverse transform of the clamped votes; None without any payload.

        Its sign, or with the rule's "mean" itself over the number of payloads.

        Args:
            selections: the accepted set's, decoded, in slot order (votes are whole numbers, so
                another order gives the same bits).

        Returns:
            On the CPU, in block order of the layout: int8 [coefficients], each -1, 0 or +1, or
            float32 means.

        Raises:
            LayoutError: a selection has another layout.
            ValueError: there are more than `members_max`.
        """
        if not selections:
            return None
        self._check_count(selections)
        dtype = torch.int8 if self.rule.update == "sign" else torch.float32
        row = torch.empty(self.layout.coefficients, dtype=dtype)
        for tile, part in self._tiled.aggregated(selections):
            row[tile.start : tile.end] = part
        return row

    @torch.no_grad()
    def apply(self, parameters: Mapping[str, Tensor], signs: Tensor | None, rate: int) -> None:
        """p <- fl(p * c), then p <- fl(p - lr * s), in place; no signs, no change.

        c = fl(1 - lr * weight decay). Means are multiplied by the learning rate and the rule's
        2^value_exponent, and rounded, before they are subtracted. These are separate kernels on
        purpose: a fused multiply-add rounds once and would not agree with machines that have none.

        Args:
            parameters: float32 masters by name.
            signs: what `aggregate` gave, signs or means.
            rate: learning rate in units of 2^-40, from the schedule.

        Raises:
            LayoutError: a parameter is missing, not float32, or has another shape; or the signs
                are of another layout.
            ValueError: the rate is below 0 or above 1.
        """
        if signs is not None and signs.shape != (self.layout.coefficients,):
            raise LayoutError(f"signs of shape {tuple(signs.shape)} are of another layout")
        if signs is not None:
            parts = ((tile, signs[tile.start : tile.end]) for tile in self._tiled.tiles)
            self._tiled.move(self._masters(parameters), parts, self._step(rate))

    @torch.no_grad()
    def update(
        self, parameters: Mapping[str, Tensor], selections: Sequence[Selection], rate: int
    ) -> None:
        """`apply` of `aggregate`, a tile at a time: the same bits without a row of signs.

        Raises:
            LayoutError, ValueError: as they do. Nothing has moved then.
        """
        if not selections:
            return
        self._check_count(selections)
        masters, step = self._masters(parameters), self._step(rate)
        if self._compiled and self._compiled.moves(selections, *masters.values()):
            self._compiled.move(masters, selections, step)
        else:
            self._tiled.move(masters, self._tiled.aggregated(selections), step)

    def _check_count(self, selections: Sequence[Selection]) -> None:
        if len(selections) > self.members_max:
            raise ValueError(f"{len(selections)} payloads of at most {self.members_max} members")

    def _masters(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        matrices = self._matrices(parameters)
        if any(m.dtype != torch.float32 for m in matrices.values()):
            raise LayoutError("parameters must be float32")
        return matrices

    def _step(self, rate: int) -> Step:
        if not 0 <= rate <= RATE_MAX:
            raise ValueError(f"a rate of {rate} units of 2^-40 is not from 0 to 1")
        shrink = decay_factor(rate, self.rule.weight_decay_micro)
        if self.rule.update == "mean":
            return Step(self.rule.mean_step(rate), shrink)
        return Step(float(rate_float32(rate)), shrink)

    # State

    def state_dict(self) -> dict[str, Tensor]:
        """Momentum and what is in flight as tensors alone, exact, fit for safetensors."""
        return pack_state(self._momentum, self._in_flight, self.layout.digest())

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes back what `state_dict` gave.

        Raises:
            LayoutError: the state is another layout's, or damaged. Nothing is changed then.
        """
        momentum, flights = unpack_state(state, self.layout, self._momentum.device)
        self._momentum = momentum
        self._in_flight = flights

    def _matrices(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        places = self.layout.placements
        if tensors.keys() != places.keys():
            odd = sorted(tensors.keys() ^ places.keys())
            raise LayoutError(f"tensors missing or not in the layout: {', '.join(odd[:5])}")
        return {name: matrix(tensors[name], place) for name, place in places.items()}


def clip_scale(matrices: Mapping[str, Tensor], rule: UpdateRule) -> float:
    """What gradients are multiplied by: 1, the rule's norm over theirs, or 0 if not finite."""
    norms = []
    for one in matrices.values():
        wide = torch.promote_types(one.dtype, torch.float32)
        norms.append(torch.linalg.vector_norm(one, dtype=wide).double())
    norm = float(torch.stack(norms).norm())
    if not math.isfinite(norm):
        return 0.0
    clip = 0.0 if rule.update == "mean" else rule.clip_micro / MICRO
    return clip / norm if clip and norm > clip else 1.0


def decay_factor(rate: int, weight_decay_micro: int) -> float:
    """c = 1 - lr * weight decay, rounded to float64 and then to float32.

    Both are whole numbers over powers of two and ten, so the quotient's rounding is exact.
    """
    whole = RATE_MAX * MICRO
    quotient = (whole - rate * weight_decay_micro) / whole
    return float(torch.tensor(quotient, dtype=torch.float32))
