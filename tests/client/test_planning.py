"""What a model needs: the sums of `psyche model plan`, and that they are those of the code."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from psyche_client.cli.app import run
from psyche_client.cli.errors import Code
from psyche_client.model.activations import kept_bytes
from psyche_client.model.lm import CausalLM
from psyche_client.model.presets import preset
from psyche_client.optim.codec import Form, PayloadHeader, Selection, encode
from psyche_client.optim.layout import Layout
from psyche_client.planning import inference, lines, training_memory
from support.client import tiny_document

#: Some run torch on shapes alone, which imports for seconds.
pytestmark = pytest.mark.xdist_group("shapes")

DEMO = preset("demo")


@pytest.mark.parametrize("layers", [1, 4])
def test_kept_activations_are_what_autograd_saves_on_a_processor(layers: int) -> None:
    config = replace(DEMO, num_hidden_layers=layers)
    model = CausalLM(config)
    saved = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.loss(torch.zeros(2, 129, dtype=torch.long))
    for parameter in model.parameters():
        saved.pop(parameter.data_ptr(), None)

    kept = kept_bytes(config, 2, 128, recomputes=False)

    assert kept == sum(storage.nbytes() for storage in saved.values())


def test_a_recomputed_layer_adds_its_input_alone() -> None:
    three, four = (
        kept_bytes(replace(DEMO, num_hidden_layers=layers), 2, 128, recomputes=True)
        for layers in (3, 4)
    )

    assert four - three == 2 * 128 * DEMO.hidden_size * 4
    assert three < kept_bytes(DEMO, 2, 128, recomputes=False) / 2


def test_training_needs_parameters_momentum_and_gradients_at_once() -> None:
    phases = training_memory(DEMO, topk=32, members=16, activations=1_000, in_flight=0)
    sent, size = 288 * 32, DEMO.parameter_count() * 4

    always, train, _, apply, save = phases.values()
    assert DEMO.parameter_count() // 4_096 + 1 == 288
    assert (always, train, save) == (2 * size, 3 * size + 1_000, 4 * size)
    payload = Layout.from_shapes(DEMO.parameter_shapes()).form(32).bytes_max
    assert apply == 2 * size + 16 * (payload + sent * 4) + (64 << 20)


@pytest.mark.parametrize(("moments", "more"), [("anew", (0, 3)), ("kept", (2, 3))])
def test_local_steps_need_the_moments_and_the_parameters_before(
    moments: str, more: tuple[int, int]
) -> None:
    given = {"topk": 32, "members": 16, "activations": 1_000}
    plain = list(training_memory(DEMO, **given).values())
    local = list(training_memory(DEMO, **given, moments=moments).values())
    size = 4 * DEMO.parameter_count()
    assert [a - b for a, b in zip(local[:2], plain[:2], strict=True)] == [n * size for n in more]


def test_forty_billion_parameters_fit_a_card_at_four_bits_and_not_at_eight() -> None:
    four, eight = inference(preset("40b"))

    # 38.3 billion in layers at 4.25 bits, 1.85 billion of embedding and head at 16.
    assert abs(four.weights - 24.06e9) < 0.02e9
    assert four.tokens >= 4_096
    assert four.cache_bytes_per_token == 77 * (512 + 64) * 2
    assert eight.tokens == 0


def test_a_payload_lies_between_the_least_and_the_most() -> None:
    layout = Layout.from_shapes(DEMO.parameter_shapes())
    form = layout.form(32)
    rng = np.random.default_rng(0)
    chosen = [
        np.sort(rng.choice(int(size), int(limit), replace=False))
        for size, limit in zip(form.sizes, form.limits, strict=True)
    ]
    indices = np.concatenate(chosen).astype(np.uint16)
    signs = rng.choice(np.array([-1, 1], np.int16), len(indices))
    header = PayloadHeader(
        instance=bytes(32), epoch=0, round=0, slot=0, member_id=0, layout_digest=layout.digest()
    )
    selection = Selection(form.limits.astype(np.uint16), indices, signs)
    payload = encode(header, selection, form)

    line = lines(DEMO, topk=32)[0]
    one, two = (
        training_memory(DEMO, topk=32, members=members, activations=0, in_flight=0)
        for members in (1, 2)
    )
    arrays = (selection.counts, selection.indices, selection.values)
    received = next(key for key in one if key.startswith("apply"))

    held = len(payload) + sum(array.nbytes for array in arrays)
    assert held <= two[received] - one[received] < 1.05 * held
    assert line.payload_least < len(payload) <= line.payload_max
    assert line.payload_max < 1.15 * line.payload_least


def test_many_members_send_fewer_coefficients_and_receive_all_others() -> None:
    found = {line.members: line for line in lines(DEMO, topk=100)}

    assert [found[count].topk for count in (16, 64, 256, 1_024)] == [100, 100, 100, 32]
    assert found[64].seconds == 63 * found[64].payload_max * 8 / 20e6


def test_a_plan_is_printed_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["model", "plan", "llama-demo", "--json"]) == Code.OK
    plan = json.loads(capsys.readouterr().out)
    assert (plan["kind"], plan["topk"]) == ("llama", 32)
    assert plan["parameters"] == preset("llama-demo").parameter_count()

    assert run(["model", "plan", "llama-demo"]) == Code.OK
    shown = capsys.readouterr().out
    assert f"{plan['parameters']:,} parameters" in shown
    assert "layers recomputed" in shown
    assert "1,024" in shown


def test_a_plan_of_a_runs_own_file_takes_its_update_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(tiny_document().encode())

    assert run(["model", "plan", str(path), "--tokens", "16", "--json"]) == Code.OK

    plan = json.loads(capsys.readouterr().out)
    assert (plan["topk"], plan["tokens"]) == (16, 16)
    assert plan["parameters"] == tiny_document().architecture.parameter_count()


def test_a_plan_counts_the_largest_k_and_the_bits_of_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, document = tmp_path / "model.json", tiny_document()
    rule = {
        **document.update_rule,
        "topk_end": 40,
        "topk_ramp_steps": 9,
        "vote_cap": 0,
        "value_bits": 4,
    }
    path.write_bytes(replace(document, update_rule=rule).encode())

    assert run(["model", "plan", str(path), "--tokens", "16", "--json"]) == Code.OK

    coefficients = Layout.from_shapes(document.architecture.parameter_shapes()).coefficients
    form = Form(coefficients=coefficients, topk=40, value_bits=4)
    plan = json.loads(capsys.readouterr().out)
    assert (plan["topk"], plan["value_bits"]) == (40, 4)
    assert plan["rounds"][0]["payload_max"] == form.bytes_max
    assert form.bytes_max / 2 < plan["rounds"][0]["payload_least"] < form.bytes_max


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demoo"], "neither a preset nor a file"),
        (["40b", "--topk", "4096"], "2^32 coefficients"),
        (["demo", "--tokens", "513"], "max_position_embeddings"),
    ],
)
def test_a_plan_of_what_cannot_be_is_refused(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["model", "plan", *arguments]) != Code.OK
    assert words in capsys.readouterr().err
