"""What a model needs: memory of a trainer by phase, a card that runs it, bytes and seconds a round.

Arithmetic from shapes alone, so that it takes a second for 40 billion parameters. Units: bytes
and seconds. Nothing here measures: `model.activations` says what a gradient keeps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from psyche_client._sums import COEFFICIENTS_MAX
from psyche_client.model.config import ModelConfig
from psyche_client.optim.codec import GROUP_SIZE
from psyche_client.optim.layout import Layout

FLOAT32_BYTES = 4
MEMBERS = (16, 64, 256, 1_024)
LINE_BITS_PER_SECOND = 20_000_000
CARD_BYTES = 24 << 30
CARD_RESERVE_BYTES = 1 << 30
"""Of the card: what its runtime and the largest operations take."""
QUANTIZED_BITS = (4, 8)
SCALE_EACH = 64
"""Quantized weights that share one 16-bit scale."""
HALF_BYTES = 2
SCRATCH_BYTES = 64 << 20
"""Most that the transform takes besides, a tile at a time."""
FLIGHT_BYTES = 8 + 4
"""Of a sent coefficient until its round settles: position and value."""
RECEIVED_BYTES = 2 + 2
"""Of a received coefficient while a round is applied, beside its payload: index and value."""


@dataclass(frozen=True, slots=True)
class Card:
    """Whether a card holds the model with weights of so many bits, and the text beside it.

    Attributes:
        weights: bytes of all weights. Embedding, head and norms have 16 bits.
        tokens: of text whose cache (16 bits) fits besides; 0 where the weights do not fit.
    """

    bits: int
    weights: int
    cache_bytes_per_token: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Line:
    """A round's payloads among `members`.

    Attributes:
        topk: what is sent of each 4,096, lowered to what so many members may send.
        payload_max: bytes of the longest payload.
        payload_least: bytes at which no coder of arbitrary choices can go lower.
        seconds: to receive every other member's longest payload; on average as much is sent on.
    """

    members: int
    topk: int
    payload_max: int
    payload_least: int
    seconds: float


def training_memory(
    config: ModelConfig,
    *,
    topk: int,
    members: int,
    activations: int,
    value_bits: int = 1,
    in_flight: int = 2,
    moments: str = "",
) -> dict[str, int]:
    """Bytes in each phase of a round on a trainer.

    Args:
        config: the model.
        topk: coefficients sent of each 4,096.
        members: whose payloads are applied together.
        activations: what a gradient keeps of its forward pass (`model.activations`).
        value_bits: of a coefficient in a payload.
        in_flight: rounds whose own selection is not settled yet (overlap 1 has two).
        moments: of local steps, "anew" or "kept" as the rule has them; empty without such steps.
    """
    layout = Layout.from_shapes(config.parameter_shapes())
    sent = layout.groups * allowed(topk, members)
    payload = _longest(layout, allowed(topk, members), value_bits)
    parameters = config.parameter_count() * FLOAT32_BYTES
    momentum = layout.coefficients * FLOAT32_BYTES
    kept = 2 * parameters if moments == "kept" else 0
    # The parameters as they were, and AdamW's two moments.
    steps = 3 * parameters - kept if moments else 0
    always = parameters + momentum + kept + in_flight * sent * FLIGHT_BYTES
    return {
        "always: parameters, momentum, what is in flight": always,
        "train: gradients and activations besides": always + steps + parameters + activations,
        "generate: gradients and a tile besides": always + parameters + SCRATCH_BYTES,
        "apply: received payloads and a tile besides": always
        + members * (payload + sent * RECEIVED_BYTES)
        + SCRATCH_BYTES,
        "save: a copy of parameters and momentum besides": 2 * always,
    }


def inference(config: ModelConfig) -> list[Card]:
    """What one card of 24 GiB holds at each of `QUANTIZED_BITS`."""
    shapes = config.parameter_shapes()
    matrices = sum(
        math.prod(shape)
        for name, shape in shapes.items()
        if name.startswith("model.layers.") and len(shape) > 1
    )
    rest = (config.parameter_count() - matrices) * HALF_BYTES
    token = config.cache_elements * config.num_hidden_layers * HALF_BYTES
    cards = []
    for bits in QUANTIZED_BITS:
        scales = -(-matrices // SCALE_EACH) * HALF_BYTES
        weights = -(-matrices * bits // 8) + scales + rest
        left = CARD_BYTES - CARD_RESERVE_BYTES - weights
        cards.append(Card(bits, weights, token, max(0, left // token)))
    return cards


def lines(config: ModelConfig, *, topk: int, value_bits: int = 1) -> list[Line]:
    """A round's payloads for each of `MEMBERS`, on a line of 20 Mb/s.

    Raises:
        ValueError: no payload holds so many coefficients.
    """
    layout = Layout.from_shapes(config.parameter_shapes())
    found = []
    for members in MEMBERS:
        few = allowed(topk, members)
        longest = _longest(layout, few, value_bits)
        seconds = (members - 1) * longest * 8 / LINE_BITS_PER_SECOND
        found.append(Line(members, few, longest, least_bytes(layout, few, value_bits), seconds))
    return found


def _longest(layout: Layout, topk: int, value_bits: int) -> int:
    return replace(layout.form(topk), value_bits=value_bits).bytes_max


def allowed(topk: int, members: int) -> int:
    """What is sent of each 4,096, lowered where so many members would send too much."""
    return min(topk, COEFFICIENTS_MAX // members)


def least_bytes(layout: Layout, topk: int, value_bits: int = 1) -> int:
    """log2 of the ways to choose k of 4,096, and k values, for each group; without a header."""
    ways = math.lgamma(GROUP_SIZE + 1) - math.lgamma(topk + 1) - math.lgamma(GROUP_SIZE - topk + 1)
    bits = (ways / math.log(2) + topk * value_bits) * layout.coefficients / GROUP_SIZE
    return math.ceil(bits / 8)
