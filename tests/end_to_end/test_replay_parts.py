"""The parts of the replay, each held to the client's and to vectors."""

import json
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyche_client import optim
from psyche_client.model.digest import digest_of
from psyche_client.optim.table import TABLE_SHA256
from support.coders import any_counts, form_of
from support.optim import SHAPES, expectation_for, header_for, random_selection
from support.replay import Expected, Layout, RefusedError, Rule, decode, digest, learning_rate
from support.replay.update import inverse, table_digest, votes

GOLDEN = Path(__file__).parents[1] / "golden"
SCHEDULES = json.loads((GOLDEN / "schedule.json").read_text())
TOPK = json.loads((GOLDEN / "topk.json").read_text())
PAYLOADS = json.loads((GOLDEN / "payload.json").read_text())
FORMS = [
    *(optim.Form(coefficients=n, topk=k) for n, k in ((9000, 8), (4096, 64), (5000, 4096))),
    optim.Form(coefficients=9000, topk=8, most=30, value_bits=5),
]


def expected(expectation: optim.Expectation) -> Expected:
    return Expected(
        instance=expectation.instance,
        epoch=expectation.epoch,
        round=expectation.round,
        slot=expectation.slot,
        member_id=expectation.member_id,
        layout_digest=expectation.layout_digest,
        coefficients=expectation.form.coefficients,
        topk=expectation.form.topk,
        most=expectation.form.most,
        value_bits=expectation.form.value_bits,
        bytes_max=expectation.bytes_max,
    )


def both(data: bytes, expectation: optim.Expectation) -> list[list[list[int]] | None]:
    """What the client and the replay read in a payload."""
    found: list[list[list[int]] | None] = [None, None]
    with suppress(optim.PayloadError):
        selection = optim.decode(data, expectation)
        found[0] = [selection.positions().tolist(), selection.values.tolist()]
    with suppress(RefusedError):
        found[1] = [part.tolist() for part in decode(data, expected(expectation))]
    return found


def payload(seed: int, form: optim.Form) -> bytes:
    """A payload whose counts are random, or all at their limits for an odd seed."""
    rng = np.random.default_rng(seed)
    counts = (
        None
        if seed % 2
        else any_counts(form, lambda _plain, limit: int(rng.integers(0, limit + 1)))
    )
    return optim.encode(header_for(), random_selection(seed, form, counts), form)


@given(st.integers(0, 999), st.sampled_from(FORMS))
def test_a_selection_is_read_as_the_client_reads_it(seed: int, form: optim.Form) -> None:
    client, replayed = both(payload(seed, form), expectation_for(header_for(), form))
    assert client is not None
    assert client == replayed


@given(st.integers(0, 99), st.sampled_from(FORMS), st.data())
def test_damaged_bytes_are_judged_as_the_client_judges_them(
    seed: int, form: optim.Form, data: st.DataObject
) -> None:
    damaged = bytearray(payload(seed, form))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, 3))
    damaged = damaged[: len(damaged) - cut] + bytes(data.draw(st.integers(0, 1)))
    client, replayed = both(bytes(damaged), expectation_for(header_for(), form))
    assert client == replayed


@pytest.mark.parametrize(
    "case", [*PAYLOADS["bodies"], *PAYLOADS["refused"]], ids=lambda case: case["name"]
)
def test_golden_bodies_are_read_or_refused(case: dict[str, Any]) -> None:
    form = form_of(case)
    sent = case["sent"] if "fault" in case else len(case["indices"])
    header = replace(header_for(), groups=form.groups, coefficients=sent)
    data, wanted = header.pack() + bytes.fromhex(case["body"]), expectation_for(header, form)
    wanted = replace(wanted, bytes_max=len(data))
    if "fault" in case:
        with pytest.raises(RefusedError):
            decode(data, expected(wanted))
        return
    positions, values = decode(data, expected(wanted))
    group = np.repeat(np.arange(form.groups), case["counts"])
    assert (positions == 4096 * group + case["indices"]).all()
    assert values.tolist() == case["values"]


@pytest.mark.parametrize("form", FORMS)
def test_a_payload_without_coefficients_is_a_valid_selection(form: optim.Form) -> None:
    selection = random_selection(0, form, [0] * form.groups)
    data = optim.encode(header_for(), selection, form)
    assert both(data, expectation_for(header_for(), form)) == [[[], []], [[], []]]


def test_the_table_is_the_clients() -> None:
    assert table_digest().hex() == TABLE_SHA256


@pytest.mark.parametrize("case", SCHEDULES)
def test_rates_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    assert case["rates"]
    assert all(learning_rate(case["schedule"], step) == rate for step, rate in case["rates"])


@pytest.mark.parametrize("case", TOPK)
def test_what_is_sent_is_that_of_the_vectors(case: dict[str, Any]) -> None:
    names = dict.fromkeys((item.name for item in fields(Rule)), 0)
    rule = Rule(**names | {name: value for name, value in case.items() if name != "sent"})
    assert case["sent"]
    assert all(rule.topk_at(step) == sent for step, sent in case["sent"])


@pytest.mark.parametrize("embeddings", ["block", "row"])
def test_a_layout_has_the_clients_digest(embeddings: str) -> None:
    shapes = SHAPES | {"z.cube": (3, 24, 70), "a.one": (5,)}
    layout = optim.Layout.from_shapes(shapes, embeddings)
    assert Layout(shapes, embeddings).digest() == layout.digest()


@pytest.mark.parametrize("name", SHAPES)
def test_float64_gives_the_sums_of_whole_numbers(name: str) -> None:
    layout = Layout(SHAPES, "block")
    rng = np.random.default_rng(3)
    tally = votes([], layout.coefficients, 0) + rng.integers(-2, 3, layout.coefficients)
    place = layout.places[name]
    exact = inverse(tally, place, np.int64)
    assert (inverse(tally, place) == exact).all()
    assert exact.any()


def test_the_digest_of_parameters_is_the_clients() -> None:
    rng = np.random.default_rng(1)
    shapes = {"b": (1100, 1000), "a.b": (3,), "a": (2, 2)}
    parameters = {n: rng.standard_normal(s).astype(np.float32) for n, s in shapes.items()}
    assert digest(parameters, 12) == digest_of(parameters, 12)
