"""Hugging Face's `config.json`: how transformers names our two kinds of model."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from .config import LlamaConfig, MlaConfig, ModelConfig, refuse_unknown
from .errors import ConfigError

#: Keys that we can only honour at one value; None stands for "any".
_FIXED: Final[dict[str, tuple[object, ...]]] = {
    "hidden_act": ("silu",),
    "attention_bias": (False,),
    "attention_dropout": (0, 0.0),
    "mlp_bias": (False,),
    "rope_interleave": (True, None),
    "rope_scaling": (None,),
    "quantization_config": (None,),
}
#: Keys that say nothing about a dense model's forward pass (mixture of experts, generation, files).
# fmt: off
_IGNORED: Final = frozenset((
    "architectures", "auto_map", "aux_loss_alpha", "bos_token_id", "chunk_size_feed_forward",
    "dtype", "ep_size", "head_dim", "id2label", "initializer_range", "is_encoder_decoder",
    "label2id", "moe_intermediate_size", "moe_layer_freq", "n_group", "n_routed_experts",
    "n_shared_experts", "norm_topk_prob", "num_experts_per_tok", "num_key_value_heads",
    "num_mtp_layers", "num_nextn_predict_layers", "output_attentions", "output_hidden_states",
    "output_router_logits", "pad_token_id", "pretraining_tp", "problem_type", "qk_head_dim",
    "return_dict", "routed_scaling_factor", "scoring_func", "seq_aux", "topk_group",
    "topk_method", "torch_dtype", "transformers_version", "use_cache", "_name_or_path",
))
# fmt: on
_OWN: Final = frozenset({"model_type", "rope_theta", "rope_parameters", "first_k_dense_replace"})
_TYPES: Final[dict[str, type[ModelConfig]]] = {"deepseek_v3": MlaConfig, "llama": LlamaConfig}
_CLASSES: Final = {"mla": "DeepseekV3ForCausalLM", "llama": "LlamaForCausalLM"}


def config_from_hf(values: Mapping[str, Any]) -> ModelConfig:
    """The configuration that a `config.json` of DeepSeek-V3 (all dense) or Llama describes.

    Raises:
        ConfigError: it is another model's, or says something that changes what is computed.
    """
    cls = _TYPES.get(str(values.get("model_type")))
    if cls is None:
        raise ConfigError(
            f"config.json: model_type = {values.get('model_type')!r} is not supported",
            hint=f"one of {', '.join(_TYPES)}",
        )
    own = [field.name for field in fields(cls)]
    refuse_unknown(values, {*own, *_FIXED, *_IGNORED, *_OWN}, "config.json")
    for key, allowed in _FIXED.items():
        if key in values and values[key] not in allowed:
            raise ConfigError(
                f"config.json: {key} = {values[key]!r} is not supported",
                hint=f"only {' or '.join(map(repr, allowed))} is computed here",
            )
    picked = {name: values[name] for name in own if name in values}
    picked["rope_theta"] = _rope_theta(values)
    if isinstance(picked.get("eos_token_id"), list):
        picked["eos_token_id"] = next(iter(picked["eos_token_id"]), 0)
    if picked.get("eos_token_id") is None:
        picked.pop("eos_token_id", None)
    if cls is LlamaConfig:
        _fill_llama(picked)
    config = cls.from_dict(picked)
    dense = values.get("first_k_dense_replace", 3)
    if cls is MlaConfig and (not isinstance(dense, int) or dense < config.num_hidden_layers):
        raise ConfigError(
            "config.json: first_k_dense_replace leaves layers with experts",
            hint="only models whose layers are all dense can be read",
        )
    return config


def config_to_hf(config: ModelConfig) -> dict[str, Any]:
    """The `config.json` with which transformers opens our parameters."""
    values = config.to_dict()
    common = {
        "architectures": [_CLASSES[config.kind]],
        "model_type": next(name for name, cls in _TYPES.items() if cls.kind == config.kind),
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "rope_scaling": None,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "bos_token_id": config.eos_token_id,
        "torch_dtype": "float32",
    }
    if isinstance(config, LlamaConfig):
        return values | common | {"mlp_bias": False}
    return (
        values
        | common
        | {
            "first_k_dense_replace": config.num_hidden_layers,
            "num_key_value_heads": config.num_attention_heads,
            "num_nextn_predict_layers": 0,
            "rope_interleave": True,
        }
    )


def _fill_llama(picked: dict[str, Any]) -> None:
    """Older files leave out what follows from the rest: as many key heads as heads, their width."""
    heads, hidden = picked.get("num_attention_heads"), picked.get("hidden_size")
    if picked.get("num_key_value_heads") is None and heads is not None:
        picked["num_key_value_heads"] = heads
    if picked.get("head_dim") is None and isinstance(heads, int) and isinstance(hidden, int):
        picked["head_dim"] = hidden // max(1, heads)


def _rope_theta(values: Mapping[str, Any]) -> Any:
    """The base of the rotary embedding, wherever the file's age puts it; the config checks it."""
    rope = values.get("rope_parameters")
    if rope is None:
        return values.get("rope_theta", 10_000.0)
    if not isinstance(rope, Mapping) or rope.get("rope_type", "default") != "default":
        raise ConfigError(
            f"config.json: rope_parameters = {rope!r} is not supported",
            hint="only the default kind of rotary embedding is computed here",
        )
    return rope.get("rope_theta", values.get("rope_theta", 10_000.0))
