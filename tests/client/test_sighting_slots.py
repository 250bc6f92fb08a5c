"""Which slots a newcomer may take, and the facts that it reads before."""

import numpy as np

from psyche_client.sighting import (
    free_slots,
    freed_slots,
    participant_address_text,
    read_facts,
)
from psyche_sdk._generated import accounts as heads
from psyche_sdk._generated import layouts
from support.accounts import CAPACITY, fill, run_bytes
from support.sights import DROPPED, LEFT, MEMBERS, snapshot


def test_a_newcomer_is_offered_slots_that_nobody_holds() -> None:
    free = free_slots(snapshot())
    assert set(free) == set(range(CAPACITY)) - {2, 7, 9}
    assert free == sorted(free)


def test_a_slot_is_not_offered_while_a_record_names_its_last_holder() -> None:
    named = {"state": LEFT, "weight": 1, "named_epoch": 0, "named_round": 4}
    left = {7: MEMBERS[7] | named, 5: {"state": DROPPED, "member_id": 50}}

    assert 7 not in free_slots(snapshot(members=left))
    assert 5 in free_slots(snapshot(members=left))
    assert 7 in free_slots(snapshot(members=left, round=8))


def test_a_slot_that_collecting_frees_is_told_with_its_holder() -> None:
    left = {
        7: MEMBERS[7] | {"state": LEFT, "bond_lamports": 3},
        2: MEMBERS[2],
        5: {"state": DROPPED, "member_id": 50},
    }

    (found,) = freed_slots(snapshot(members=left))

    assert (found.slot, found.bond_lamports) == (7, 3)


def test_a_slot_with_points_of_its_last_holder_is_not_offered() -> None:
    left = {7: MEMBERS[7] | {"state": LEFT, "points": 3}}
    assert 7 not in free_slots(snapshot(members=left))


def test_the_facts_of_a_run_are_read() -> None:
    facts = read_facts(
        run_bytes(
            config={"payload_bytes_max": 1234},
            model_hash=b"m" * 32,
            model_uri=b"file:///a",
            model_uri_len=9,
            fresh_cursor=80,
            accepted=70,
        )
    )
    assert (facts.capacity, facts.payload_bytes_max) == (CAPACITY, 1234)
    assert (facts.model_hash, facts.model_uri) == (b"m" * 32, "file:///a")
    assert (facts.sequences["fresh"], facts.sequences["accepted"]) == (80, 70)


def participant(address: bytes, length: int) -> bytes:
    row = np.zeros((), layouts.PARTICIPANT)
    fill(row, {"version": 2, "address": address, "address_len": length})
    return heads.PARTICIPANT_DISCRIMINATOR + row.tobytes()


def test_a_participants_address_is_its_text_and_garbage_is_no_crash() -> None:
    assert participant_address_text(participant(b"127.0.0.1:7000xx", 14)) == "127.0.0.1:7000"
    assert participant_address_text(participant(b"", 0)) == ""
    assert participant_address_text(participant(b"\xff\xfe", 255)).startswith("\ufffd")
