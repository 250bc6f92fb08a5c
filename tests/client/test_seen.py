"""What a client makes of what it sees: which payloads to fetch, what comes next, what is due."""

from typing import Any

import numpy as np
import pytest

from psyche_client.decide import Phase, VoteStage
from psyche_client.seen import RoundSeen, StateVoteSeen, view, wanted_payloads
from support.client import START, record, seat, settled, sight

PAYLOADS = {1: b"one", 2: b"two"}
FIRST = settled(0, PAYLOADS)
POSITIONS = np.arange(3, dtype=np.uint64)


def open_round(**changes: Any) -> RoundSeen:
    """Round 0, committed by slots 1 and 2, Train closed, not settled."""
    values: dict[str, Any] = {"settled": False, "accepted": (), "chain_hash_after": bytes(32)}
    return record(FIRST, PAYLOADS, **(values | changes))


def test_payloads_of_a_round_that_still_trains_are_not_wanted() -> None:
    seen = sight(rounds=(open_round(train_closed=False),))
    assert wanted_payloads(seen) == []


def test_all_committed_payloads_of_a_closed_round_are_wanted_from_their_trainers() -> None:
    seen = sight(rounds=(open_round(),), seats=(seat(1),))
    found = wanted_payloads(seen)
    assert [wanted.key.slot for wanted in found] == [1, 2]
    assert [wanted.size for wanted in found] == [3, 3]
    assert [wanted.trainer for wanted in found] == [seat(1).node_key, b""]


def test_of_a_settled_round_only_the_accepted_payloads_are_wanted() -> None:
    of = settled(0, {2: b"two"})
    found = wanted_payloads(sight(rounds=(record(of, PAYLOADS),)))
    assert [wanted.key.slot for wanted in found] == [2]


def test_a_settled_record_says_what_a_replay_needs() -> None:
    assert record(FIRST, PAYLOADS).as_settled() == FIRST
    assert sight(rounds=(record(FIRST, PAYLOADS),)).next_settled(START) == FIRST


def test_a_round_that_is_not_settled_or_follows_another_history_is_not_next() -> None:
    assert sight(rounds=(open_round(),)).next_settled(START) is None
    assert sight(rounds=(record(FIRST, PAYLOADS),)).next_settled(b"h" * 32) is None


def test_a_record_whose_chain_hash_does_not_fit_is_not_applied() -> None:
    wrong = record(FIRST, PAYLOADS, chain_hash_after=bytes(32))
    assert sight(rounds=(wrong,)).next_settled(START) is None


@pytest.mark.parametrize(("overlap", "number"), [(0, 3), (1, 2)])
def test_the_attested_round_lags_behind_by_the_overlap(overlap: int, number: int) -> None:
    rounds = tuple(open_round(round=n) for n in (1, 2, 3))
    target = sight(rounds=rounds, round=3, overlap=overlap).target
    assert target is not None
    assert target.round == number


def test_a_member_with_positions_trains_until_its_commitment_is_there() -> None:
    mine = open_round(positions=POSITIONS, train_closed=False)
    assert view(sight(rounds=(mine,), seat=seat(4))).trains
    assert not view(sight(rounds=(mine,), seat=seat(4))).committed
    assert view(sight(rounds=(mine,), seat=seat(1))).committed
    assert not view(sight(rounds=(open_round(),))).trains


@pytest.mark.parametrize(
    ("phase", "overlap", "entropy", "is_open"),
    [
        (Phase.WITNESS, 0, True, True),
        (Phase.WITNESS, 0, False, False),
        (Phase.TRAIN, 0, True, False),
        (Phase.TRAIN, 1, True, True),
        (Phase.COOLDOWN, 0, True, False),
    ],
)
def test_witnesses_attest_when_the_entropy_is_there_and_the_phase_allows_it(
    phase: Phase, overlap: int, entropy: bool, is_open: bool
) -> None:
    target = open_round(witness=0, entropy_stored=entropy)
    seen = view(sight(phase=phase, overlap=overlap, round=overlap, rounds=(target,)))
    assert seen.witnesses
    assert seen.attest_open is is_open
    assert seen.attestable == {1, 2}


def test_nobody_attests_a_settled_round_or_without_being_drawn() -> None:
    done = record(FIRST, PAYLOADS, witness=0)
    assert not view(sight(phase=Phase.WITNESS, rounds=(done,))).witnesses
    assert not view(sight(phase=Phase.WITNESS, rounds=(open_round(),))).witnesses


def test_a_run_without_records_or_vote_asks_for_nothing() -> None:
    seen = view(sight(seat=None))
    assert (seen.trains, seen.witnesses, seen.vote) == (False, False, VoteStage.CLOSED)
    assert seen.attestable == frozenset()


def test_a_vote_shows_how_far_this_client_came() -> None:
    vote = StateVoteSeen(
        epoch=0, round=1, step=1, chain_hash=START, stage=VoteStage.REVEAL, voted=True,
        revealed=False,
    )  # fmt: skip
    seen = view(sight(vote=vote))
    assert (seen.vote, seen.voted, seen.revealed) == (VoteStage.REVEAL, True, False)
