import random

import pytest

from psyche_client.network.scores import Offence, Scoreboard

ALICE, BOB, MALLORY = b"a" * 32, b"b" * 32, b"m" * 32


@pytest.fixture
def board() -> Scoreboard:
    return Scoreboard(ban_seconds=10.0, rng=random.Random(7))


@pytest.mark.parametrize("offence", [Offence.FALSE_BYTES, Offence.MALFORMED, Offence.FLOOD])
def test_a_deliberate_offence_bans_at_once(board: Scoreboard, offence: Offence) -> None:
    assert board.offend(MALLORY, offence, 100.0)
    assert board.banned_until(MALLORY, 100.0) == 110.0


def test_a_ban_ends(board: Scoreboard) -> None:
    board.offend(MALLORY, Offence.FLOOD, 100.0)
    assert board.banned_until(MALLORY, 110.0) is None


def test_each_further_ban_is_twice_as_long(board: Scoreboard) -> None:
    for now, end in ((0.0, 10.0), (20.0, 40.0), (50.0, 90.0)):
        board.offend(MALLORY, Offence.FLOOD, now)
        assert board.banned_until(MALLORY, now) == end


def test_a_ban_is_never_longer_than_an_hour(board: Scoreboard) -> None:
    now = 0.0
    for _ in range(40):
        board.offend(MALLORY, Offence.FLOOD, now)
        until = board.banned_until(MALLORY, now)
        assert until is not None
        assert until - now <= 3600.0
        now = until


def test_a_peer_that_behaved_for_an_hour_begins_with_short_bans_again(board: Scoreboard) -> None:
    board.offend(MALLORY, Offence.FLOOD, 0.0)
    board.offend(MALLORY, Offence.FLOOD, 5000.0)
    assert board.banned_until(MALLORY, 5000.0) == 5010.0


def test_stalls_ban_only_when_they_come_close_together(board: Scoreboard) -> None:
    assert [board.offend(BOB, Offence.STALL, 300.0 * n) for n in range(6)] == [False] * 6
    assert [board.offend(ALICE, Offence.STALL, 1.0 * n) for n in range(3)] == [False, False, True]


def test_the_faster_peer_is_asked_first(board: Scoreboard) -> None:
    board.delivered(ALICE, 1 << 20, 0.1)
    board.delivered(BOB, 1 << 20, 1.0)
    assert board.ranked([BOB, ALICE], 1 << 20) == [ALICE, BOB]


def test_a_busy_fast_peer_gives_way_to_an_idle_one(board: Scoreboard) -> None:
    board.delivered(ALICE, 1 << 20, 0.5)
    board.delivered(BOB, 1 << 20, 0.6)
    for _ in range(3):
        board.began(ALICE)
    assert board.ranked([ALICE, BOB], 1 << 20) == [BOB, ALICE]
    for _ in range(3):
        board.ended(ALICE)
    assert board.in_flight(ALICE) == 0


def test_peers_of_equal_speed_are_all_asked_first_at_times(board: Scoreboard) -> None:
    firsts = {board.ranked([ALICE, BOB, MALLORY], 1 << 20)[0] for _ in range(60)}
    assert firsts == {ALICE, BOB, MALLORY}


def test_a_failed_transfer_makes_a_peer_less_likely(board: Scoreboard) -> None:
    for _ in range(4):
        board.slow(BOB)
    assert {board.ranked([ALICE, BOB], 1 << 20)[0] for _ in range(40)} == {ALICE}


def test_leaving_does_not_lift_a_ban(board: Scoreboard) -> None:
    board.offend(MALLORY, Offence.FLOOD, 0.0)
    board.keep(set(), 1.0)
    assert board.banned_until(MALLORY, 1.0) == 10.0
