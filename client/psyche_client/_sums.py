"""Numbers of a run's file that are possible alone but not together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psyche_client._sections import ConfigError

if TYPE_CHECKING:
    from psyche_client.config import Config


def check(config: Config, *, source: str = "run.toml") -> None:
    """Refuses numbers that are possible alone but not together.

    Raises:
        ConfigError: with the two names and their values.
    """
    run, rounds, phases, training = config.run, config.rounds, config.phases, config.training
    schedule = training.schedule
    if run.capacity % 8:
        raise ConfigError(
            f"{source}: `run.capacity` must be a multiple of 8; it is {run.capacity}",
            f"write {run.capacity + -run.capacity % 8}",
        )
    pairs = (
        ("run.min_members", run.min_members, "run.init_min_members", run.init_min_members),
        ("run.init_min_members", run.init_min_members, "run.capacity", run.capacity),
        (
            "phases.grace_seconds",
            phases.grace_seconds,
            "phases.train_seconds",
            phases.train_seconds,
        ),
        (
            "training.batch_sequences_start",
            training.batch_sequences_start,
            "training.batch_sequences_end",
            training.batch_sequences_end,
        ),
        (
            "training.schedule.warmup_steps + decay_steps",
            schedule.warmup_steps + schedule.decay_steps,
            "rounds.total_steps",
            rounds.total_steps,
        ),
    )
    for low_name, low, high_name, high in pairs:
        if low > high:
            raise ConfigError(
                f"{source}: `{low_name}` ({low}) is above `{high_name}` ({high})",
                "lower the first or raise the second",
            )
    check_vocabulary(config, source=source)


def check_vocabulary(config: Config, *, source: str) -> None:
    """Refuses a vocabulary whose tokens would not fit the text (each needs some to be learnt from).

    Raises:
        ConfigError: with both numbers.
    """
    data, training = config.data, config.training
    if data.vocabulary_tokens > data.text_bytes_max // 4:
        raise ConfigError(
            f"{source}: `data.vocabulary_tokens` ({data.vocabulary_tokens}) is too many for "
            f"`data.text_bytes_max` ({data.text_bytes_max})",
            "take more text or fewer tokens",
        )
    need = training.batch_sequences_end * training.sequence_tokens
    if need > data.text_bytes_max:
        raise ConfigError(
            f"{source}: one round takes {need} tokens (`training.batch_sequences_end` * "
            f"`training.sequence_tokens`), more than `data.text_bytes_max` "
            f"({data.text_bytes_max}) can give",
            "take more text or a smaller batch",
        )
