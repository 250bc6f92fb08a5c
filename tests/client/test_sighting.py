"""What one wallet sees of a run, read from the bytes of its three accounts."""

from typing import Any

import numpy as np
import pytest

from psyche_client.decide import Phase, Standing, VoteStage
from psyche_client.sighting import (
    NEWCOMER_SECONDS,
    TURN_SECONDS,
    Turns,
)
from psyche_client.store import next_chain_hash
from psyche_sdk import views
from psyche_sdk._generated import layouts
from psyche_sdk.coordinator import Snapshot
from psyche_sdk.errors import AccountError
from support.accounts import CAPACITY, Round, roster_bytes, rounds_bytes, run_bytes
from support.sights import (
    ALICE,
    BEHIND,
    BOB,
    COMMITMENTS,
    DROPPED,
    EJECTED,
    JOINED,
    LEFT,
    MEMBERS,
    READY,
    START,
    WITNESS,
    Clock,
    a_round,
    a_settled_round,
    account,
    see,
    snapshot,
)


def test_a_member_sees_its_seat_and_the_others() -> None:
    seen = see(snapshot(a_round(), epoch=0, step=41, chain_hash=b"h" * 32))
    assert seen.seat is not None
    assert (seen.seat.slot, seen.seat.member_id, seen.seat.misses) == (7, 70, 1)
    assert seen.standing is Standing.ACTIVE
    assert [seat.slot for seat in seen.seats] == [2, 7]
    assert (seen.phase, seen.round, seen.step) == (Phase.TRAIN, 5, 41)
    assert seen.chain_hash == b"h" * 32


def test_who_joined_a_moment_ago_is_a_newcomer() -> None:
    joined = START - NEWCOMER_SECONDS
    members = {2: MEMBERS[2] | {"joined_at": joined}, 7: MEMBERS[7] | {"joined_at": joined + 1}}
    assert [seat.newcomer for seat in see(snapshot(members=members)).seats] == [False, True]


@pytest.mark.parametrize(
    ("state", "standing"),
    [
        (JOINED, Standing.JOINED),
        (READY, Standing.READY),
        (BEHIND, Standing.BEHIND),
        (LEFT, Standing.NONE),
        (DROPPED, Standing.NONE),
        (EJECTED, Standing.EJECTED),
    ],
)
def test_a_wallets_standing_is_that_of_its_slot(state: int, standing: Standing) -> None:
    members = {7: MEMBERS[7] | {"state": state}}
    assert see(snapshot(members=members)).standing is standing


def test_a_stranger_holds_no_slot_and_has_no_role() -> None:
    seen = see(snapshot(a_round()), wallet=b"m" * 32)
    assert (seen.seat, seen.standing, seen.my_turn) == (None, Standing.NONE, False)
    assert seen.current is not None
    assert len(seen.current.positions) == 0
    assert seen.current.witness is None


def test_a_trainer_sees_its_positions_and_a_witness_its_place() -> None:
    shot = snapshot(a_round())
    alice, bob = see(shot).current, see(shot, BOB).current
    assert alice is not None
    assert bob is not None
    assert alice.positions.tolist() == [100, 101, 102, 103]
    assert bob.positions.tolist() == [104, 105, 106, 107, 108, 109]
    assert (alice.witness, bob.witness) == (None, 0)


def test_a_member_sees_its_next_share_once_that_is_drawn() -> None:
    whole = {slot: one | {"weight": 1} for slot, one in MEMBERS.items()}
    config = {"epoch_rounds": 9, "total_steps": 99, "batch_sequences_end": 10, "min_members": 1}
    for stored, drawn in ((0, []), (1, list(range(500, 510)))):
        before = Round({"round": 4, "entropy": b"e" * 32, "entropy_stored": stored})
        shot = snapshot(before, a_round(), members=whole, config=config, fresh_cursor=500, active=2)
        shares = [see(shot, wallet).ahead.tolist() for wallet in (ALICE, BOB)]
        assert sorted(shares[0] + shares[1]) == drawn
        assert all(len(share) == len(drawn) // 2 for share in shares)


def test_a_new_holder_of_a_slot_has_no_part_in_its_predecessors_round() -> None:
    members = MEMBERS | {7: MEMBERS[7] | {"member_id": 71}}
    seen = see(snapshot(a_round(), members=members)).current
    assert seen is not None
    assert len(seen.positions) == 0


def test_what_a_witness_attested_is_read_back() -> None:
    mask = [0] * CAPACITY
    mask[7] = 1
    seen = see(snapshot(a_round(columns={"mask": mask}, attested=1)), BOB).current
    assert seen is not None
    assert (seen.attested, seen.attested_bits) == (True, {7})
    assert seen.unattested == 0


def test_who_is_still_waited_for_is_counted() -> None:
    seen = see(snapshot(a_round(committed=1))).current
    assert seen is not None
    assert (seen.awaited, seen.unattested) == (1, 1)


def test_a_settled_record_has_everything_that_a_replay_needs() -> None:
    seen = see(snapshot(a_settled_round())).find(0, 4)
    assert seen is not None
    of = seen.as_settled()
    assert of.members == ((2, 20, COMMITMENTS[2]), (7, 70, COMMITMENTS[7]))
    (decoded,) = views.decode_rounds(rounds_bytes([a_settled_round()]))
    assert next_chain_hash(of) == views.next_chain_hash(decoded)
    commitment = seen.commitments[7]
    assert (commitment.size, commitment.loss, commitment.tokens) == (607, 4.5, 32)


def test_an_accepted_slot_that_never_committed_gives_no_round_to_apply() -> None:
    shot = snapshot(a_settled_round(accepted=(2, 7, 9)))
    assert see(shot).next_settled(b"p" * 32) is None


def test_agreed_states_are_the_last_one_and_the_snapshots() -> None:
    shot = snapshot(
        agreed={"valid": 1, "step": 40, "digest": b"d" * 32, "chain_hash": b"h" * 32},
        snapshots=np.zeros(2, layouts.RUN["snapshots"].base),
    )
    assert [(s.step, s.digest, s.chain_hash) for s in see(shot).states] == [
        (40, b"d" * 32, b"h" * 32)
    ]


def voting(stage: int, **changes: Any) -> Any:
    vote: dict[str, Any] = {
        "kind": 1, "epoch": 0, "round": 4, "step": 4, "chain_hash": b"v" * 32,
        "reveal_round": 6, "close_round": 8, "eligible": 2, "opened_slot": 1,
    }  # fmt: skip
    members = MEMBERS | {7: MEMBERS[7] | {"vote_stage": stage}}
    number = changes.pop("round", 5)
    return see(snapshot(members=members, round=number, vote=vote | changes)).vote


def test_only_who_may_vote_sees_the_vote() -> None:
    assert voting(0) is None
    assert voting(1).chain_hash == b"v" * 32


@pytest.mark.parametrize(
    ("number", "stage"),
    [(5, VoteStage.COMMIT), (6, VoteStage.REVEAL), (8, VoteStage.CLOSED)],
)
def test_a_snapshots_vote_goes_from_hidden_to_open_to_closed(number: int, stage: VoteStage) -> None:
    assert voting(2, round=number, committed=1).stage is stage


@pytest.mark.parametrize(
    ("stage", "voted", "revealed"), [(1, False, False), (2, True, False), (3, True, True)]
)
def test_a_vote_shows_what_this_wallet_has_sent(stage: int, voted: bool, revealed: bool) -> None:
    vote = voting(stage)
    assert (vote.voted, vote.revealed) == (voted, revealed)


def test_a_witness_is_late_in_the_second_half_of_its_time() -> None:
    shot = snapshot(a_round(), phase=WITNESS, phase_deadline=START + 12)
    assert not see(shot, now=START + 5).attest_late
    assert see(shot, now=START + 6).attest_late


def test_members_take_turns_at_a_tick_that_is_due() -> None:
    clock = Clock()
    turns = Turns(clock)
    due = ("close train", 0, 5)
    assert turns.mine(due, 0)
    assert not turns.mine(due, 1)
    clock.seconds = TURN_SECONDS
    assert turns.mine(due, 1)
    assert not turns.mine(due, 2)
    assert not turns.mine(due, None)


def test_a_new_transition_starts_the_turns_anew() -> None:
    clock = Clock()
    turns = Turns(clock)
    turns.mine(("close train", 0, 5), 1)
    clock.seconds = 10 * TURN_SECONDS
    assert turns.mine(("close train", 0, 5), 1)
    assert not turns.mine(("settle", 0, 5), 1)


def test_exactly_one_member_ticks_first() -> None:
    shot = snapshot(a_round(committed=2), phase_deadline=START + 30)
    assert see(shot).due
    assert sorted([see(shot).my_turn, see(shot, BOB).my_turn]) == [False, True]


def test_nobody_ticks_what_is_not_due() -> None:
    shot = snapshot(a_round(), phase_deadline=START + 30)
    assert not see(shot).due
    assert not see(shot).my_turn


DAMAGE = {
    "an empty run": {"run": b""},
    "a run cut short": {"run": run_bytes()[:-1]},
    "an unknown phase": {"run": run_bytes(phase=77)},
    "a roster that is a run": {"roster": run_bytes()},
    "a roster of other slots": {"roster": roster_bytes({}, capacity=8)},
    "an unknown state of a member": {"roster": roster_bytes({1: {"state": 99}})},
    "records of other slots": {"rounds": rounds_bytes([Round()], capacity=8)},
    "a trainer outside the slots": {
        "rounds": rounds_bytes([a_round(columns={"order": [7, 2000]})])
    },
    "a text that is too long": {"run": run_bytes(model_uri_len=255)},
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_accounts_have_a_typed_error(damage: dict[str, bytes]) -> None:
    sound = snapshot(a_round())
    parts = {"run": sound.run, "roster": sound.roster, "rounds": sound.rounds}
    parts |= {name: account(data) for name, data in damage.items()}
    shot = Snapshot(chain_slot=9, unix_seconds=START, **parts)
    with pytest.raises(AccountError):
        see(shot)
