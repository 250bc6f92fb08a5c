"""The parts that all models share: matrices, embedding, norm, MLP, rotation, cache."""

from dataclasses import dataclass, field
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own habit
from torch import Tensor, nn

from .config import ModelConfig


@dataclass(slots=True)
class Cache:
    """What decoding keeps of the tokens seen: two tensors [.., S, width] a layer.

    Latents and rotated keys with latent attention, keys and values with Llama's.
    """

    parts: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def length(self, layer: int = 0) -> int:
        """How many tokens the cache holds of a layer."""
        return int(self.parts[layer][0].shape[-2]) if layer < len(self.parts) else 0

    def extend(self, layer: int, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Append new tokens of one layer and return all of it."""
        if layer == len(self.parts):
            self.parts.append((first, second))
        else:
            old_first, old_second = self.parts[layer]
            self.parts[layer] = (
                torch.cat((old_first, first), dim=-2),
                torch.cat((old_second, second), dim=-2),
            )
        return self.parts[layer]


class Linear(nn.Module):
    """A matrix without bias, and without the random values that torch's own would draw first.

    (On the `meta` device torch's initialisers import for seconds; ours come from `init`.)
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        """Make an unfilled matrix [outputs, inputs]."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))

    def forward(self, vector: Tensor) -> Tensor:
        """Multiply the last axis."""
        return F.linear(vector, self.weight)


class Embedding(nn.Module):
    """A vector a token; unfilled when made."""

    def __init__(self, tokens: int, size: int) -> None:
        """Make an unfilled table [tokens, size]."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(tokens, size))

    def forward(self, tokens: Tensor) -> Tensor:
        """The vectors of token ids."""
        return F.embedding(tokens, self.weight)


class RMSNorm(nn.Module):
    """Scales a vector to unit root mean square, in float32, times a learned weight."""

    def __init__(self, size: int, epsilon: float) -> None:
        """Make a norm over the last axis of `size` elements."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        """Normalise the last axis; the result has the input's type."""
        wide = hidden.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.epsilon)
        return self.weight * (wide * scale).to(hidden.dtype)


class MLP(nn.Module):
    """SwiGLU: down(silu(gate(x)) * up(x))."""

    def __init__(self, config: ModelConfig) -> None:
        """Make the three projections of `config`."""
        super().__init__()
        hidden, inner = config.hidden_size, config.intermediate_size
        self.gate_proj = Linear(hidden, inner)
        self.up_proj = Linear(hidden, inner)
        self.down_proj = Linear(inner, hidden)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map each token's vector by itself."""
        return cast(Tensor, self.down_proj(F.silu(self.gate_proj(hidden)) * self.up_proj(hidden)))


def rope_angles(width: int, theta: float, start: int, count: int, device: torch.device) -> Tensor:
    """Angles [T, width / 2] of positions start .. start + count - 1, one a pair of numbers."""
    exponents = torch.arange(0, width, 2, dtype=torch.float32, device=device) / width
    positions = torch.arange(start, start + count, dtype=torch.float32, device=device)
    return positions[:, None] * (1.0 / (theta**exponents))


def rotate(first: Tensor, second: Tensor, angles: Tensor) -> Tensor:
    """Turn pairs of which `first` and `second` [.., T, R/2] are the elements; [.., T, R]."""
    cos, sin = angles.cos().to(first.dtype), angles.sin().to(first.dtype)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def not_later(tokens: int, seen: int, device: torch.device) -> Tensor:
    """bool [T, S]: whether the new tokens, after `seen` old ones, may look at a position."""
    every = torch.ones(tokens, seen + tokens, dtype=torch.bool, device=device)
    return every.tril(seen)
