"""What a member has sent but not yet seen accepted, and how it is saved with the momentum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from psyche_client.optim.errors import LayoutError
from psyche_client.optim.layout import Layout

#: (epoch, round) of the round that a selection was made in.
RoundKey = tuple[int, int]

_DTYPES = {
    "momentum": torch.float32,
    "layout_digest": torch.uint8,
    "in_flight.rounds": torch.int64,
    "in_flight.positions": torch.int64,
    "in_flight.values": torch.float32,
}
#: Columns of `in_flight.rounds`: epoch, round, decays since, coefficients.
_COLUMNS = 4


@dataclass(slots=True)
class InFlight:
    """Coefficients that were taken out of the momentum, and how often it has decayed since."""

    positions: Tensor
    values: Tensor
    decays: int = 0


def pack_state(
    momentum: Tensor, flights: Mapping[RoundKey, InFlight], layout_digest: bytes
) -> dict[str, Tensor]:
    """All of it as tensors on the CPU; copies: training may go on while they are written."""
    rounds = [[*key, flight.decays, len(flight.values)] for key, flight in flights.items()]
    return {
        "momentum": momentum.to("cpu", copy=True),
        "layout_digest": torch.from_numpy(np.frombuffer(layout_digest, np.uint8).copy()),
        "in_flight.rounds": torch.tensor(rounds, dtype=torch.int64).view(-1, _COLUMNS),
        "in_flight.positions": torch.cat(
            [torch.empty(0, dtype=torch.int64), *(f.positions.cpu() for f in flights.values())]
        ),
        "in_flight.values": torch.cat(
            [torch.empty(0), *(f.values.cpu() for f in flights.values())]
        ),
    }


def unpack_state(
    state: Mapping[str, Tensor], layout: Layout, device: torch.device
) -> tuple[Tensor, dict[RoundKey, InFlight]]:
    """Reads what `pack_state` wrote, and copies it to a device.

    Raises:
        LayoutError: a tensor is missing, of another type or size, or of another layout.
    """
    for name, dtype in _DTYPES.items():
        if name not in state or state[name].dtype != dtype:
            raise LayoutError(f"saved state lacks {name} as {dtype}")
    if bytes(state["layout_digest"].tolist()) != layout.digest():
        raise LayoutError("saved state is of another layout")
    momentum, rounds = state["momentum"], state["in_flight.rounds"]
    positions, values = state["in_flight.positions"], state["in_flight.values"]
    if momentum.shape != (layout.coefficients,) or rounds.shape[1:] != (_COLUMNS,):
        raise LayoutError("saved momentum has another size")
    sizes = rounds[:, 3].tolist()
    fits = positions.shape == values.shape == (sum(sizes),) and bool((rounds >= 0).all())
    if not fits or ((positions < 0) | (positions >= layout.coefficients)).any():
        raise LayoutError("saved in-flight coefficients do not fit the layout")
    flights = {
        (epoch, round_): InFlight(where.to(device, copy=True), value.to(device, copy=True), decays)
        for (epoch, round_, decays, _), where, value in zip(
            rounds.tolist(), torch.split(positions, sizes), torch.split(values, sizes), strict=True
        )
    }
    return momentum.to(device, copy=True), flights
