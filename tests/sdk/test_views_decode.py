"""Accounts are decoded as they are, and refused by name if they cannot be."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from psyche_sdk import errors, views
from psyche_sdk._generated._program import PROGRAM_ID
from psyche_sdk._rules import rounds as rules
from psyche_sdk._rules.hashing import bit_field
from support.accounts import CAPACITY, Round, roster_bytes, rounds_bytes, run_bytes

LAYOUT: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden" / "layout.json").read_text(encoding="utf-8")
)
HEADER = {"round": 5, "trainers": 2, "sequences": 10, "segment_count": 1}
SHARES = {"order": [7, 2], "share_end": [4, 10], "position": [0] * 16}


def a_round(**header: Any) -> Round:
    """A sound record of two trainers, but for the fields that are named."""
    segments = np.zeros(8, [("start", "<u8"), ("end", "<u8")])
    segments[0] = (100, 110)
    return Round(HEADER | {"segments": segments} | header, dict(SHARES))


@pytest.mark.parametrize("place", LAYOUT["capacities"], ids=lambda place: place["capacity"])
def test_columns_lie_where_the_program_has_them(place: dict[str, Any]) -> None:
    capacity = place["capacity"]
    data = bytes(place["rounds_bytes"])
    assert rules.rounds_bytes(capacity) == place["rounds_bytes"]
    assert rules.columns_bytes(capacity) == place["columns_bytes"]
    offset = 0
    for name, column in rules.columns_of(data, capacity, 0).items():
        assert place["columns"][name] == {"offset": offset, "bytes": len(column)}
        offset += len(column)


def test_a_run_is_read_field_by_field() -> None:
    run = views.decode_run(
        run_bytes(
            run_id=b"tiny",
            run_id_len=4,
            phase=3,
            epoch=2,
            round=7,
            step=41,
            phase_started_at=1000,
            phase_started_slot=50,
            chain_hash=bytes([3]) * 32,
            backlog_count=1,
            backlog=np.array([(5, 9)] + [(0, 0)] * 31, [("start", "<u8"), ("end", "<u8")]),
            agreed={"valid": 1, "step": 40, "digest": bytes([8]) * 32},
        )
    )
    assert (run.run_id, run.phase, run.epoch, run.round, run.step) == (
        "tiny",
        views.Phase.TRAIN,
        2,
        7,
        41,
    )
    assert run.phase_started == (1000, 50)
    assert run.chain_hash == bytes([3]) * 32
    assert run.backlog == ((5, 9),)
    assert run.backlog_positions == 4
    assert run.agreed is not None
    assert (run.agreed.step, run.agreed.digest) == (40, bytes([8]) * 32)
    assert (run.snapshots, run.vote, run.training_rounds) == ((), None, None)
    assert run.config.train_seconds == 30


def test_a_roster_knows_who_holds_a_slot() -> None:
    alice, bob = bytes([1]) * 32, bytes([2]) * 32
    roster = views.decode_roster(
        roster_bytes(
            {
                3: {"wallet": alice, "state": 3, "member_id": 11, "weight": 5},
                4: {"wallet": bob, "state": 6, "member_id": 12},
            }
        )
    )
    found = roster.find(alice)
    assert found is not None
    assert (found.slot, found.member_id, found.state) == (3, 11, views.MemberState.ACTIVE)
    assert roster.find(bob) is None
    assert [member.slot for member in roster.members()] == [3]
    assert roster.member(4).state is views.MemberState.DROPPED
    with pytest.raises(IndexError):
        roster.member(CAPACITY)


def test_records_are_read_oldest_first() -> None:
    data = rounds_bytes([a_round(round=5), a_round(round=4), a_round(round=6)])
    assert [record.round for record in views.decode_rounds(data)] == [4, 5, 6]


def test_a_record_has_its_columns() -> None:
    record_in = a_round(witnesses=2, witness_slots=[7, 2] + [0] * 30, entropy=bytes([4]) * 32)
    record_in.columns |= {
        "commitment": bytes(64) + bytes([6]) * 32,
        "tokens": [0, 0, 77],
        "committed": bit_field([2], CAPACITY),
    }
    (record,) = views.decode_rounds(rounds_bytes([record_in]))
    assert record.order.tolist() == [7, 2]
    assert record.share_ends.tolist() == [4, 10]
    assert record.segments == ((100, 110),)
    assert record.commitment(2) == bytes([6]) * 32
    assert record.tokens[2] == 77
    assert views.committed(record) == [2]
    assert views.witnesses(record) == [7, 2]
    assert record.entropy is None


DECODERS = [
    (views.decode_run, run_bytes(), "Run"),
    (views.decode_roster, roster_bytes({}), "Roster"),
    (views.decode_rounds, rounds_bytes([]), "Rounds"),
]


@pytest.mark.parametrize(("decode", "data", "name"), DECODERS, ids=lambda value: str(value)[:6])
def test_each_flaw_of_an_account_has_its_error_in_order(
    decode: Any, data: bytes, name: str
) -> None:
    decode(data, owner=PROGRAM_ID)
    with pytest.raises(errors.WrongOwner):
        decode(b"", owner=Pubkey.default())
    with pytest.raises(errors.WrongDiscriminator, match=name):
        decode(b"\0" + data[1:9], owner=PROGRAM_ID)
    with pytest.raises(errors.WrongVersion):
        decode(data[:8] + b"\1")
    with pytest.raises(errors.WrongLength):
        decode(data[:-1])
    with pytest.raises(errors.WrongLength):
        decode(data + b"\0")
    with pytest.raises(errors.WrongLength):
        decode(data[:8])


@pytest.mark.parametrize(
    "spoilt",
    [
        run_bytes(phase=7),
        run_bytes(capacity=12),
        run_bytes(capacity=0),
        run_bytes(backlog_count=33),
        run_bytes(run_id_len=33),
        run_bytes(vote={"kind": 4}),
    ],
)
def test_a_run_with_impossible_contents_is_refused(spoilt: bytes) -> None:
    with pytest.raises(views.AccountInvalid):
        views.decode_run(spoilt)


def test_a_member_in_an_unknown_state_is_refused() -> None:
    with pytest.raises(views.AccountInvalid):
        views.decode_roster(roster_bytes({0: {"state": 8}}))
    with pytest.raises(views.AccountInvalid):
        views.decode_roster(roster_bytes({0: {"vote_stage": 4}}))


@pytest.mark.parametrize(
    "header",
    [
        {"trainers": 17},
        {"segment_count": 9},
        {"witnesses": 33},
        {"witnesses": 1, "witness_slots": [16] + [0] * 31},
        {"sequences": 9},
        {"trainers": 3},
    ],
)
def test_a_record_with_impossible_contents_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(views.AccountInvalid):
        views.decode_rounds(rounds_bytes([a_round(**header)]))


@pytest.mark.parametrize("columns", [{"order": [7, 16]}, {"order": [7, 7]}, {"share_end": [10, 4]}])
def test_shares_that_cannot_be_are_refused(columns: dict[str, Any]) -> None:
    record = a_round()
    record.columns |= columns
    with pytest.raises(views.AccountInvalid):
        views.decode_rounds(rounds_bytes([record]))


@given(st.binary(max_size=4000), st.sampled_from(DECODERS))
def test_any_bytes_are_decoded_or_refused_by_name(noise: bytes, kind: Any) -> None:
    decode, data, _ = kind
    for attempt in (noise, data[:9] + noise, data[:9] + noise.ljust(len(data) - 9, b"\xff")):
        try:
            decode(attempt[: len(data)])
        except errors.AccountError:
            continue
