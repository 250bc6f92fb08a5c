"""Configurations: what is refused, and how they are read and written."""

from dataclasses import replace

import pytest

from psyche_client.model.config import LlamaConfig, MlaConfig, ModelConfig
from psyche_client.model.errors import ConfigError
from psyche_client.model.hf import config_from_hf, config_to_hf
from psyche_client.model.presets import PRESETS, preset

TINY = preset("tiny")


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS.keys())
def test_every_preset_survives_both_of_its_forms(config: ModelConfig) -> None:
    assert config_from_hf(config_to_hf(config)) == config
    assert type(config).from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("demo", 0.9e6, 1.3e6),
        ("small", 3e6, 5e6),
        ("medium", 8e6, 10e6),
        ("110m", 105e6, 115e6),
        ("330m", 320e6, 340e6),
        ("1b", 0.95e9, 1.15e9),
        ("7b", 6.8e9, 7.2e9),
        ("40b", 39.6e9, 40.4e9),
        ("llama-demo", 0.9e6, 1.3e6),
        ("llama-110m", 105e6, 115e6),
        ("llama-1b", 0.95e9, 1.15e9),
        ("llama-8b", 7.9e9, 8.1e9),
    ],
)
def test_presets_are_as_large_as_they_say(name: str, low: float, high: float) -> None:
    assert low <= preset(name).parameter_count() <= high


def test_an_unknown_key_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="hiden_size") as caught:
        MlaConfig.from_dict(TINY.to_dict() | {"hiden_size": 64})
    assert "`hidden_size`" in caught.value.hint
    with pytest.raises(ConfigError, match="rope_thetta"):
        config_from_hf(config_to_hf(TINY) | {"rope_thetta": 1.0})


def test_an_unknown_preset_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="demoo") as caught:
        preset("demoo")
    assert "`demo`" in caught.value.hint


def test_a_missing_dimension_is_named() -> None:
    values = {k: v for k, v in TINY.to_dict().items() if k != "kv_lora_rank"}
    with pytest.raises(ConfigError, match="kv_lora_rank"):
        MlaConfig.from_dict(values)


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
        MlaConfig.from_dict(TINY.to_dict() | {field: value})


@pytest.mark.parametrize(
    "change",
    [
        {"first_k_dense_replace": 1},
        {"hidden_act": "gelu"},
        {"attention_bias": True},
        {"rope_interleave": False},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0}},
        {"rope_parameters": 3},
        {"model_type": "mixtral"},
    ],
    ids=str,
)
def test_a_hugging_face_model_of_another_kind_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"config\.json") as caught:
        config_from_hf(config_to_hf(TINY) | change)
    assert caught.value.hint


def test_an_older_config_without_rope_parameters_is_read() -> None:
    values = config_to_hf(replace(TINY, rope_theta=777.0))
    del values["rope_parameters"]
    assert config_from_hf(values).rope_theta == 777.0


def test_whole_and_real_spellings_of_a_number_give_one_config() -> None:
    whole = MlaConfig.from_dict(TINY.to_dict() | {"rope_theta": 10_000})
    assert repr(whole) == repr(TINY)


LLAMA = preset("llama-demo")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"num_key_value_heads": 3}, "num_key_value_heads"),
        ({"head_dim": 31}, "head_dim"),
        ({"kv_lora_rank": 32}, "kv_lora_rank"),
    ],
    ids=str,
)
def test_a_llama_of_impossible_dimensions_is_refused(change: dict[str, int], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        LlamaConfig.from_dict(LLAMA.to_dict() | change)


def test_an_older_llama_has_a_key_head_for_each_head() -> None:
    values = config_to_hf(LLAMA)
    del values["num_key_value_heads"], values["head_dim"]
    assert config_from_hf(values) == replace(LLAMA, num_key_value_heads=4, head_dim=32)


def test_a_bias_in_the_mlp_is_refused() -> None:
    with pytest.raises(ConfigError, match="mlp_bias"):
        config_from_hf(config_to_hf(LLAMA) | {"mlp_bias": True})
