"""Configurations: what is refused, and how they are read and written."""

from dataclasses import replace

import pytest

from psyche_client.model.config import ModelConfig
from psyche_client.model.errors import ConfigError
from psyche_client.model.presets import PRESETS, preset

TINY = preset("tiny")


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS.keys())
def test_every_preset_survives_both_of_its_forms(config: ModelConfig) -> None:
    assert ModelConfig.from_hf(config.to_hf()) == config
    assert ModelConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("demo", 0.9e6, 1.3e6),
        ("small", 3e6, 5e6),
        ("medium", 8e6, 10e6),
        ("40b", 39.6e9, 40.4e9),
    ],
)
def test_presets_are_as_large_as_they_say(name: str, low: float, high: float) -> None:
    assert low <= preset(name).parameter_count() <= high


def test_an_unknown_key_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="hiden_size") as caught:
        ModelConfig.from_dict(TINY.to_dict() | {"hiden_size": 64})
    assert "`hidden_size`" in caught.value.hint
    with pytest.raises(ConfigError, match="rope_thetta"):
        ModelConfig.from_hf(TINY.to_hf() | {"rope_thetta": 1.0})


def test_an_unknown_preset_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="demoo") as caught:
        preset("demoo")
    assert "`demo`" in caught.value.hint


def test_a_missing_dimension_is_named() -> None:
    values = {k: v for k, v in TINY.to_dict().items() if k != "kv_lora_rank"}
    with pytest.raises(ConfigError, match="kv_lora_rank"):
        ModelConfig.from_dict(values)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_size", 0),
        ("hidden_size", "64"),
        ("num_hidden_layers", True),
        ("num_hidden_layers", 1 << 20),
        ("vocab_size", 1 << 40),
        ("qk_rope_head_dim", 15),
        ("rms_norm_eps", 0.0),
        ("rms_norm_eps", float("nan")),
        ("rope_theta", float("inf")),
        ("rope_theta", "10000"),
        ("tie_word_embeddings", 1),
        ("eos_token_id", 512),
        ("q_lora_rank", 0),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_name(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        ModelConfig.from_dict(TINY.to_dict() | {field: value})


@pytest.mark.parametrize(
    "change",
    [
        {"first_k_dense_replace": 1},
        {"hidden_act": "gelu"},
        {"attention_bias": True},
        {"rope_interleave": False},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0}},
        {"rope_parameters": 3},
        {"model_type": "llama"},
    ],
    ids=str,
)
def test_a_hugging_face_model_of_another_kind_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"config\.json"):
        ModelConfig.from_hf(TINY.to_hf() | change)


def test_an_older_config_without_rope_parameters_is_read() -> None:
    values = replace(TINY, rope_theta=777.0).to_hf()
    del values["rope_parameters"]
    assert ModelConfig.from_hf(values).rope_theta == 777.0


def test_whole_and_real_spellings_of_a_number_give_one_config() -> None:
    whole = ModelConfig.from_dict(TINY.to_dict() | {"rope_theta": 10_000})
    assert repr(whole) == repr(TINY)
