"""The model meets the vectors of the Rust rules where small runs seldom come."""

from __future__ import annotations

from typing import Any

import pytest

from support.golden import golden
from support.model import bloom, draws, settle, shares
from support.model.agreed import Agreed
from support.model.record import Commitment, Round
from support.model.state import State
from support.model.words import NEVER, Interval
from support.program_config import config


def empty() -> State:
    """A run in which nothing happened yet."""
    nothing = bytes(32)
    agreed = Agreed(0, 0, 0, nothing, nothing)
    return State(8, config(), nothing, nothing, nothing, agreed, [], (nothing, ""))


@pytest.mark.parametrize("row", golden("backlog", "rows"), ids=lambda row: row["entries"])
def test_the_backlog_is_the_same_after_every_step(row: dict[str, Any]) -> None:
    state = empty()
    for step in row["steps"]:
        segments = shares.take(state, step["batch"])
        assert [list(one) for one in segments] == step["segments"]
        assert [list(one) for one in state.backlog] == step["after_taking"]
        for first, end, repeated, overlapped in step["given"]:
            before = state.repeated
            for piece in shares.cut(segments, Interval(first, end)):
                shares.give_back(state, piece, row["entries"])
            assert state.repeated - before == repeated - overlapped
        assert [list(one) for one in state.backlog] == step["after_giving"]


@pytest.mark.parametrize("row", golden("draw", "words"))
def test_words_are_the_same(row: dict[str, Any]) -> None:
    words = draws.Words(bytes.fromhex(row["seed"]))
    assert [words.take() for _ in row["words"]] == row["words"]


@pytest.mark.parametrize("row", golden("draw", "uniform"))
def test_uniform_numbers_are_the_same(row: dict[str, Any]) -> None:
    words = draws.Words(bytes.fromhex(row["seed"]))
    assert [words.uniform(row["n"]) for _ in row["numbers"]] == row["numbers"]


@pytest.mark.parametrize("row", golden("draw", "roles"))
def test_verifiers_and_trainers_are_the_same(row: dict[str, Any]) -> None:
    drawn = draws.roles(bytes.fromhex(row["seed"]), row["members"], row["percent"])
    assert drawn == (row["verifiers"], row["trainers"])


@pytest.mark.parametrize("row", golden("draw", "witnesses"))
def test_witnesses_are_the_same(row: dict[str, Any]) -> None:
    drawn = draws.witnesses(bytes.fromhex(row["seed"]), row["eligible"], row["count"])
    assert drawn == row["slots"]


@pytest.mark.parametrize("row", golden("draw", "targets"), ids=lambda row: row["seed"][:8])
def test_audited_payloads_are_the_same(row: dict[str, Any]) -> None:
    drawn = draws.targets(bytes.fromhex(row["seed"]), row["committed"], row["auditors"])
    assert drawn == row["targets"]


@pytest.mark.parametrize("row", golden("draw", "committees"), ids=lambda row: row["seed"][:8])
def test_committees_are_the_same(row: dict[str, Any]) -> None:
    seed, target, eligible = bytes.fromhex(row["seed"]), row["target"], row["eligible"]
    drawn = draws.committee(seed, target, eligible, row["size"], row["room"])
    assert drawn == row["seats"]


@pytest.mark.parametrize("row", golden("bloom", "forms"), ids=str)
def test_shapes_of_filters_are_the_same(row: list[int]) -> None:
    count, ppm, bits, keys, most = row
    form = bloom.shape(count, ppm)
    assert (*form, form.most(count)) == (bits, keys, most)


@pytest.mark.parametrize("row", golden("bloom", "filters"), ids=lambda row: row["ppm"])
def test_filters_are_the_same(row: dict[str, Any]) -> None:
    instance, entropy = bytes.fromhex(row["instance"]), bytes.fromhex(row["entropy"])
    keys = bloom.keys(instance, row["epoch"], row["round"], entropy, row["witness"])
    form = bloom.shape(row["committed"], row["ppm"])
    held = [(slot, bytes.fromhex(one)) for slot, one in row["held"]]
    assert keys.fill(form, held).hex() == row["bits"]


@pytest.mark.parametrize("row", golden("shares", "ends"))
def test_shares_are_the_same(row: dict[str, Any]) -> None:
    if row["weights"] and not any(row["weights"]):
        assert set(row["ends"]) == {0}  # no run has such weights: they are at least 1
        return
    assert shares.share_ends(row["weights"], row["batch"], row["percent"]) == row["ends"]


@pytest.mark.parametrize("row", golden("tally", "cases"))
def test_what_becomes_of_a_payload_is_the_same(row: dict[str, Any]) -> None:
    record = Round(0, 0, 0, False, NEVER, bytes(32), order=[0], share_ends=[1])
    record.witnesses = list(range(row["elected"]))
    record.attested = set(range(row["attested"]))
    assert settle.draw_is_valid(record) == row["valid"]
    if not row["valid"]:
        return
    assert row["uncommitted"] == "missed"
    assert settle.is_miss(record, 0)
    record.committed[0] = Commitment(bytes(32), 1, 0, 0, 0)
    for votes, outcome in enumerate(row["committed"]):
        record.held[0] = set(range(votes))
        accepted, missed = settle.is_accepted(record, 0), settle.is_miss(record, 0)
        assert (accepted, missed) == (outcome == "accepted", outcome == "missed"), votes
