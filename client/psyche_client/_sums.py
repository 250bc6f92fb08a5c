"""Numbers of a run's file that are possible alone but not together."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from psyche_client._sections import ConfigError
from psyche_client.model.config import ModelConfig
from psyche_client.model.errors import ModelError
from psyche_client.model.presets import preset

if TYPE_CHECKING:
    from psyche_client.config import Config, Update

MEAN_EXPONENT_MAX = 64
"""As the rule has it, which this module would need numpy to read."""
COEFFICIENTS_MAX = 1_024 * 32
"""What a client may have to receive in a round, coefficients for each 4,096 of the model: some two
dense float32 gradients, however many members a run has."""


def check(config: Config, *, source: str = "run.toml") -> None:
    """Refuses numbers that are possible alone but not together.

    Raises:
        ConfigError: with the two names and their values.
    """
    run, rounds, phases, training = config.run, config.rounds, config.phases, config.training
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
    )
    for low_name, low, high_name, high in pairs:
        if low > high:
            raise ConfigError(
                f"{source}: `{low_name}` ({low}) is above `{high_name}` ({high})",
                "lower the first or raise the second",
            )
    if rounds.snapshot_rounds == 1:
        raise ConfigError(
            f"{source}: `rounds.snapshot_rounds` is 1, which leaves no time for the vote",
            "write 0 for none, or at least 2",
        )
    _check_budget(config, source=source)
    _check_values(config, source=source)
    _check_filter(config, source=source)
    _check_schedule(config, source=source)
    check_vocabulary(config, source=source)
    model_config(config, source=source)


def model_config(config: Config, *, source: str = "run.toml") -> ModelConfig:
    """The model that the file describes.

    Dimensions that the file leaves at 0 are the preset's; the vocabulary and the longest sequence
    follow from the data.

    Raises:
        ConfigError: no model has these dimensions.
    """
    model = asdict(config.training.model)
    name = model.pop("preset")
    model.pop("init_seed")
    base, changed = preset(name), {key: size for key, size in model.items() if size}
    for key in changed:
        if not hasattr(base, key):
            raise ConfigError(
                f"{source}: `training.model.{key}` is no dimension of `{name}`, "
                f"a model of kind {base.kind}",
                "remove it, or name a preset of another kind",
            )
    try:
        return replace(
            base,
            **changed,
            vocab_size=config.data.vocabulary_tokens,
            max_position_embeddings=config.training.sequence_tokens,
        )
    except ModelError as error:
        raise ConfigError(f"{source}: training.model: {error}", error.hint) from error


def _check_budget(config: Config, *, source: str) -> None:
    update, capacity = config.training.update, config.run.capacity
    name = "topk_end" if update.topk_end > update.topk else "topk"
    topk = getattr(update, name)
    if topk * capacity > COEFFICIENTS_MAX:
        raise ConfigError(
            f"{source}: `training.update.{name}` ({topk}) * `run.capacity` ({capacity}) is above "
            f"{COEFFICIENTS_MAX}: so many coefficients of each 4,096 would come in every round",
            f"write a `training.update.{name}` of at most {COEFFICIENTS_MAX // capacity}",
        )
    if (update.topk_end > 0) != (update.topk_ramp_steps > 0):
        raise ConfigError(
            f"{source}: `training.update.topk_end` is {update.topk_end} with `topk_ramp_steps` "
            f"{update.topk_ramp_steps}",
            "write both, or neither",
        )
    if 0 < update.group_topk_max < topk:
        raise ConfigError(
            f"{source}: `training.update.group_topk_max` ({update.group_topk_max}) is below "
            f"`{name}` ({topk})",
            "raise it, or write 0",
        )


def _check_values(config: Config, *, source: str) -> None:
    update, path = config.training.update, "training.update"
    if update.rule == "mean":
        _check_mean(update, f"{source}: `{path}")
    elif update.value_bits == 1 and update.value_exponent:
        raise ConfigError(
            f"{source}: `{path}.value_exponent` is {update.value_exponent} with `value_bits` 1",
            'signs have no unit: write 0, or more bits, or `rule = "mean"`',
        )
    elif update.mean_gain != 1.0:
        raise ConfigError(
            f'{source}: `{path}.mean_gain` is {update.mean_gain:g} with `rule` "sign"',
            "signs move by the learning rate: write 1.0",
        )
    if update.local_state == "kept" and update.rule == "sign" and update.local_steps == 1:
        raise ConfigError(
            f'{source}: `{path}.local_state` is "kept" without local steps',
            'write "anew", or more `local_steps`',
        )
    least = 1 << (update.value_bits - 1)
    if 0 < update.vote_cap < least:
        raise ConfigError(
            f"{source}: `{path}.vote_cap` ({update.vote_cap}) would cut single values of "
            f"`value_bits` ({update.value_bits})",
            f"write 0, or {least} at least",
        )


def _check_mean(update: Update, where: str) -> None:
    if abs(update.value_exponent) > MEAN_EXPONENT_MAX:
        raise ConfigError(
            f'{where}.value_exponent` is {update.value_exponent} with `rule` "mean"',
            f"write one from {-MEAN_EXPONENT_MAX} to {MEAN_EXPONENT_MAX}",
        )


def _check_filter(config: Config, *, source: str) -> None:
    from psyche_sdk._rules.bloom import BLOOM_BYTES_MAX, Form  # noqa: PLC0415 - only this sum needs it

    witness, capacity = config.witness, config.run.capacity
    size = Form.of(capacity, witness.bloom_false_positive_ppm).bytes
    if witness.attestation == "bloom" and size > BLOOM_BYTES_MAX:
        raise ConfigError(
            f"{source}: with `witness.bloom_false_positive_ppm` "
            f"({witness.bloom_false_positive_ppm}) and `run.capacity` ({capacity}) an attestation "
            f"has {size} bytes, more than the {BLOOM_BYTES_MAX} that a transaction takes",
            'raise the first, or write `witness.attestation = "exact"`',
        )


def _check_schedule(config: Config, *, source: str) -> None:
    schedule, total = config.training.schedule, config.rounds.total_steps
    path = "training.schedule"
    if (schedule.kind == "wsd") != (schedule.decay_steps > 0):
        raise ConfigError(
            f"{source}: `{path}.decay_steps` is {schedule.decay_steps} with "
            f'`{path}.kind` = "{schedule.kind}"',
            'kind "wsd" needs it, the others take none',
        )
    if schedule.kind != "constant" and schedule.warmup_steps + schedule.decay_steps >= total:
        raise ConfigError(
            f"{source}: `{path}.warmup_steps` ({schedule.warmup_steps}) and `decay_steps` "
            f"({schedule.decay_steps}) leave no step of `rounds.total_steps` ({total})",
            "lower them or raise the total",
        )


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
