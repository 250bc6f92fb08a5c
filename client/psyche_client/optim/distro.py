"""DisTrO: `generate` a selection, `aggregate` selections to signs, `apply` signs. No I/O.

Selections come from gradients whose momentum lives in the transform's domain. What the chain does
not accept of them goes back into it. Aggregation is whole-number arithmetic from the votes to the
sign, so that every client moves its parameters by the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from psyche_client.optim.codec import GROUP_SIZE, Form, Selection
from psyche_client.optim.errors import LayoutError
from psyche_client.optim.layout import Layout, check_exactness
from psyche_client.optim.momentum import InFlight, RoundKey, pack_state, unpack_state
from psyche_client.optim.rule import MICRO, UpdateRule
from psyche_client.optim.schedule import RATE_MAX, rate_float32
from psyche_client.optim.select import take_even, take_uneven
from psyche_client.optim.transform import Tile, Transform, gather, matrix, move, tiles, votes_of


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
    ) -> None:
        """Start with a momentum of zeros on the device (the CPU by default) of the parameters.

        Raises:
            LayoutError: the layout was not built with the rule's `embeddings`.
            ExactnessError: the votes of so many members could make sums that round.
        """
        if layout.embeddings != rule.embeddings:
            raise LayoutError(f"the layout has embeddings by {layout.embeddings}")
        check_exactness(members_max, layout, rule)
        self.layout, self.rule, self.members_max = layout, rule, members_max
        self._largest = rule.form_max(layout.coefficients)
        self._device = device or torch.device("cpu")
        self._tiles = tiles(layout)
        self._transforms = {
            (b.edge_rows, b.edge_columns): Transform(b.edge_rows, b.edge_columns, device)
            for b in layout.buffers
        }
        # Kept, because pages that are new each time cost as much as the sums do.
        longest = max(tile.end - tile.start for tile in self._tiles)
        self._scratch = torch.empty(3, longest, device=device)
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

        Where values have several bits, it takes what they say: a whole number of units each.

        How many is the rule's to say; `step` matters where that changes with the run's steps.

        Gradients (or pseudo-gradients) are scaled down to the rule's norm first. Gradients that
        hold a NaN or an infinity count as zero as a whole: one bad batch must not poison the
        momentum. Zeros and non-finite numbers are never selected.

        Raises:
            LayoutError: a tensor is missing or has another shape.
            ValueError: this round's selection is already in flight.
        """
        if round_key in self._in_flight:
            raise ValueError(f"round {round_key} is already in flight")
        form = self.form_at(step)
        ends = self._accumulate(self._matrices(gradients))
        row, spare = self._momentum, self._scratch.view(-1)
        if self.rule.is_even:
            positions, values = take_even(row, ends, form, spare)
        else:
            energy = self.rule.energy_micro / MICRO
            positions, values = take_uneven(row, ends, form, spare, energy)
        positions, values, whole = self._sendable(positions, values)
        counts = torch.bincount(positions // GROUP_SIZE, minlength=form.groups)
        for flight in self._in_flight.values():
            flight.decays += 1
        self._in_flight[round_key] = InFlight(positions, values)
        return Selection(
            counts.cpu().numpy().astype("u2"),
            (positions % GROUP_SIZE).cpu().numpy().astype("u2"),
            whole.cpu().numpy().astype("i2"),
        )

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
        """The sign of the inverse transform of the clamped votes; None without any payload.

        Args:
            selections: the accepted set's, decoded, in slot order (votes are whole numbers, so
                another order gives the same bits).

        Returns:
            int8 [coefficients], each -1, 0 or +1, in block order of the layout.
        """
        if not selections:
            return None
        signs = torch.empty(self.layout.coefficients, dtype=torch.int8)
        for tile, part in self._signed(selections):
            signs[tile.start : tile.end] = part
        return signs

    @torch.no_grad()
    def apply(self, parameters: Mapping[str, Tensor], signs: Tensor | None, rate: int) -> None:
        """p <- fl(p * c), then p <- fl(p - lr * s), in place; no signs, no change.

        c = fl(1 - lr * weight decay). The two steps are separate kernels on purpose: a fused
        multiply-add rounds once and would not agree with machines that have none.

        Args:
            parameters: float32 masters by name.
            signs: what `aggregate` gave.
            rate: learning rate in units of 2^-40, from the schedule.

        Raises:
            LayoutError: a parameter is missing, not float32, or has another shape.
        """
        if signs is not None:
            parts = ((tile, signs[tile.start : tile.end]) for tile in self._tiles)
            self._move(parameters, parts, rate)

    @torch.no_grad()
    def update(
        self, parameters: Mapping[str, Tensor], selections: Sequence[Selection], rate: int
    ) -> None:
        """`apply` of `aggregate`, a tile at a time: the same bits without a row of signs."""
        if selections:
            self._move(parameters, self._signed(selections), rate)

    def _signed(self, selections: Sequence[Selection]) -> Iterator[tuple[Tile, Tensor]]:
        if len(selections) > self.members_max:
            raise ValueError(f"{len(selections)} payloads of at most {self.members_max} members")
        cap = self.rule.vote_cap
        whole = len(selections) * self._largest.value_max
        peak = min(cap, whole) if cap else whole
        # A block of up to 4,096 coefficients meets two groups at most.
        mass = 2 * self._largest.most * whole
        before = [np.insert(np.cumsum(s.counts, dtype=np.int64), 0, 0) for s in selections]
        for tile in self._tiles:
            tally = self._scratch[0, : tile.end - tile.start].zero_()
            for selection, begins in zip(selections, before, strict=True):
                where, values = votes_of(selection, begins, tile)
                index = torch.from_numpy(where).to(self._device)
                tally.index_add_(0, index, torch.from_numpy(values).to(self._device, torch.float32))
            if cap and whole > cap:
                tally.clamp_(-cap, cap)
            transform = self._transforms[tile.buffer.edge_rows, tile.buffer.edge_columns]
            yield tile, transform.inverse_signs(tally, peak, mass, self._scratch[1:])

    def _move(
        self, parameters: Mapping[str, Tensor], parts: Iterable[tuple[Tile, Tensor]], rate: int
    ) -> None:
        matrices = self._matrices(parameters)
        if any(m.dtype != torch.float32 for m in matrices.values()):
            raise LayoutError("parameters must be float32")
        shrink = decay_factor(rate, self.rule.weight_decay_micro)
        value = float(rate_float32(rate))
        for tile, signs in parts:
            move(signs.float(), matrices, tile, rate=value, shrink=shrink)

    # State

    def state_dict(self) -> dict[str, Tensor]:
        """Momentum and what is in flight as tensors alone, exact, fit for safetensors."""
        return pack_state(self._momentum, self._in_flight, self.layout.digest())

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes back what `state_dict` gave.

        Raises:
            LayoutError: the state is another layout's, or damaged. Nothing is changed then.
        """
        momentum, flights = unpack_state(state, self.layout)
        self._momentum = momentum
        self._in_flight = flights

    # Parts of generate

    def _sendable(self, positions: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Positions, what of the momentum goes there, and the whole numbers that say it.

        With signs all of a coefficient goes. Whole numbers leave what they do not say.
        """
        finite = values.isfinite()
        if self.rule.value_bits == 1:
            whole = values.sign()
        else:
            unit, most = 2.0**self.rule.value_exponent, 1 << (self.rule.value_bits - 1)
            whole = (values / unit).round_().clamp_(-most, most)
            rest = values - whole * unit
            self._momentum[positions[finite]] = rest[finite]
            values = whole * unit
        sendable = finite & (whole != 0)
        if sendable.all():
            return positions, values, whole
        return positions[sendable], values[sendable], whole[sendable]

    def _matrices(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        places = self.layout.placements
        if tensors.keys() != places.keys():
            odd = sorted(tensors.keys() ^ places.keys())
            raise LayoutError(f"tensors missing or not in the layout: {', '.join(odd[:5])}")
        return {name: matrix(tensors[name], place) for name, place in places.items()}

    def _accumulate(self, matrices: dict[str, Tensor]) -> Iterator[int]:
        """M <- beta M + DCT(gradients), a tile at a time; yields the ends of what is done."""
        beta = self.rule.beta_micro / MICRO
        scale = self._scale(matrices)
        for tile in self._tiles:
            momentum = self._momentum[tile.start : tile.end]
            if scale == 0.0:
                momentum.mul_(beta)
            else:
                part, spare = self._scratch[:2, : tile.end - tile.start]
                gather(part, matrices, tile)
                transform = self._transforms[tile.buffer.edge_rows, tile.buffer.edge_columns]
                transform.accumulate(momentum, part, spare, beta=beta, scale=scale)
            yield tile.end

    def _scale(self, matrices: dict[str, Tensor]) -> float:
        """What the gradients are multiplied by: 1, the clip over their norm, or 0 if not finite."""
        norms = [torch.linalg.vector_norm(m, dtype=torch.float32) for m in matrices.values()]
        norm = float(torch.stack(norms).double().norm())
        if not math.isfinite(norm):
            return 0.0
        clip = self.rule.clip_micro / MICRO
        return clip / norm if clip and norm > clip else 1.0


def decay_factor(rate: int, weight_decay_micro: int) -> float:
    """c = 1 - lr * weight decay, rounded to float64 and then to float32.

    Both are whole numbers over powers of two and ten, so the quotient's rounding is exact.
    """
    whole = RATE_MAX * MICRO
    quotient = (whole - rate * weight_decay_micro) / whole
    return float(torch.tensor(quotient, dtype=torch.float32))
