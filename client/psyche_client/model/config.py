"""Shape of a model: DeepSeek-V3's dense form, with the names of Hugging Face's `config.json`.

No torch here: names and shapes of all parameters follow from the configuration alone.
"""

import difflib
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from .errors import ConfigError

#: Keys of Hugging Face's file that we can only honour at one value; None stands for "any".
_FIXED_HF: Final[dict[str, tuple[object, ...]]] = {
    "model_type": ("deepseek_v3",),
    "hidden_act": ("silu",),
    "attention_bias": (False,),
    "attention_dropout": (0, 0.0),
    "rope_interleave": (True, None),
    "rope_scaling": (None,),
    "quantization_config": (None,),
}
#: Keys that say nothing about a dense model's forward pass (mixture of experts, generation, files).
# fmt: off
_IGNORED_HF: Final = frozenset((
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
_OWN_HF: Final = frozenset({"rope_theta", "rope_parameters", "first_k_dense_replace"})
#: Above any model we can name; keeps sums of hostile numbers small.
_DIMENSION_MAX: Final = 1 << 24
_LAYERS_MAX: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Dimensions of one dense multi-head-latent-attention model; checked when made.

    All sizes are counts of elements. `q_lora_rank` None means queries without compression.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int
    q_lora_rank: int | None = None
    max_position_embeddings: int = 512
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-6
    initializer_range: float = 0.02
    tie_word_embeddings: bool = False
    eos_token_id: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be built, naming the field."""
        _check(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from a plain mapping of field names; an unknown or missing one is a ConfigError."""
        known = [field.name for field in fields(cls)]
        refuse_unknown(values, known, "model")
        missing = [name for name in known[: known.index("q_lora_rank")] if name not in values]
        if missing:
            raise ConfigError(
                f"model lacks {', '.join(missing)}",
                hint="write all of the model's dimensions, or name a preset",
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """All fields by name; `from_dict` of it gives an equal configuration."""
        return asdict(self)

    @classmethod
    def from_hf(cls, values: Mapping[str, Any]) -> Self:
        """Read a Hugging Face `config.json` of DeepSeek-V3 whose layers are all dense."""
        own = [field.name for field in fields(cls)]
        refuse_unknown(values, {*own, *_FIXED_HF, *_IGNORED_HF, *_OWN_HF}, "config.json")
        for key, allowed in _FIXED_HF.items():
            if key in values and values[key] not in allowed:
                raise ConfigError(f"config.json: {key} = {values[key]!r} is not supported")
        picked = {name: values[name] for name in own if name in values}
        picked["rope_theta"] = _rope_theta(values)
        if isinstance(picked.get("eos_token_id"), list):
            picked["eos_token_id"] = next(iter(picked["eos_token_id"]), 0)
        if picked.get("eos_token_id") is None:
            picked.pop("eos_token_id", None)
        config = cls.from_dict(picked)
        dense = values.get("first_k_dense_replace", 3)
        if not isinstance(dense, int) or dense < config.num_hidden_layers:
            raise ConfigError(
                "config.json: first_k_dense_replace leaves layers with experts",
                hint="only models whose layers are all dense can be read",
            )
        return config

    def to_hf(self) -> dict[str, Any]:
        """The `config.json` with which transformers' DeepseekV3ForCausalLM opens our parameters."""
        values = self.to_dict()
        rope_theta = values["rope_theta"]
        return values | {
            "architectures": ["DeepseekV3ForCausalLM"],
            "model_type": "deepseek_v3",
            "first_k_dense_replace": self.num_hidden_layers,
            "num_key_value_heads": self.num_attention_heads,
            "num_nextn_predict_layers": 0,
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "rope_interleave": True,
            "rope_scaling": None,
            "rope_parameters": {"rope_type": "default", "rope_theta": rope_theta},
            "bos_token_id": self.eos_token_id,
            "torch_dtype": "float32",
        }

    @property
    def qk_head_dim(self) -> int:
        """Width of a query or key head: the part without positions and the part with."""
        return self.qk_nope_head_dim + self.qk_rope_head_dim

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, by Hugging Face's names, in the order of the names."""
        return dict(sorted(_shapes(self)))

    def parameter_count(self) -> int:
        """How many numbers the model has; a tied output head counts once."""
        return sum(math.prod(shape) for shape in self.parameter_shapes().values())


def refuse_unknown(values: Mapping[str, object], known: Collection[str], where: str) -> None:
    """Raise ConfigError for the first key of `values` outside `known`, with the nearest name."""
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean `{close[0]}`?" if close else ""
            raise ConfigError(f"{where}: unknown key `{key}`", hint=hint)


def _rope_theta(values: Mapping[str, Any]) -> float:
    rope = values.get("rope_parameters")
    if rope is None:
        return values.get("rope_theta", 10_000.0)  # type: ignore[no-any-return]  # checked by _check
    if not isinstance(rope, Mapping) or rope.get("rope_type", "default") != "default":
        raise ConfigError("config.json: only the default kind of rotary embedding is supported")
    return rope.get("rope_theta", values.get("rope_theta", 10_000.0))  # type: ignore[no-any-return]  # as above


def _shapes(config: ModelConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, inner = config.hidden_size, config.intermediate_size
    yield "model.embed_tokens.weight", (config.vocab_size, hidden)
    yield "model.norm.weight", (hidden,)
    if not config.tie_word_embeddings:
        yield "lm_head.weight", (config.vocab_size, hidden)
    for layer in range(config.num_hidden_layers):
        prefix = f"model.layers.{layer}"
        yield f"{prefix}.input_layernorm.weight", (hidden,)
        yield f"{prefix}.post_attention_layernorm.weight", (hidden,)
        yield f"{prefix}.mlp.gate_proj.weight", (inner, hidden)
        yield f"{prefix}.mlp.up_proj.weight", (inner, hidden)
        yield f"{prefix}.mlp.down_proj.weight", (hidden, inner)
        for name, shape in _attention_shapes(config):
            yield f"{prefix}.self_attn.{name}.weight", shape


def _attention_shapes(config: ModelConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, heads = config.hidden_size, config.num_attention_heads
    queries = heads * config.qk_head_dim
    if config.q_lora_rank is None:
        yield "q_proj", (queries, hidden)
    else:
        yield "q_a_proj", (config.q_lora_rank, hidden)
        yield "q_a_layernorm", (config.q_lora_rank,)
        yield "q_b_proj", (queries, config.q_lora_rank)
    latent = config.kv_lora_rank
    yield "kv_a_proj_with_mqa", (latent + config.qk_rope_head_dim, hidden)
    yield "kv_a_layernorm", (latent,)
    yield "kv_b_proj", (heads * (config.qk_nope_head_dim + config.v_head_dim), latent)
    yield "o_proj", (hidden, heads * config.v_head_dim)


def _check(config: ModelConfig) -> None:
    for field in fields(config):
        name, value = field.name, getattr(config, field.name)
        if name == "tie_word_embeddings":
            if not isinstance(value, bool):
                raise ConfigError(f"{name} must be true or false, not {value!r}")
        elif name in ("rope_theta", "rms_norm_eps", "initializer_range"):
            _check_real(config, name, value)
        elif not (name == "q_lora_rank" and value is None):
            _check_whole(name, value)
    if config.qk_rope_head_dim % 2:
        raise ConfigError(f"qk_rope_head_dim must be even, not {config.qk_rope_head_dim}")
    if config.eos_token_id >= config.vocab_size:
        raise ConfigError(f"eos_token_id {config.eos_token_id} is outside the vocabulary")


def _check_real(config: ModelConfig, name: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < float(value) < math.inf:  # type: ignore[arg-type]  # a number by then
        raise ConfigError(f"{name} must be a positive number, not {value!r}")
    # 10000 and 10000.0 must give the same model.json, hence the same hash.
    object.__setattr__(config, name, float(value))  # type: ignore[arg-type]  # a number by then


def _check_whole(name: str, value: object) -> None:
    low = 0 if name == "eos_token_id" else 1
    high = _LAYERS_MAX if name == "num_hidden_layers" else _DIMENSION_MAX
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
