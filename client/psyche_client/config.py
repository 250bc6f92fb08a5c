"""A run's file, `run.toml`: one frozen tree, checked before anything is sent.

`load` reads it, `dump` writes it; `chain_fields`, `model_config` and `update_fields` hand its parts
to the program, to the model and to the update rule. No torch and no numpy here.
"""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

from psyche_client._sections import (
    ConfigError,
    choice,
    read,
    real,
    text,
    whole,
    write,
    yes_no,
)
from psyche_client._sums import check, model_config
from psyche_client.model.presets import PRESETS

__all__ = [
    "Config",
    "ConfigError",
    "Data",
    "Model",
    "Phases",
    "Rewards",
    "Rounds",
    "Run",
    "Schedule",
    "Training",
    "Update",
    "Witness",
    "chain_fields",
    "dump",
    "load",
    "model_config",
    "parse",
    "seed_bytes",
    "update_fields",
]

SECONDS_MAX = 30 * 86_400
ROUNDS_MAX = 1_000_000
STEPS_MAX = (1 << 32) - 1
SEED_MAX = (1 << 63) - 1
RATE_BITS = 40
MICRO = 1_000_000
COMMITTEE_SIZE = 15
ATTESTATIONS = ("exact", "bloom")
"""By the program's number."""
FIXED = (
    "slash_points",
    "points_per_verdict",
    "verification_percent",
    "jaccard_min_permille",
    "hamming_max_permille",
    "manhattan_max_permille",
    "alignment_min_permille",
)
"""Fields of the program's configuration that this version fixes at 0."""
DIMENSION_MAX = 1 << 24
BOND_MAX = 1 << 48
POINTS_MAX = (1 << 32) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Who may take part."""

    id: str = text(r"[a-z0-9-]{1,32}", "1 to 32 characters of a-z, 0-9 and -")
    capacity: int = whole(8, 1_024, "slots, a multiple of 8", 8)
    init_min_members: int = whole(1, 1_024, "members that start an epoch", 3)
    min_members: int = whole(1, 1_024, "members without whom an epoch ends", 2)
    admit_anytime: bool = yes_no(True)
    misses_max: int = whole(1, 255, "missed rounds in a row that drop a member", 3)
    share_percent_max: int = whole(1, 100, "per cent of a round that one trainer gets at most", 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """How long each phase lasts at most."""

    waiting_seconds: int = whole(2, SECONDS_MAX, "seconds", 10)
    warmup_seconds: int = whole(2, SECONDS_MAX, "seconds", 60)
    train_seconds: int = whole(2, SECONDS_MAX, "seconds", 30)
    grace_seconds: int = whole(2, SECONDS_MAX, "seconds", 5)
    witness_seconds: int = whole(2, SECONDS_MAX, "seconds", 15)
    cooldown_seconds: int = whole(2, SECONDS_MAX, "seconds", 60)
    ready_seconds: int = whole(2, SECONDS_MAX, "seconds", 120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How the run is divided."""

    total_steps: int = whole(1, STEPS_MAX, "steps over the run's life")
    epoch_rounds: int = whole(1, ROUNDS_MAX, "rounds in an epoch", 100)
    snapshot_rounds: int = whole(0, ROUNDS_MAX, "rounds between snapshots, 0 for none", 20)
    overlap: int = whole(0, 1, "rounds that a payload may lag behind", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is trained: a preset, or a preset with some of its dimensions changed (0 keeps it)."""

    preset: str = choice("demo", *(name for name in PRESETS if name != "demo"))
    init_seed: int = whole(0, SEED_MAX, "any seed", 0)
    hidden_size: int = whole(0, DIMENSION_MAX, "numbers in a hidden state", 0)
    intermediate_size: int = whole(0, DIMENSION_MAX, "numbers in the feed-forward layer", 0)
    num_hidden_layers: int = whole(0, 1_024, "layers", 0)
    num_attention_heads: int = whole(0, DIMENSION_MAX, "heads", 0)
    num_key_value_heads: int = whole(0, DIMENSION_MAX, "heads of keys and values (llama)", 0)
    head_dim: int = whole(0, DIMENSION_MAX, "numbers of a head (llama)", 0)
    q_lora_rank: int = whole(0, DIMENSION_MAX, "numbers in a query's latent (mla)", 0)
    kv_lora_rank: int = whole(0, DIMENSION_MAX, "numbers in the cached latent (mla)", 0)
    qk_nope_head_dim: int = whole(0, DIMENSION_MAX, "numbers of a head without position (mla)", 0)
    qk_rope_head_dim: int = whole(0, DIMENSION_MAX, "numbers of a head with position (mla)", 0)
    v_head_dim: int = whole(0, DIMENSION_MAX, "numbers in a value head (mla)", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """How gradients become payloads, and payloads an update."""

    topk: int = whole(1, 4_096, "coefficients sent of each 4,096", 32)
    topk_end: int = whole(0, 4_096, "the same after the ramp, 0 for no change", 0)
    topk_ramp_steps: int = whole(0, STEPS_MAX, "steps from the first to the last", 0)
    group_topk_max: int = whole(0, 4_096, "sent of one 4,096 at most, 0 for all alike", 0)
    energy_target: float = real(1e-6, 1.0, "share of its energy that is enough for a group", 1.0)
    beta: float = real(0.0, 0.999999, "momentum kept from round to round", 0.95)
    rule: str = choice("sign", "mean")
    value_bits: int = whole(1, 12, "bits of a value sent, 1 for signs", 1)
    value_exponent: int = whole(-100, 100, "a value counts in 2 to this power; 0 for signs", 0)
    mean_gain: float = real(1e-6, 1024.0, "a mean moves parameters by so much of it", 1.0)
    vote_cap: int = whole(0, 1 << 15, "votes that count for one coefficient, 0 for all", 1)
    weight_decay: float = real(0.0, 1.0, "weight decay", 0.0)
    gradient_norm_max: float = real(0.0, 1e6, "largest gradient norm, 0 for any", 1.0)
    embeddings: str = choice("block", "row")
    local_steps: int = whole(1, 1 << 16, "AdamW steps of each trainer a round, 1 for a gradient", 1)
    local_learning_rate: float = real(0.0, 1.0, "their learning rate, 0 for the schedule's", 1e-3)
    local_state: str = choice("anew", "kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The learning rate over the run."""

    kind: str = choice("cosine", "linear", "wsd", "constant")
    learning_rate: float = real(1e-9, 1.0, "the highest learning rate", 1e-3)
    final_percent: int = whole(0, 100, "per cent of it at the end", 10)
    warmup_steps: int = whole(0, STEPS_MAX, "steps", 0)
    decay_steps: int = whole(0, STEPS_MAX, "steps at the end, for wsd alone", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What a round trains on, and how."""

    sequence_tokens: int = whole(8, 1 << 20, "tokens in a sequence", 128)
    batch_sequences_start: int = whole(1, 1 << 20, "sequences in the first round", 32)
    batch_sequences_end: int = whole(1, 1 << 20, "sequences in a round after the ramp", 32)
    batch_ramp_steps: int = whole(0, STEPS_MAX, "steps from the first size to the last", 0)
    model: Model = field(default_factory=Model)
    update: Update = field(default_factory=Update)
    schedule: Schedule = field(default_factory=Schedule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The text: where it is, how it becomes tokens, in what order they are trained."""

    source: str = text(r"[^\0\n]{1,256}", 'a folder of text files, or "python" for its library')
    vocabulary_tokens: int = whole(257, 1 << 20, "tokens in the vocabulary", 2_048)
    text_bytes_max: int = whole(1 << 10, 1 << 50, "bytes of text to take", 4_000_000)
    held_out_percent: int = whole(1, 50, "per cent of the files, kept for validation", 5)
    order_seed: int = whole(0, SEED_MAX, "any seed", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Who checks that payloads can be had."""

    attestation: str = choice(*ATTESTATIONS)
    bloom_false_positive_ppm: int = whole(1, 500_000, "false positives in a million", 10_000)
    witness_count: int = whole(1, 32, "witnesses a round", 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """What members deposit, and what they earn."""

    bond_lamports: int = whole(0, BOND_MAX, "lamports deposited while a member", 0)
    points_per_sequence: int = whole(0, POINTS_MAX, "points for an accepted sequence", 0)
    points_per_attestation: int = whole(0, POINTS_MAX, "points for an attestation", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All of a run's file. `load` and `parse` return only trees whose sums fit."""

    run: Run = field(default_factory=Run)
    rounds: Rounds = field(default_factory=Rounds)
    phases: Phases = field(default_factory=Phases)
    training: Training = field(default_factory=Training)
    data: Data = field(default_factory=Data)
    witness: Witness = field(default_factory=Witness)
    rewards: Rewards = field(default_factory=Rewards)


def load(path: Path) -> Config:
    """Reads and checks a run's file.

    Raises:
        ConfigError: it cannot be read, is no TOML, or says what cannot be.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(
            f"cannot read {path}: {reason}", "name a run's file, such as `run.toml`"
        ) from error
    return parse(content, source=path.name)


def parse(content: str, *, source: str = "run.toml") -> Config:
    """Reads and checks the text of a run's file.

    Raises:
        ConfigError: it is no TOML, or says what cannot be.
    """
    try:
        table = tomllib.loads(content)
    except (ValueError, RecursionError) as error:  # beside its own: numbers and nests too long
        raise ConfigError(
            f"{source} is no TOML: {error}", "write [section] and key = value, text in quotes"
        ) from error
    config = read(Config, table, source=source)
    check(config, source=source)
    return config


def dump(config: Config) -> str:
    """TOML text of the whole tree, defaults included; `parse` of it gives an equal tree."""
    return write(config) + "\n"


def chain_fields(config: Config) -> dict[str, int | bytes]:
    """The program's `RunConfig`, by its own names, but for two.

    `data_sequences` follows from the prepared data and `payload_bytes_max` from the model and the
    update rule; who creates the run adds them. What this version of the program fixes is 0 here.
    """
    training = config.training
    return {
        **dict.fromkeys(FIXED, 0),
        **asdict(config.phases),
        **asdict(config.rounds),
        **asdict(config.rewards),
        "init_min_members": config.run.init_min_members,
        "min_members": config.run.min_members,
        "admit_anytime": int(config.run.admit_anytime),
        "misses_max": config.run.misses_max,
        "share_percent_max": config.run.share_percent_max,
        "sequence_tokens": training.sequence_tokens,
        "batch_sequences_start": training.batch_sequences_start,
        "batch_sequences_end": training.batch_sequences_end,
        "batch_ramp_steps": training.batch_ramp_steps,
        "data_seed": seed_bytes(config.data.order_seed),
        "witness_count": config.witness.witness_count,
        "committee_size": COMMITTEE_SIZE,
        "attestation_kind": ATTESTATIONS.index(config.witness.attestation),
        "bloom_false_positive_ppm": config.witness.bloom_false_positive_ppm,
    }


def update_fields(config: Config) -> dict[str, object]:
    """The value that the update rule is read from: whole numbers only, its schedule included."""
    update, schedule = config.training.update, config.training.schedule
    peak = _rate_units(schedule.learning_rate)
    constant = schedule.kind == "constant"
    return {
        "beta_micro": _micro(update.beta),
        "topk": update.topk,
        "topk_end": update.topk_end,
        "topk_ramp_steps": update.topk_ramp_steps,
        "group_topk_max": update.group_topk_max,
        "energy_micro": _micro(update.energy_target),
        "update": update.rule,
        "value_bits": update.value_bits,
        "value_exponent": update.value_exponent,
        "gain_micro": _micro(update.mean_gain),
        "vote_cap": update.vote_cap,
        "clip_micro": _micro(update.gradient_norm_max),
        "weight_decay_micro": _micro(update.weight_decay),
        "local_steps": update.local_steps,
        "local_rate": _rate_units(update.local_learning_rate),
        "local_state": update.local_state,
        "embeddings": update.embeddings,
        "schedule": {
            "kind": schedule.kind,
            "peak": peak,
            "final": 0 if constant else peak * schedule.final_percent // 100,
            "warmup_steps": schedule.warmup_steps,
            "total_steps": 0 if constant else config.rounds.total_steps,
            "decay_steps": schedule.decay_steps,
        },
    }


def seed_bytes(seed: int) -> bytes:
    """The 32 bytes that a seed of the file stands for: sha256 of it as a u64."""
    return sha256(seed.to_bytes(8, "little")).digest()


def _micro(value: float) -> int:
    return round(Fraction(repr(value)) * MICRO)


def _rate_units(value: float) -> int:
    """A learning rate in units of 2^-40; from its decimal text, as a person wrote it."""
    return round(Fraction(repr(value)) * (1 << RATE_BITS))
