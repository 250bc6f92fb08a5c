"""A run's file, `run.toml`: one frozen tree, checked before anything is sent.

`load` reads it, `dump` writes it, `chain_fields` and its neighbours hand the parts on as plain
values: to the program's configuration, to the model, to the update rule and to its schedule.
"""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
from psyche_client._sums import check

__all__ = [
    "Config",
    "ConfigError",
    "Data",
    "Model",
    "Phases",
    "Rounds",
    "Run",
    "Schedule",
    "Training",
    "Update",
    "Verification",
    "Witness",
    "chain_fields",
    "dump",
    "load",
    "model_fields",
    "parse",
]

DAY_SECONDS = 86_400
STEPS_MAX = 1 << 31
DIMENSION_MAX = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Who may take part."""

    id: str = text(r"[a-z0-9-]{1,32}", "1 to 32 characters of a-z, 0-9 and -")
    capacity: int = whole(8, 1_024, "slots (a multiple of 8)", 8)
    init_min_members: int = whole(1, 1_024, "members that start an epoch", 3)
    min_members: int = whole(1, 1_024, "members without whom an epoch ends", 2)
    admit_anytime: bool = yes_no(True)
    misses_max: int = whole(1, 255, "missed rounds in a row that drop a member", 3)
    share_percent_max: int = whole(1, 100, "per cent of a round for one trainer", 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """How long each phase lasts at most."""

    waiting_seconds: int = whole(2, DAY_SECONDS, "seconds", 10)
    warmup_seconds: int = whole(2, DAY_SECONDS, "seconds", 60)
    train_seconds: int = whole(2, DAY_SECONDS, "seconds", 30)
    grace_seconds: int = whole(2, DAY_SECONDS, "seconds", 5)
    witness_seconds: int = whole(2, DAY_SECONDS, "seconds", 15)
    cooldown_seconds: int = whole(2, DAY_SECONDS, "seconds", 60)
    ready_seconds: int = whole(2, 30 * DAY_SECONDS, "seconds", 120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How the run is divided."""

    total_steps: int = whole(1, STEPS_MAX, "steps over the run's life")
    epoch_rounds: int = whole(1, STEPS_MAX, "rounds in an epoch", 100)
    snapshot_rounds: int = whole(1, STEPS_MAX, "rounds from one snapshot to the next", 20)
    overlap: int = whole(0, 1, "rounds that a payload may lag behind", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is trained: a preset, or a preset with some of its dimensions changed (0 keeps it)."""

    preset: str = choice("demo", "tiny", "small", "medium", "40b")
    init_seed: int = whole(0, (1 << 63) - 1, "(any seed)", 0)
    hidden_size: int = whole(0, DIMENSION_MAX, "numbers in a hidden state", 0)
    intermediate_size: int = whole(0, DIMENSION_MAX, "numbers in the feed-forward layer", 0)
    num_hidden_layers: int = whole(0, 1_024, "layers", 0)
    num_attention_heads: int = whole(0, DIMENSION_MAX, "heads", 0)
    q_lora_rank: int = whole(0, DIMENSION_MAX, "numbers in a query's latent", 0)
    kv_lora_rank: int = whole(0, DIMENSION_MAX, "numbers in the cached latent", 0)
    qk_nope_head_dim: int = whole(0, DIMENSION_MAX, "numbers of a head without position", 0)
    qk_rope_head_dim: int = whole(0, DIMENSION_MAX, "numbers of a head with position", 0)
    v_head_dim: int = whole(0, DIMENSION_MAX, "numbers in a value head", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """How gradients become payloads, and payloads an update."""

    topk: int = whole(1, 4_096, "coefficients sent of each 4,096", 32)
    beta: float = real(0.0, 0.9999, "decay of the momentum a round", 0.95)
    vote_cap: int = whole(1, 1_024, "votes that count for one coefficient", 1)
    weight_decay: float = real(0.0, 1.0, "weight decay", 0.1)
    gradient_norm_max: float = real(0.0, 1e6, "largest gradient norm (0: no clipping)", 1.0)
    embedding_rows: bool = yes_no(False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The learning rate over the run."""

    kind: str = choice("warmup_stable_decay", "cosine", "linear", "constant")
    learning_rate: float = real(1e-9, 1.0, "the highest learning rate", 1e-3)
    final_percent: int = whole(0, 100, "per cent of the rate that remain at the end", 10)
    warmup_steps: int = whole(0, STEPS_MAX, "steps", 10)
    decay_steps: int = whole(0, STEPS_MAX, "last steps of the run", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What a round trains on, and how."""

    sequence_tokens: int = whole(8, 1 << 20, "tokens in a sequence", 128)
    batch_sequences_start: int = whole(1, 1 << 20, "sequences in the first round", 32)
    batch_sequences_end: int = whole(1, 1 << 20, "sequences in a round after the ramp", 32)
    batch_ramp_steps: int = whole(1, STEPS_MAX, "steps from the first size to the last", 1)
    model: Model = field(default_factory=Model)
    update: Update = field(default_factory=Update)
    schedule: Schedule = field(default_factory=Schedule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The text: where it is, how it becomes tokens, in what order they are trained."""

    source: str = text(r"[^\0\n]{1,256}", 'a folder of text files, or "python" for its library')
    vocabulary_tokens: int = whole(256, 1 << 20, "tokens in the vocabulary", 2_048)
    text_bytes_max: int = whole(1 << 10, 1 << 50, "bytes of text to take", 4_000_000)
    held_out_percent: int = whole(1, 50, "per cent of the files, kept for validation", 5)
    order_seed: int = whole(0, (1 << 63) - 1, "(any seed)", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Who checks that payloads can be had."""

    attestation: str = choice("exact")
    witness_count: int = whole(1, 32, "witnesses a round", 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Who checks that payloads are honest work."""

    verification_percent: int = whole(0, 100, "per cent of the members", 0)
    committee_size: int = whole(3, 64, "members of a committee", 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All of a run's file. `load` and `parse` return only trees whose sums fit."""

    run: Run = field(default_factory=Run)
    rounds: Rounds = field(default_factory=Rounds)
    phases: Phases = field(default_factory=Phases)
    training: Training = field(default_factory=Training)
    data: Data = field(default_factory=Data)
    witness: Witness = field(default_factory=Witness)
    verification: Verification = field(default_factory=Verification)


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
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is no TOML: {error}") from error
    config = read(Config, table, source=source)
    check(config, source=source)
    return config


def dump(config: Config) -> str:
    """TOML text of the whole tree, defaults included; `parse` of it gives an equal tree."""
    return write(config) + "\n"


def chain_fields(config: Config) -> dict[str, int | bool]:
    """What goes into the program's configuration, by the program's own names.

    The facts of the prepared data (`data_sequences`) and of the coded payload
    (`payload_bytes_max`) are not in the file; who creates the run adds them.
    """
    training = config.training
    return {
        "capacity": config.run.capacity,
        "init_min_members": config.run.init_min_members,
        "min_members": config.run.min_members,
        "admit_anytime": config.run.admit_anytime,
        "misses_max": config.run.misses_max,
        "share_percent_max": config.run.share_percent_max,
        **asdict(config.phases),
        **asdict(config.rounds),
        "sequence_tokens": training.sequence_tokens,
        "batch_sequences_start": training.batch_sequences_start,
        "batch_sequences_end": training.batch_sequences_end,
        "batch_ramp_steps": training.batch_ramp_steps,
        "attestation_kind": 0,
        "witness_count": config.witness.witness_count,
        "verification_percent": config.verification.verification_percent,
        "committee_size": config.verification.committee_size,
    }


def model_fields(config: Config) -> dict[str, Any]:
    """What the model's own configuration takes, by Hugging Face's names.

    Dimensions that the file leaves at 0 are the preset's; the vocabulary and the longest sequence
    follow from the data.
    """
    chosen = {k: v for k, v in asdict(config.training.model).items() if isinstance(v, int) and v}
    chosen.pop("init_seed", None)
    return chosen | {
        "vocab_size": config.data.vocabulary_tokens,
        "max_position_embeddings": config.training.sequence_tokens,
    }
