"""The simple parts of a model: matrices, embedding, norm, MLP."""

from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own habit
from torch import Tensor, nn

from .config import ModelConfig


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
