"""Multi-head latent attention, as in DeepSeek-V3.

Keys and values of all heads are expanded from one low-rank latent a token, and one rotated key is
shared by them, so decoding keeps just these two of the tokens seen.
Shape suffixes: B = sequences, T = tokens, S = tokens seen so far (cache included), H = heads,
N = head width without positions, R = head width with positions, V = value width, L = latent rank.
"""

from typing import Final, cast

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own habit
from torch import Tensor, nn

from .config import MlaConfig
from .layers import Cache, Linear, RMSNorm, not_later, rotate

#: Norms inside attention have this epsilon in DeepSeek's code, whatever `rms_norm_eps` says.
_INNER_EPSILON: Final = 1e-6


class LatentAttention(nn.Module):
    """Causal attention whose keys and values are expanded from one low-rank latent a token."""

    def __init__(self, config: MlaConfig, layer: int) -> None:
        """Make the projections of `config`; `layer` is this layer's place in a cache."""
        super().__init__()
        self.config, self.layer = config, layer
        hidden, heads, latent = config.hidden_size, config.num_attention_heads, config.kv_lora_rank
        queries = heads * config.qk_head_dim
        if config.q_lora_rank is None:
            self.q_proj = Linear(hidden, queries)
        else:
            self.q_a_proj = Linear(hidden, config.q_lora_rank)
            self.q_a_layernorm = RMSNorm(config.q_lora_rank, _INNER_EPSILON)
            self.q_b_proj = Linear(config.q_lora_rank, queries)
        self.kv_a_proj_with_mqa = Linear(hidden, latent + config.qk_rope_head_dim)
        self.kv_a_layernorm = RMSNorm(latent, _INNER_EPSILON)
        expanded = heads * (config.qk_nope_head_dim + config.v_head_dim)
        self.kv_b_proj = Linear(latent, expanded)
        self.o_proj = Linear(heads * config.v_head_dim, hidden)
        self.scale = float(config.qk_head_dim**-0.5)

    def forward(self, hidden: Tensor, rope: Tensor, cache: Cache | None) -> Tensor:
        """Attend within `hidden` [B, T, hidden], and to the cache's tokens if there is one."""
        config = self.config
        nope_bhtn, rot_bhtr = self._queries(hidden, rope)
        both = self.kv_a_proj_with_mqa(hidden)
        latent_btl, key_btr = both.split((config.kv_lora_rank, config.qk_rope_head_dim), dim=-1)
        latent_btl = self.kv_a_layernorm(latent_btl)
        key_btr = _turn(key_btr, rope)
        seen = 0
        if cache is not None:
            seen = cache.length(self.layer)
            latent_btl, key_btr = cache.extend(self.layer, latent_btl, key_btr)
        attend = self._absorbed if seen else self._expanded
        out_bhtv = attend(nope_bhtn, rot_bhtr, latent_btl, key_btr)
        return cast(Tensor, self.o_proj(out_bhtv.transpose(1, 2).flatten(2)))

    def _queries(self, hidden: Tensor, rope: Tensor) -> tuple[Tensor, Tensor]:
        config = self.config
        if config.q_lora_rank is None:
            flat = self.q_proj(hidden)
        else:
            flat = self.q_b_proj(self.q_a_layernorm(self.q_a_proj(hidden)))
        heads = flat.unflatten(-1, (config.num_attention_heads, config.qk_head_dim)).transpose(1, 2)
        nope, rot = heads.split((config.qk_nope_head_dim, config.qk_rope_head_dim), dim=-1)
        return nope, _turn(rot, rope)

    def _expanded(self, nope: Tensor, rot: Tensor, latent_btl: Tensor, key_btr: Tensor) -> Tensor:
        """Training's way, and a prompt's: keys and values of all heads in full."""
        config = self.config
        width = config.qk_nope_head_dim + config.v_head_dim
        wide = self.kv_b_proj(latent_btl).unflatten(-1, (config.num_attention_heads, width))
        key_bhtn, value_bhtv = wide.transpose(1, 2).split(
            (config.qk_nope_head_dim, config.v_head_dim), dim=-1
        )
        shared = key_btr.unsqueeze(1).expand(-1, config.num_attention_heads, -1, -1)
        return F.scaled_dot_product_attention(
            torch.cat((nope, rot), dim=-1),
            torch.cat((key_bhtn, shared), dim=-1),
            value_bhtv,
            is_causal=True,
            scale=self.scale,
        )

    def _absorbed(self, nope: Tensor, rot: Tensor, latent_bsl: Tensor, key_bsr: Tensor) -> Tensor:
        """Decoding's way: the expansion is moved into the queries, so latents suffice."""
        config = self.config
        weight = self.kv_b_proj.weight.view(config.num_attention_heads, -1, config.kv_lora_rank)
        up_key_hnl, up_value_hvl = torch.split(
            weight, [config.qk_nope_head_dim, config.v_head_dim], dim=1
        )
        query_bhtl = torch.einsum("bhtn,hnl->bhtl", nope, up_key_hnl)
        scores = torch.einsum("bhtl,bsl->bhts", query_bhtl, latent_bsl)
        scores = (scores + torch.einsum("bhtr,bsr->bhts", rot, key_bsr)) * self.scale
        tokens, seen = scores.shape[-2:]
        hidden = ~not_later(tokens, seen - tokens, scores.device)
        scores = scores.masked_fill(hidden, float("-inf"))
        mixed = torch.einsum("bhts,bsl->bhtl", scores.float().softmax(-1).to(nope), latent_bsl)
        return torch.einsum("bhtl,hvl->bhtv", mixed, up_value_hvl)


def _turn(vector: Tensor, angles: Tensor) -> Tensor:
    """Turn [.., T, R]; pairs are neighbours before (DeepSeek's interleaved order), halves after."""
    return rotate(vector[..., 0::2], vector[..., 1::2], angles)
