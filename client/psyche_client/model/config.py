"""Shape of a model: which kind it is and its dimensions, with the names of Hugging Face.

Two kinds: DeepSeek-V3's dense form with multi-head latent attention, and Llama's form beside it
for comparison. They differ in attention alone. No torch here: names and shapes of all parameters
follow from the configuration.
"""

import difflib
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, ClassVar, Final, Self

from .errors import ConfigError

Shapes = Iterator[tuple[str, tuple[int, ...]]]
#: Above any model we can name; keeps sums of hostile numbers small.
_DIMENSION_MAX: Final = 1 << 24
_LAYERS_MAX: Final = 1024
_REAL: Final = ("rope_theta", "rms_norm_eps", "initializer_range")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """What both kinds have; make an `MlaConfig` or a `LlamaConfig`. Checked when made.

    All sizes are counts of elements.
    """

    #: The name of the kind in model.json's `architecture`.
    kind: ClassVar[str] = ""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int = 512
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-6
    initializer_range: float = 0.02
    tie_word_embeddings: bool = False
    eos_token_id: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be built, naming the field."""
        for field in fields(self):
            _check_field(self, field.name, getattr(self, field.name))
        if self.eos_token_id >= self.vocab_size:
            raise ConfigError(f"eos_token_id {self.eos_token_id} is outside the vocabulary")
        self._check_kind()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from a plain mapping of field names; an unknown or missing one is a ConfigError."""
        known = {field.name: field.default is MISSING for field in fields(cls)}
        refuse_unknown(values, known, "model")
        missing = [name for name, needed in known.items() if needed and name not in values]
        if missing:
            raise ConfigError(
                f"model lacks {', '.join(missing)}",
                hint="write all of the model's dimensions, or name a preset",
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """All fields by name; `from_dict` of it gives an equal configuration."""
        return asdict(self)

    @property
    def rotary_width(self) -> int:
        """Numbers of a head that turn with the position; even."""
        raise NotImplementedError

    @property
    def cache_elements(self) -> int:
        """Numbers that decoding keeps of each token in each layer."""
        raise NotImplementedError

    def attention_shapes(self) -> Shapes:
        """Name and shape of each weight of one layer's attention."""
        raise NotImplementedError

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, by Hugging Face's names, in the order of the names."""
        return dict(sorted(_shapes(self)))

    def parameter_count(self) -> int:
        """How many numbers the model has; a tied output head counts once."""
        return sum(math.prod(shape) for shape in self.parameter_shapes().values())

    def _check_kind(self) -> None:
        """Refuse dimensions that contradict each other in this kind."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class MlaConfig(ModelConfig):
    """Multi-head latent attention; `q_lora_rank` None means queries without compression."""

    kind: ClassVar[str] = "mla"

    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int
    q_lora_rank: int | None = None

    @property
    def rotary_width(self) -> int:
        """The part of a query or key head that turns with the position."""
        return self.qk_rope_head_dim

    @property
    def qk_head_dim(self) -> int:
        """Width of a query or key head: the part without positions and the part with."""
        return self.qk_nope_head_dim + self.qk_rope_head_dim

    @property
    def cache_elements(self) -> int:
        """One latent and one rotated key, whatever the number of heads."""
        return self.kv_lora_rank + self.qk_rope_head_dim

    def attention_shapes(self) -> Shapes:
        """Queries, the latent and its expansion, the output."""
        hidden, heads = self.hidden_size, self.num_attention_heads
        queries = heads * self.qk_head_dim
        if self.q_lora_rank is None:
            yield "q_proj", (queries, hidden)
        else:
            yield "q_a_proj", (self.q_lora_rank, hidden)
            yield "q_a_layernorm", (self.q_lora_rank,)
            yield "q_b_proj", (queries, self.q_lora_rank)
        latent = self.kv_lora_rank
        yield "kv_a_proj_with_mqa", (latent + self.qk_rope_head_dim, hidden)
        yield "kv_a_layernorm", (latent,)
        yield "kv_b_proj", (heads * (self.qk_nope_head_dim + self.v_head_dim), latent)
        yield "o_proj", (hidden, heads * self.v_head_dim)

    def _check_kind(self) -> None:
        _check_even("qk_rope_head_dim", self.qk_rope_head_dim)


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaConfig(ModelConfig):
    """Attention whose query heads share `num_key_value_heads` keys and values, in equal parts."""

    kind: ClassVar[str] = "llama"

    num_key_value_heads: int
    head_dim: int

    @property
    def rotary_width(self) -> int:
        """The whole head turns with the position."""
        return self.head_dim

    @property
    def cache_elements(self) -> int:
        """A key and a value for each of their heads."""
        return 2 * self.num_key_value_heads * self.head_dim

    def attention_shapes(self) -> Shapes:
        """Queries, keys, values, the output."""
        queries = self.num_attention_heads * self.head_dim
        shared = self.num_key_value_heads * self.head_dim
        yield "q_proj", (queries, self.hidden_size)
        yield "k_proj", (shared, self.hidden_size)
        yield "v_proj", (shared, self.hidden_size)
        yield "o_proj", (self.hidden_size, queries)

    def _check_kind(self) -> None:
        _check_even("head_dim", self.head_dim)
        if self.num_attention_heads % self.num_key_value_heads:
            raise ConfigError(
                f"num_key_value_heads ({self.num_key_value_heads}) must divide "
                f"num_attention_heads ({self.num_attention_heads})"
            )


KINDS: Final[dict[str, type[ModelConfig]]] = {kind.kind: kind for kind in (MlaConfig, LlamaConfig)}


def refuse_unknown(values: Mapping[str, object], known: Collection[str], where: str) -> None:
    """Raise ConfigError for the first key of `values` outside `known`, with the nearest name."""
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean `{close[0]}`?" if close else ""
            raise ConfigError(f"{where}: unknown key `{key}`", hint=hint)


def _shapes(config: ModelConfig) -> Shapes:
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
        for name, shape in config.attention_shapes():
            yield f"{prefix}.self_attn.{name}.weight", shape


def _check_field(config: ModelConfig, name: str, value: object) -> None:
    if name == "tie_word_embeddings":
        if not isinstance(value, bool):
            raise ConfigError(f"{name} must be true or false, not {value!r}")
    elif name in _REAL:
        _check_real(config, name, value)
    elif not (name == "q_lora_rank" and value is None):
        _check_whole(name, value)


def _check_even(name: str, value: int) -> None:
    if value % 2:
        raise ConfigError(f"{name} must be even, not {value}", hint="rotation takes pairs")


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
