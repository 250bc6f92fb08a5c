"""run.toml: what is read, what is refused, and in which words."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from psyche_client import _sums
from psyche_client.config import (
    ConfigError,
    chain_fields,
    dump,
    load,
    model_config,
    parse,
    seed_bytes,
    update_fields,
)
from psyche_client.optim import UpdateRule, rate_units
from psyche_client.optim.rule import MEAN_EXPONENT_MAX

SMALLEST = """
[run]
id = "tiny"

[rounds]
total_steps = 40

[data]
source = "python"
"""


def with_line(section: str, line: str) -> str:
    """The smallest file with one more line in a section."""
    head = f"[{section}]"
    if head in SMALLEST:
        return SMALLEST.replace(head, f"{head}\n{line}")
    return f"{SMALLEST}\n{head}\n{line}\n"


def refusal(content: str) -> ConfigError:
    """The error that a file ends in."""
    with pytest.raises(ConfigError) as caught:
        parse(content)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_file_with_the_three_needed_keys_is_enough() -> None:
    config = parse(SMALLEST)

    assert config.run.id == "tiny"
    assert config.rounds.total_steps == 40
    assert config.phases.train_seconds == 30


def test_what_is_written_reads_back_as_the_same_tree() -> None:
    config = parse(with_line("training.update", "topk = 64\nbeta = 0.99\nembeddings = 'row'"))

    assert parse(dump(config)) == config
    assert config.training.update.topk == 64


def test_every_written_line_says_what_it_allows() -> None:
    for line in dump(parse(SMALLEST)).splitlines():
        assert not line or line.startswith("[") or " # " in line


@pytest.mark.parametrize(
    ("section", "line", "message", "hint"),
    [
        (
            "phases",
            "trian_seconds = 3",
            "phases.trian_seconds",
            "did you mean `phases.train_seconds`",
        ),
        ("fases", "train_seconds = 3", "unknown key `fases`", "did you mean `phases`"),
        (
            "training.update",
            "topp = 3",
            "training.update.topp",
            "did you mean `training.update.topk`",
        ),
        ("run", "zzz = 3", "unknown key `run.zzz`", "known here: admit_anytime"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(
    section: str, line: str, message: str, hint: str
) -> None:
    error = refusal(with_line(section, line))

    assert message in str(error)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("section", "line", "message"),
    [
        (
            "phases",
            "train_seconds = 1",
            "`phases.train_seconds` must be a whole number from 2 to 2592000 (seconds)",
        ),
        ("phases", "train_seconds = 2.5", "it is 2.5"),
        ("phases", "train_seconds = true", "it is true"),
        ("run", "capacity = 2048", "8 to 1024"),
        ("run", "admit_anytime = 1", "must be true or false"),
        ("rounds", "overlap = 2", "0 to 1"),
        ("witness", 'attestation = "vague"', 'must be one of "exact"'),
        ("training.update", "beta = nan", "it is nan"),
        ("training.update", 'beta = "much"', 'it is "much"'),
        ("data", "vocabulary_tokens = [1]", "it is [1]"),
        ("training", "model = 3", "`training.model` is a section"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_what_is(
    section: str, line: str, message: str
) -> None:
    assert message in str(refusal(with_line(section, line)))


def test_a_word_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    error = refusal(with_line("training.model", 'preset = "llama-demmo"'))
    assert error.hint == 'did you mean "llama-demo"?'
    error = refusal(with_line("training.model", 'preset = "xyzzy"'))
    assert error.hint == 'leave `training.model.preset` out for its default, "demo"'


def test_a_number_with_its_unit_is_answered_with_how_to_write_it() -> None:
    error = refusal(with_line("phases", 'train_seconds = "30s"'))

    assert 'whole number from 2 to 2592000 (seconds); it is "30s"' in str(error)
    assert error.hint == "the unit is in the name: write `train_seconds = 30`"


@pytest.mark.parametrize(
    ("section", "line", "hint"),
    [
        ("phases", 'train_seconds = "5m"', "write `train_seconds = 300`"),
        ("phases", 'train_seconds = "1.5 hours"', "write `train_seconds = 5400`"),
        ("phases", 'train_seconds = "5000 ms"', "write a bare number (seconds)"),
        ("data", 'text_bytes_max = "4MB"', "write a bare number (bytes of text to take)"),
    ],
)
def test_a_number_with_another_unit_is_not_taken_for_its_bare_number(
    section: str, line: str, hint: str
) -> None:
    assert refusal(with_line(section, line)).hint == f"the unit is in the name: {hint}"


@pytest.mark.parametrize(
    ("section", "line", "names"),
    [
        ("run", "init_min_members = 9", ("run.init_min_members", "run.capacity")),
        ("run", "min_members = 4", ("run.min_members", "run.init_min_members")),
        ("run", "capacity = 12", ("run.capacity", "multiple of 8")),
        ("phases", "grace_seconds = 31", ("phases.grace_seconds", "phases.train_seconds")),
        ("training", "batch_sequences_end = 8", ("batch_sequences_start", "batch_sequences_end")),
        ("training.schedule", "warmup_steps = 40", ("warmup_steps", "rounds.total_steps")),
        ("training.schedule", 'kind = "wsd"', ("decay_steps", "kind")),
        ("training.schedule", "decay_steps = 3", ("decay_steps", "cosine")),
        ("rounds", "snapshot_rounds = 1", ("rounds.snapshot_rounds", "vote")),
        ("training.model", "qk_rope_head_dim = 7", ("training.model", "qk_rope_head_dim")),
        ("data", "text_bytes_max = 4096", ("vocabulary_tokens", "text_bytes_max")),
        ("training", "batch_sequences_end = 90000", ("one round takes", "data.text_bytes_max")),
    ],
)
def test_numbers_that_do_not_fit_each_other_are_refused_by_name(
    section: str, line: str, names: tuple[str, str]
) -> None:
    error = refusal(with_line(section, line))

    assert all(name in str(error) for name in names)


def test_a_filter_that_no_transaction_takes_is_refused() -> None:
    many = SMALLEST.replace("[run]", "[run]\ncapacity = 1024")
    bloom = '\n[witness]\nattestation = "bloom"\nbloom_false_positive_ppm = '

    error = refusal(f"{many}{bloom}40000\n")

    assert all(name in str(error) for name in ("bloom_false_positive_ppm", "run.capacity", "800"))
    config = parse(f"{many}{bloom}60000\n")
    fields = chain_fields(config)
    assert (fields["attestation_kind"], fields["bloom_false_positive_ppm"]) == (1, 60_000)


def test_what_a_round_brings_is_bounded_however_many_members_a_run_has() -> None:
    many = SMALLEST.replace("[run]", "[run]\ncapacity = 1024")

    error = refusal(many + "\n[training.update]\ntopk = 33\n")

    assert "`training.update.topk` (33) * `run.capacity` (1024) is above 32768" in str(error)
    assert error.hint == "write a `training.update.topk` of at most 32"
    parse(many + "\n[training.update]\ntopk = 32\n")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("topk_end = 33\ntopk_ramp_steps = 9", "`training.update.topk_end` (33) * `run.capacity`"),
        ("topk_end = 8", "`training.update.topk_end` is 8 with `topk_ramp_steps` 0"),
        ("group_topk_max = 31", "`training.update.group_topk_max` (31) is below `topk` (32)"),
    ],
)
def test_numbers_of_a_changing_k_fit_one_another(lines: str, problem: str) -> None:
    many = SMALLEST.replace("[run]", "[run]\ncapacity = 1024")
    assert problem in str(refusal(f"{many}\n[training.update]\n{lines}\n"))


@pytest.mark.parametrize(
    ("lines", "problem", "hint"),
    [
        ("value_bits = 5", "`training.update.vote_cap` (1) would cut", "write 0, or 16 at least"),
        (
            "value_exponent = -9",
            "`training.update.value_exponent` is -9 with `value_bits` 1",
            "no unit",
        ),
        (
            'rule = "mean"\nvalue_exponent = 65',
            '`training.update.value_exponent` is 65 with `rule` "mean"',
            "from -64 to 64",
        ),
        ("mean_gain = 2.0", "`training.update.mean_gain` is 2 with", "write 1.0"),
        ('local_state = "kept"', "`training.update.local_state` is", "local_steps"),
    ],
)
def test_numbers_of_values_fit_one_another(lines: str, problem: str, hint: str) -> None:
    error = refusal(f"{SMALLEST}\n[training.update]\n{lines}\n")
    assert problem in str(error)
    assert hint in error.hint


def test_whole_numbers_reach_the_rule() -> None:
    lines = "value_bits = 12\nvalue_exponent = -14\nvote_cap = 0"
    rule = UpdateRule.from_value(update_fields(parse(with_line("training.update", lines))))
    assert (rule.value_bits, rule.value_exponent, rule.vote_cap) == (12, -14, 0)


def test_a_rule_of_means_reaches_the_rule() -> None:
    lines = """
rule = "mean"
value_exponent = 64
mean_gain = 1.5
local_steps = 5
local_learning_rate = 0.0
local_state = "kept"
"""
    rule = UpdateRule.from_value(update_fields(parse(with_line("training.update", lines))))
    assert (rule.update, rule.value_exponent, rule.gain_micro) == ("mean", 64, 1_500_000)
    assert (rule.local_steps, rule.local_rate, rule.local_state) == (5, 0, "kept")
    assert _sums.MEAN_EXPONENT_MAX == MEAN_EXPONENT_MAX


def test_a_changing_k_reaches_the_rule() -> None:
    lines = "topk = 8\ntopk_end = 4\ntopk_ramp_steps = 9\ngroup_topk_max = 20\nenergy_target = 0.3"
    rule = UpdateRule.from_value(update_fields(parse(with_line("training.update", lines))))
    assert (rule.topk_at(0), rule.topk_at(9)) == (8, 4)
    assert (rule.group_topk_max, rule.energy_micro) == (20, 300_000)


@pytest.mark.parametrize("key", ["id", "total_steps", "source"])
def test_a_key_that_must_be_given_is_named_when_it_is_missing(key: str) -> None:
    error = refusal(re.sub(rf"^{key} = .*$", "", SMALLEST, flags=re.MULTILINE))

    assert f".{key}` is missing" in str(error)


def test_a_run_without_its_sections_is_told_the_first_key_that_is_missing() -> None:
    assert "`run.id` is missing" in str(refusal(""))


@pytest.mark.parametrize("name", ["Tiny", "a_b", "", "x" * 33])
def test_a_run_id_that_no_address_can_hold_is_refused(name: str) -> None:
    assert "run.id" in str(refusal(SMALLEST.replace('"tiny"', f'"{name}"')))


def test_a_file_that_is_no_toml_says_where(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[run\n")

    with pytest.raises(ConfigError, match="line 1"):
        load(path)


@pytest.mark.parametrize("value", ["9" * 5_000, "[" * 5_000], ids=["number", "nest"])
def test_a_value_that_no_machine_reads_is_no_toml(value: str) -> None:
    assert str(refusal(f"a = {value}")).startswith("run.toml is no TOML: ")


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file") as caught:
        load(tmp_path / "none.toml")

    assert caught.value.hint


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match="UTF-8"):
        load(path)


def test_the_program_gets_whole_numbers_by_its_own_names() -> None:
    fields = chain_fields(parse(with_line("rounds", "overlap = 0")))

    assert fields["overlap"] == 0
    assert fields["train_seconds"] == 30
    assert fields.pop("data_seed") == seed_bytes(0)
    assert all(type(value) is int for value in fields.values())


def test_the_program_gets_the_bond_and_the_rates_of_the_file() -> None:
    lines = "bond_lamports = 5\npoints_per_sequence = 6\npoints_per_attestation = 7"
    fields = chain_fields(parse(with_line("rewards", lines)))

    names = ("bond_lamports", "points_per_sequence", "points_per_attestation")
    assert [fields[name] for name in (*names, "points_per_verdict")] == [5, 6, 7, 0]


def test_the_update_rule_reads_what_the_file_says() -> None:
    config = parse(with_line("training.schedule", "learning_rate = 0.0007\nfinal_percent = 50"))

    rule = UpdateRule.from_value(update_fields(config))

    assert rule.schedule.peak == rate_units("0.0007")
    assert rule.schedule.lr_at(40) == rule.schedule.peak * 50 // 100
    assert rule.beta_micro == 950_000


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
def test_every_kind_of_schedule_is_one_that_the_update_rule_knows(kind: str) -> None:
    config = parse(with_line("training.schedule", f'kind = "{kind}"'))

    assert UpdateRule.from_value(update_fields(config)).schedule.kind == kind


def test_the_model_has_the_presets_dimensions_but_for_those_in_the_file() -> None:
    model = model_config(parse(with_line("training.model", "hidden_size = 192")))

    assert (model.hidden_size, model.num_hidden_layers) == (192, 3)
    assert (model.vocab_size, model.max_position_embeddings) == (2_048, 128)


def test_the_models_kind_is_that_of_its_preset() -> None:
    lines = 'preset = "llama-demo"\nnum_key_value_heads = 4'
    model = model_config(parse(with_line("training.model", lines)))

    assert (model.kind, model.to_dict()["num_key_value_heads"]) == ("llama", 4)


def test_a_dimension_of_another_kind_of_model_is_refused() -> None:
    lines = 'preset = "llama-demo"\nkv_lora_rank = 64'
    with pytest.raises(ConfigError, match=r"training\.model\.kv_lora_rank.*kind llama"):
        parse(with_line("training.model", lines))


def test_reading_a_configuration_loads_nothing_heavy() -> None:
    code = (
        "import sys, psyche_client.config; print({'torch', 'numpy', 'solana'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
