"""At the end of a run nobody leaves while a connected member may still need what is here."""

from dataclasses import replace

import pytest

from psyche_client.decide import Phase, Standing
from psyche_client.fetching import Fetcher
from psyche_client.progress import LINGER_SECONDS, Progress, what_i_know
from psyche_client.publishing import Publishing
from psyche_client.seen import Sight
from support.client import START, Peers, agreed, seat, sight

PEER = seat(2).node_key
LAST = agreed(3, b"d" * 32)


class Still:
    """A replica in step, and a fetcher with nothing to fetch."""

    def __init__(self) -> None:
        self.chain_hash = START
        self.candidates: dict[bytes, bytes] = {}


def needed(peers: Peers, seen: Sight, now: Progress | None = None) -> bool:
    me = what_i_know(
        seen,
        now or Progress(),
        Still(),  # type: ignore[arg-type]  # the two facts of a replica that are asked for
        Fetcher.__new__(Fetcher),
        Publishing(None, peers, None, lambda: None),  # type: ignore[arg-type]  # it does nothing
    )
    assert me.synced
    return me.needed


def finished(state: Standing, *, agreed_last: bool = True) -> Sight:
    """A finished run with this client and one other member."""
    states = (LAST,) if agreed_last else ()
    others = (seat(), seat(2, state))
    return sight(phase=Phase.FINISHED, seats=others, states=states)


def connected(*, holds: bytes | None = None) -> Peers:
    peers = Peers()
    peers.alive[PEER] = True
    if holds is not None:
        peers.held[holds] = [PEER]
    return peers


@pytest.mark.parametrize(
    "state", [Standing.ACTIVE, Standing.READY, Standing.JOINED, Standing.BEHIND]
)
def test_a_member_that_did_not_say_that_it_holds_the_last_state_may_need_us(
    state: Standing,
) -> None:
    assert needed(connected(), finished(state))
    assert needed(connected(holds=b"a" * 32), finished(state))


def test_a_member_that_holds_the_last_state_needs_nobody() -> None:
    assert not needed(connected(holds=LAST.digest), finished(Standing.ACTIVE))


def test_a_state_of_an_older_history_does_not_count() -> None:
    older = finished(Standing.ACTIVE)
    older = sight(
        phase=Phase.FINISHED, seats=older.seats, states=(agreed(2, LAST.digest, b"o" * 32),)
    )
    assert needed(connected(holds=LAST.digest), older)


def test_who_is_gone_or_no_member_any_more_is_not_waited_for() -> None:
    peers = connected()
    assert not needed(peers, finished(Standing.EJECTED))
    assert not needed(peers, sight(phase=Phase.FINISHED, states=(LAST,)))
    peers.alive[PEER] = False
    assert not needed(peers, finished(Standing.ACTIVE))


def test_a_newcomer_is_waited_for_before_it_is_connected() -> None:
    new = replace(seat(2, Standing.JOINED), newcomer=True)
    assert needed(Peers(), sight(phase=Phase.FINISHED, seats=(seat(), new), states=(LAST,)))
    assert not needed(
        connected(holds=LAST.digest), sight(phase=Phase.FINISHED, seats=(new,), states=(LAST,))
    )
    mine = replace(seat(), newcomer=True)
    assert not needed(Peers(), sight(phase=Phase.FINISHED, seat=mine, seats=(mine,)))


def test_the_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    time = [1000.0]
    monkeypatch.setattr("psyche_client.progress.time.monotonic", lambda: time[0])
    now, peers, end = Progress(), connected(), finished(Standing.ACTIVE)
    assert needed(peers, end, now)
    time[0] += LINGER_SECONDS
    assert not needed(peers, end, now)
