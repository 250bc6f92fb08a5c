"""What a run's accounts mean: roles, batches, what is due."""

from typing import Any

import numpy as np
import pytest

from psyche_sdk import views
from psyche_sdk._rules.hashing import bit_field, chain_hash
from psyche_sdk.views import Moment, Transition
from support.accounts import CAPACITY, INSTANCE, Round, roster_bytes, rounds_bytes, run_bytes

#: (start, end) of the round's two segments: positions 100..104, then 200..206.
SEGMENTS = [(100, 104), (200, 206)]
TRAIN, WITNESS = 3, 4
START = Moment(1000, 5000)


def after(seconds: int) -> Moment:
    return Moment(START.time + seconds, START.chain_slot + seconds * 5 // 2)


def a_round(number: int = 5, columns: dict[str, Any] | None = None, **header: Any) -> Round:
    """Slots 7 and 2 train four and six sequences of round 5; slot 9 gets none."""
    segments = np.zeros(8, [("start", "<u8"), ("end", "<u8")])
    segments[:2] = SEGMENTS
    fixed = {
        "round": number,
        "trainers": 3,
        "expected": 2,
        "sequences": 10,
        "segment_count": 2,
        "segments": segments,
        "witnesses": 2,
        "witness_slots": [9, 7] + [0] * 30,
        "witness_member_ids": [90, 70] + [0] * 30,
    }
    member_ids = [0] * CAPACITY
    member_ids[7], member_ids[2], member_ids[9] = 70, 20, 90
    own = {"order": [7, 9, 2], "share_end": [4, 4, 10], "member_id": member_ids}
    return Round(fixed | header, own | (columns or {}))


def decoded(*rounds: Round) -> list[views.RoundRecord]:
    return views.decode_rounds(rounds_bytes(list(rounds)))


def a_member(slot: int, member_id: int) -> views.Member:
    roster = views.decode_roster(roster_bytes({slot: {"state": 3, "member_id": member_id}}))
    return roster.member(slot)


def test_a_trainer_has_its_share_of_the_positions() -> None:
    (record,) = decoded(a_round())
    assert views.shares(record) == [(7, 0, 4), (9, 4, 4), (2, 4, 10)]
    assert views.batch_of(record, 7).tolist() == [100, 101, 102, 103]
    assert views.batch_of(record, 2).tolist() == [200, 201, 202, 203, 204, 205]
    assert views.batch_of(record, 9).tolist() == []
    assert views.batch_of(record, 3).tolist() == []


def test_a_share_may_run_over_segments() -> None:
    (record,) = decoded(a_round(columns={"share_end": [2, 2, 10]}))
    assert views.batch_of(record, 2).tolist() == [102, 103, 200, 201, 202, 203, 204, 205]


def test_roles_are_those_of_the_member_and_not_of_the_slot() -> None:
    (record,) = decoded(a_round(columns={"committed": bit_field([7], CAPACITY)}))
    role = views.my_role(record, a_member(7, 70))
    assert role == views.Role(share=(0, 4), committed=True, witness=1)
    assert role.trains
    assert views.my_role(record, a_member(7, 71)) == views.Role()
    assert views.my_role(record, a_member(9, 90)) == views.Role(share=(4, 4), witness=0)
    assert not views.my_role(record, a_member(9, 90)).trains
    assert views.my_role(record, None) == views.Role()
    assert views.my_role(None, a_member(7, 70)) == views.Role()


def test_positions_go_through_pass_after_pass() -> None:
    config = views.decode_run(run_bytes(config={"data_sequences": 50})).config
    ids = views.sequence_ids(config, np.arange(100, dtype=np.uint64))
    assert sorted(ids[:50].tolist()) == list(range(50))
    assert sorted(ids[50:].tolist()) == list(range(50))
    assert ids[:50].tolist() != ids[50:].tolist()


def test_masks_tell_who_holds_what() -> None:
    masks = [0] * CAPACITY
    masks[7], masks[2] = 0b10, 0b11
    (record,) = decoded(a_round(columns={"mask": masks}))
    assert views.holders(record, 2) == [9, 7]
    assert views.holders(record, 7) == [7]
    assert views.attested_by(record, 0) == [2]
    assert views.attested_by(record, 1) == [2, 7]


def test_the_loss_is_weighted_by_sequences() -> None:
    losses = [0] * CAPACITY
    losses[7], losses[2] = 1_000_000, 2_000_000
    columns = {"loss_micronats": losses, "committed": bit_field([2, 7], CAPACITY)}
    (record,) = decoded(a_round(columns=columns))
    assert views.loss_nats(record) == pytest.approx(1.6)
    assert views.loss_nats(decoded(a_round())[0]) is None


def test_the_next_chain_hash_covers_the_accepted_commitments() -> None:
    commitments = b"".join(bytes([slot]) * 32 for slot in range(CAPACITY))
    field = bit_field([2, 7], CAPACITY)
    columns = {"commitment": commitments, "accepted": field}
    (record,) = decoded(a_round(columns=columns, epoch=1, chain_hash_before=bytes([5]) * 32))
    expected = chain_hash(bytes([5]) * 32, 1, 5, field, [bytes([2]) * 32, bytes([7]) * 32])
    assert views.accepted(record) == [2, 7]
    assert views.next_chain_hash(record) == expected
    assert views.next_chain_hash(record, [7, 2]) == expected
    assert views.next_chain_hash(record, []) != expected


def a_run(phase: int, **fields: Any) -> views.Run:
    started = {"phase_started_at": START.time, "phase_started_slot": START.chain_slot}
    return views.decode_run(run_bytes(phase=phase, **(started | fields)))


ROSTER = views.decode_roster(
    roster_bytes({slot: {"state": 3, "member_id": slot * 10} for slot in (2, 7, 9)})
)


def test_seconds_left_count_grace_and_end_at_zero() -> None:
    run = a_run(TRAIN, phase_deadline=1030)
    assert views.seconds_left(run, 1005) == 25
    assert views.seconds_left(run, 2000) == 0
    grace = a_run(TRAIN, phase_deadline=1030, grace_since=1010, grace_since_slot=9, grace_seconds=5)
    assert views.seconds_left(grace, 1005) == 10
    assert views.seconds_left(a_run(0), 1005) is None
    waiting = a_run(1, waiting_since=1000, waiting_since_slot=9)
    assert views.seconds_left(waiting, 1004) == 6
    assert views.seconds_left(a_run(1), 1004) is None


def due(run: views.Run, now: Moment, *rounds: Round) -> Transition | None:
    return views.due_transition(run, ROSTER, decoded(*rounds), now)


def test_a_start_is_due_when_enough_members_waited() -> None:
    enough = {"joined": 3, "waiting_since": START.time, "waiting_since_slot": START.chain_slot}
    assert due(a_run(1, **enough), after(9)) is None
    assert due(a_run(1, **enough), after(10)) is Transition.START_WARMUP
    assert due(a_run(1, **enough | {"joined": 16}), after(0)) is Transition.START_WARMUP
    assert due(a_run(1, joined=2), after(100)) is None


def test_warmup_waits_for_those_that_joined_before() -> None:
    entropy = {"entropy_stored": 1, "ready": 2, "joined": 1, "warmup_member_id": 50}
    states = {0: {"state": 2, "member_id": 1}, 1: {"state": 1, "member_id": 49}}
    early = views.decode_roster(roster_bytes(states))
    late = views.decode_roster(roster_bytes(states | {1: {"state": 1, "member_id": 50}}))
    run = a_run(2, **entropy)
    assert views.due_transition(run, early, [], after(1)) is None
    assert views.due_transition(run, early, [], after(20)) is Transition.START_EPOCH
    assert views.due_transition(run, late, [], after(1)) is Transition.START_EPOCH


def test_warmup_stores_its_entropy_first() -> None:
    run = a_run(2, ready=2, entropy_target_slot=5002)
    assert due(run, Moment(1001, 5002)) is None
    assert due(run, Moment(1001, 5003)) is Transition.STORE_ENTROPY


def test_train_closes_when_nobody_is_waited_for() -> None:
    run = a_run(TRAIN, round=5, phase_deadline=1030)
    assert due(run, after(1), a_round(committed=1)) is None
    assert due(run, after(1), a_round(committed=1, gone=1)) is Transition.CLOSE_TRAIN
    assert due(run, after(30), a_round()) is Transition.CLOSE_TRAIN
    grace = a_run(
        TRAIN, round=5, grace_since=START.time, grace_since_slot=START.chain_slot, grace_seconds=4
    )
    assert due(grace, after(3), a_round(committed=1)) is None
    assert due(grace, after(4), a_round(committed=1)) is Transition.CLOSE_TRAIN


def test_witnesses_settle_their_target() -> None:
    run = a_run(WITNESS, round=5)
    before = a_round(4, entropy_stored=1)
    target = {"committed": 2, "entropy_stored": 1, "draws": 1}
    assert due(run, after(1), before, a_round(attested=0b01, **target)) is None
    all_in = a_round(attested=0b11, **target)
    assert due(run, after(1), before, all_in) is Transition.SETTLE
    silent = a_round(**target)
    assert due(run, after(12), before, silent) is Transition.REDRAW_WITNESSES
    again = a_round(**target | {"draws": 2})
    assert due(run, after(12), before, again) is Transition.SETTLE_FAILED
    assert due(run, after(12), a_round(4), all_in) is None


def test_a_settled_target_lets_the_run_move_on() -> None:
    run = a_run(WITNESS, round=5)
    returned = a_round(committed=1, entropy_stored=1, settled=1, returned_to=10)
    assert due(run, after(1), a_round(4), returned) is Transition.ADVANCE
    settled = a_round(committed=1, entropy_stored=1, settled=1, returned_to=4)
    assert due(run, after(1), a_round(4), settled) is Transition.GIVE_BACK
    assert due(a_run(TRAIN, round=5), after(1), settled) is None


def test_the_last_commitment_makes_the_end_of_training_due() -> None:
    run = a_run(TRAIN, round=5)
    one_in = decoded(a_round(committed=1))
    assert views.due_after_commit(run, ROSTER, one_in, after(1)) is Transition.CLOSE_TRAIN
    assert views.due_after_commit(run, ROSTER, decoded(a_round()), after(1)) is None


def test_the_last_attestation_makes_settling_due() -> None:
    run = a_run(WITNESS, round=5)
    header = {"committed": 2, "entropy_stored": 1, "attested": 0b01}
    records = decoded(a_round(4, entropy_stored=1), a_round(**header))
    assert views.due_after_attest(run, ROSTER, records, after(1), 1) is Transition.SETTLE
    assert views.due_after_attest(run, ROSTER, records, after(1), 0) is None


def test_with_overlap_the_round_before_is_the_target() -> None:
    run = views.decode_run(
        run_bytes(
            phase=WITNESS,
            round=5,
            phase_started_at=START.time,
            phase_started_slot=START.chain_slot,
            config={"overlap": 1},
        )
    )
    target = a_round(4, committed=2, entropy_stored=1, attested=0b11)
    records = decoded(target, a_round())
    found = views.target_of(run, records)
    assert found is not None
    assert found.round == 4
    assert views.due_transition(run, ROSTER, records, after(1)) is Transition.SETTLE


def test_a_round_s_entropy_is_stored_when_its_slot_is_past() -> None:
    run = a_run(WITNESS, round=5)
    noted = a_round(committed=1, entropy_target_slot=5002)
    assert due(run, Moment(1001, 5002), noted) is None
    assert due(run, Moment(1001, 5003), noted) is Transition.STORE_ENTROPY


COOLED: dict[str, Any] = {"cooldown_entropy_stored": 1, "vote": {"kind": 2, "agreed": 1}}


def test_cooldown_ends_in_time_whatever_was_published() -> None:
    assert due(a_run(5, cooldown_entropy_stored=1), after(39)) is None
    assert due(a_run(5, cooldown_entropy_stored=1), after(40)) is Transition.END_EPOCH


def test_cooldown_ends_with_an_agreement_and_a_confirmed_checkpoint() -> None:
    published: dict[str, Any] = {"valid": 1, "publishers": [90, 0], "uri_len": [4, 0]}
    assert due(a_run(5, **COOLED), after(1)) is None
    # Nobody else said the agreed digest: the publication is enough.
    run = a_run(5, **COOLED, pending_checkpoint=published)
    assert due(run, after(1)) is Transition.END_EPOCH
    undecided = {"cooldown_entropy_stored": 1, "pending_checkpoint": published}
    assert due(a_run(5, **undecided), after(1)) is None


def test_the_entropy_of_cooldown_is_stored_when_its_slot_is_past() -> None:
    run = a_run(5, cooldown_entropy_slot=5002)
    assert due(run, Moment(1001, 5002)) is None
    assert due(run, Moment(1001, 5003)) is Transition.STORE_ENTROPY


def test_nothing_is_due_while_a_run_rests() -> None:
    assert due(a_run(0), after(10_000)) is None
    assert due(a_run(6), after(10_000)) is None


def test_reveals_open_when_all_voted_or_half_of_the_time_went_by() -> None:
    vote = {
        "kind": 2,
        "eligible": 3,
        "committed": 2,
        "opened_at": START.time,
        "opened_slot": START.chain_slot,
        "reveal_at": START.time + 20,
    }
    assert not views.reveals_open(a_run(5), after(1))
    assert not views.reveals_open(a_run(5, vote=vote), after(19))
    assert views.reveals_open(a_run(5, vote=vote), after(20))
    assert views.reveals_open(a_run(5, vote=vote | {"absent": 1}), after(1))
    assert views.reveals_open(a_run(5, vote=vote | {"revealed": 1}), after(1))
    snapshot = vote | {"kind": 1, "epoch": 1, "reveal_round": 8}
    assert not views.reveals_open(a_run(TRAIN, epoch=1, round=7, vote=snapshot), after(99))
    assert views.reveals_open(a_run(TRAIN, epoch=1, round=8, vote=snapshot), after(1))


def test_everybody_has_a_turn_to_send_tick() -> None:
    run = a_run(TRAIN, round=5)
    order = views.tick_order(run, ROSTER)
    assert sorted(order) == [2, 7, 9]
    assert [views.tick_turn(run, ROSTER, slot) for slot in order] == [0, 1, 2]
    assert views.tick_turn(run, ROSTER, 3) is None
    orders = {tuple(views.tick_order(a_run(TRAIN, round=number), ROSTER)) for number in range(30)}
    assert len(orders) == 6


def test_while_nothing_runs_every_member_may_send_tick() -> None:
    roster = views.decode_roster(
        roster_bytes({slot: {"state": state} for slot, state in enumerate(range(8))})
    )
    assert sorted(views.tick_order(a_run(1), roster)) == [1, 2, 3, 4]


def test_instances_tell_runs_apart() -> None:
    assert a_run(1).instance == INSTANCE
