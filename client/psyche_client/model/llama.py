"""Llama's attention: rotary queries and keys; groups of query heads share a key and value head.

Shape suffixes: B = sequences, T = tokens, S = tokens seen so far (cache included), H = query heads,
K = key and value heads, D = head width.
"""

from typing import cast

import torch.nn.functional as F  # noqa: N812  # torch's own habit
from torch import Tensor, nn

from .config import LlamaConfig
from .layers import Cache, Linear, not_later, rotate


class GroupedAttention(nn.Module):
    """Causal attention with `num_key_value_heads` keys and values for all query heads."""

    def __init__(self, config: LlamaConfig, layer: int) -> None:
        """Make the projections of `config`; `layer` is this layer's place in a cache."""
        super().__init__()
        self.config, self.layer = config, layer
        queries = config.num_attention_heads * config.head_dim
        shared = config.num_key_value_heads * config.head_dim
        self.q_proj = Linear(config.hidden_size, queries)
        self.k_proj = Linear(config.hidden_size, shared)
        self.v_proj = Linear(config.hidden_size, shared)
        self.o_proj = Linear(queries, config.hidden_size)

    def forward(self, hidden: Tensor, rope: Tensor, cache: Cache | None) -> Tensor:
        """Attend within `hidden` [B, T, hidden], and to the cache's tokens if there is one."""
        query_bhtd = _turn(self._heads(self.q_proj(hidden)), rope)
        key_bktd = _turn(self._heads(self.k_proj(hidden)), rope)
        value_bktd = self._heads(self.v_proj(hidden))
        tokens, seen = hidden.shape[1], 0
        if cache is not None:
            seen = cache.length(self.layer)
            key_bktd, value_bktd = cache.extend(self.layer, key_bktd, value_bktd)
        out_bhtd = F.scaled_dot_product_attention(
            query_bhtd,
            key_bktd,
            value_bktd,
            attn_mask=not_later(tokens, seen, hidden.device) if seen and tokens > 1 else None,
            is_causal=not seen,
            enable_gqa=True,
        )
        return cast(Tensor, self.o_proj(out_bhtd.transpose(1, 2).flatten(2)))

    def _heads(self, flat: Tensor) -> Tensor:
        """[B, T, heads * D] as [B, heads, T, D]."""
        return flat.view(*flat.shape[:2], -1, self.config.head_dim).transpose(1, 2)


def _turn(vector: Tensor, angles: Tensor) -> Tensor:
    """Turn [.., T, D], whose pairs are its two halves (Hugging Face's order of Llama's weights)."""
    first, second = vector.chunk(2, dim=-1)
    return rotate(first, second, angles)
