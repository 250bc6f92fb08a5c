"""The whole model in torch: embedding, residual layers, norm, head.

Modules carry Hugging Face's names, so `named_parameters()` are those of DeepseekV3ForCausalLM
or LlamaForCausalLM. Shape suffixes: B = sequences, T = tokens.
"""

from collections.abc import Mapping
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  # torch's own habit
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .config import LlamaConfig, MlaConfig, ModelConfig
from .errors import ModelError
from .layers import MLP, Cache, Embedding, Linear, RMSNorm, rope_angles
from .llama import GroupedAttention
from .mla import LatentAttention


class Layer(nn.Module):
    """One residual block: attention, then MLP, each behind a norm."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        """Make layer number `layer` of `config`."""
        super().__init__()
        self.self_attn = _attention(config, layer)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, hidden: Tensor, rope: Tensor, cache: Cache | None) -> Tensor:
        """Add what attention and MLP say to `hidden` [B, T, hidden]."""
        hidden = hidden + self.self_attn(self.input_layernorm(hidden), rope, cache)
        return cast(Tensor, hidden + self.mlp(self.post_attention_layernorm(hidden)))


class Trunk(nn.Module):
    """Embedding, layers and the last norm.

    With `recomputes` a gradient keeps each layer's input alone and computes the rest of the layer
    once more when it is needed: less memory, a third more time, the same bits.
    """

    def __init__(self, config: ModelConfig) -> None:
        """Make the trunk of `config`."""
        super().__init__()
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.config = config
        self.recomputes = False

    def forward(self, tokens: Tensor, cache: Cache | None) -> Tensor:
        """Hidden states [B, T, hidden] of token ids [B, T]."""
        start = cache.length() if cache is not None else 0
        if start + tokens.shape[1] > self.config.max_position_embeddings:
            raise ModelError(
                f"{start + tokens.shape[1]} tokens exceed max_position_embeddings "
                f"({self.config.max_position_embeddings})",
                hint="use shorter sequences or a model with more positions",
            )
        hidden = self.embed_tokens(tokens)
        config, count = self.config, tokens.shape[1]
        rope = rope_angles(config.rotary_width, config.rope_theta, start, count, hidden.device)
        for layer in self.layers:
            if self.recomputes and cache is None and torch.is_grad_enabled():
                hidden = checkpoint(layer, hidden, rope, cache, use_reentrant=False)
            else:
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

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """Logits [B, T, vocabulary] in float32 of token ids [B, T]; extends `cache` if given."""
        return self._logits(self.model(tokens, cache))

    def next_logits(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """Logits [B, vocabulary] of the token that follows `tokens` [B, T]; extends `cache`."""
        return self._logits(self.model(tokens, cache)[:, -1])

    def _logits(self, hidden: Tensor) -> Tensor:
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


def _attention(config: ModelConfig, layer: int) -> nn.Module:
    if isinstance(config, LlamaConfig):
        return GroupedAttention(config, layer)
    assert isinstance(config, MlaConfig)
    return LatentAttention(config, layer)
