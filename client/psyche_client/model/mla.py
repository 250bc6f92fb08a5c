"""DeepSeek-V3's dense form in torch: multi-head latent attention, RMSNorm, SwiGLU.

Modules carry Hugging Face's names, so `named_parameters()` are those of DeepseekV3ForCausalLM.
Shape suffixes: B = sequences, T = tokens, S = tokens seen so far (cache included), H = heads,
N = head width without positions, R = head width with positions, V = value width, L = latent rank.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own habit
from torch import Tensor, nn

from .config import ModelConfig
from .errors import ModelError
from .layers import MLP, Embedding, Linear, RMSNorm

#: Norms inside attention have this epsilon in DeepSeek's code, whatever `rms_norm_eps` says.
_INNER_EPSILON: Final = 1e-6


@dataclass(slots=True)
class LatentCache:
    """What decoding keeps of the tokens seen: a latent and one rotated key a token and layer."""

    latents: list[Tensor] = field(default_factory=list)
    keys: list[Tensor] = field(default_factory=list)

    @property
    def length(self) -> int:
        """How many tokens the cache holds."""
        return int(self.latents[0].shape[1]) if self.latents else 0

    def extend(self, layer: int, latent_btl: Tensor, key_btr: Tensor) -> tuple[Tensor, Tensor]:
        """Append new tokens of one layer and return all of it."""
        if layer == len(self.latents):
            self.latents.append(latent_btl)
            self.keys.append(key_btr)
        else:
            self.latents[layer] = torch.cat((self.latents[layer], latent_btl), dim=1)
            self.keys[layer] = torch.cat((self.keys[layer], key_btr), dim=1)
        return self.latents[layer], self.keys[layer]


class Attention(nn.Module):
    """Causal attention whose keys and values are expanded from one low-rank latent a token."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
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

    def forward(self, hidden: Tensor, rope: Tensor, cache: LatentCache | None) -> Tensor:
        """Attend within `hidden` [B, T, hidden], and to the cache's tokens if there is one."""
        config = self.config
        nope_bhtn, rot_bhtr = self._queries(hidden, rope)
        both = self.kv_a_proj_with_mqa(hidden)
        latent_btl, key_btr = both.split((config.kv_lora_rank, config.qk_rope_head_dim), dim=-1)
        latent_btl = self.kv_a_layernorm(latent_btl)
        key_btr = rotate(key_btr, rope)
        if cache is None:
            out_bhtv = self._expanded(nope_bhtn, rot_bhtr, latent_btl, key_btr)
        else:
            latent_bsl, key_bsr = cache.extend(self.layer, latent_btl, key_btr)
            out_bhtv = self._absorbed(nope_bhtn, rot_bhtr, latent_bsl, key_bsr)
        return cast(Tensor, self.o_proj(out_bhtv.transpose(1, 2).flatten(2)))

    def _queries(self, hidden: Tensor, rope: Tensor) -> tuple[Tensor, Tensor]:
        config = self.config
        if config.q_lora_rank is None:
            flat = self.q_proj(hidden)
        else:
            flat = self.q_b_proj(self.q_a_layernorm(self.q_a_proj(hidden)))
        heads = flat.unflatten(-1, (config.num_attention_heads, config.qk_head_dim)).transpose(1, 2)
        nope, rot = heads.split((config.qk_nope_head_dim, config.qk_rope_head_dim), dim=-1)
        return nope, rotate(rot, rope)

    def _expanded(self, nope: Tensor, rot: Tensor, latent_btl: Tensor, key_btr: Tensor) -> Tensor:
        """Training's way: keys and values of all heads in full."""
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
        later = torch.ones(tokens, seen, dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(later.triu(seen - tokens + 1), float("-inf"))
        mixed = torch.einsum("bhts,bsl->bhtl", scores.float().softmax(-1).to(nope), latent_bsl)
        return torch.einsum("bhtl,hvl->bhtv", mixed, up_value_hvl)


class Layer(nn.Module):
    """One residual block: attention, then MLP, each behind a norm."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        """Make layer number `layer` of `config`."""
        super().__init__()
        self.self_attn = Attention(config, layer)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, hidden: Tensor, rope: Tensor, cache: LatentCache | None) -> Tensor:
        """Add what attention and MLP say to `hidden` [B, T, hidden]."""
        hidden = hidden + self.self_attn(self.input_layernorm(hidden), rope, cache)
        return cast(Tensor, hidden + self.mlp(self.post_attention_layernorm(hidden)))


class Trunk(nn.Module):
    """Embedding, layers and the last norm."""

    def __init__(self, config: ModelConfig) -> None:
        """Make the trunk of `config`."""
        super().__init__()
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.config = config

    def forward(self, tokens: Tensor, cache: LatentCache | None) -> Tensor:
        """Hidden states [B, T, hidden] of token ids [B, T]."""
        start = cache.length if cache is not None else 0
        if start + tokens.shape[1] > self.config.max_position_embeddings:
            raise ModelError(
                f"{start + tokens.shape[1]} tokens exceed max_position_embeddings "
                f"({self.config.max_position_embeddings})",
                hint="use shorter sequences or a model with more positions",
            )
        hidden = self.embed_tokens(tokens)
        rope = rope_angles(self.config, start, tokens.shape[1], hidden.device)
        for layer in self.layers:
            hidden = layer(hidden, rope, cache)
        return cast(Tensor, self.norm(hidden))


class CausalLM(nn.Module):
    """The whole model: token ids in, next-token logits out.

    Parameters are float32, unfilled when made (`build` makes and fills); `torch.autocast` around
    `loss` gives bf16 gradients.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Make the unfilled model of `config` on torch's default device."""
        super().__init__()
        self.config = config
        self.model = Trunk(config)
        if not config.tie_word_embeddings:
            self.lm_head = Linear(config.hidden_size, config.vocab_size)

    def forward(self, tokens: Tensor, cache: LatentCache | None = None) -> Tensor:
        """Logits [B, T, vocabulary] in float32 of token ids [B, T]; extends `cache` if given."""
        hidden = self.model(tokens, cache)
        tied = self.config.tie_word_embeddings
        head = self.model.embed_tokens.weight if tied else self.lm_head.weight
        return F.linear(hidden, head).float()

    def loss(self, sequences: Tensor) -> Tensor:
        """Mean next-token cross entropy in nats over sequences [B, T + 1] of token ids."""
        logits = self(sequences[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), sequences[:, 1:].flatten())


def build(
    config: ModelConfig,
    parameters: Mapping[str, npt.NDArray[np.float32]],
    *,
    device: str | torch.device = "cpu",
) -> CausalLM:
    """A model on `device` with a copy of `parameters` (by Hugging Face's names)."""
    with torch.device(device):
        model = CausalLM(config)
    load(model, parameters)
    return model


@torch.no_grad()
def load(model: CausalLM, parameters: Mapping[str, npt.NDArray[np.float32]]) -> None:
    """Copy `parameters` into the model; names and shapes must be the model's (ModelError)."""
    shapes = model.config.parameter_shapes()
    if parameters.keys() != shapes.keys():
        odd = sorted(parameters.keys() ^ shapes.keys())
        raise ModelError(f"parameters do not fit the model: {odd[0]} is on one side only")
    for name, tensor in model.named_parameters():
        values = parameters[name]
        if values.shape != shapes[name] or values.dtype != np.float32:
            raise ModelError(f"{name} is {values.dtype}{values.shape}, not float32{shapes[name]}")
        tensor.copy_(torch.from_numpy(np.array(values, dtype=np.float32, copy=True)))


def parameters_of(model: CausalLM) -> dict[str, npt.NDArray[np.float32]]:
    """All parameters by name as numpy arrays; on the CPU these share the model's memory."""
    found = {name: tensor.detach().cpu().numpy() for name, tensor in model.named_parameters()}
    return dict(sorted(found.items()))


def rope_angles(config: ModelConfig, start: int, count: int, device: torch.device) -> Tensor:
    """Angles [T, R/2] of positions start .. start + count - 1, one a pair of dimensions."""
    width = config.qk_rope_head_dim
    exponents = torch.arange(0, width, 2, dtype=torch.float32, device=device) / width
    positions = torch.arange(start, start + count, dtype=torch.float32, device=device)
    return positions[:, None] * (1.0 / (config.rope_theta**exponents))


def rotate(vector: Tensor, angles: Tensor) -> Tensor:
    """Turn neighbouring pairs (x0, x1), (x2, x3), .. of [.., T, R]; first elements come out first.

    This is DeepSeek's interleaved convention: pairs lie side by side before, apart after.
    """
    cos, sin = angles.cos().to(vector.dtype), angles.sin().to(vector.dtype)
    first, second = vector[..., 0::2], vector[..., 1::2]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
