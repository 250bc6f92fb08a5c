"""What a client knows about itself: the facts beside the chain's that `decide` asks for."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from psyche_client.decide import Me, Phase, Standing
from psyche_client.fetching import Fetcher
from psyche_client.network import Exchange
from psyche_client.payloads import Trained
from psyche_client.publishing import Publishing
from psyche_client.replica import Replica
from psyche_client.seen import Sight

LINGER_SECONDS = 60.0
"""How long a finished run's client still serves those that lag, or tries to catch up itself."""


@dataclass(slots=True)
class Progress:
    """What this client did lately; facts for `decide` that are on no disk."""

    share: tuple[int, int] | None = None
    """(epoch, round) of the share that is trained or was."""
    read: tuple[int, int] | None = None
    """The same, once its sequences are read."""
    ahead: tuple[tuple[int, int], bytes] | None = None
    """In which round which share of the next was fetched in advance."""
    trained: Trained | None = None
    commitment: bytes = b""
    stopping: bool = False
    finished_at: float | None = None
    """When the run was first seen finished."""
    resyncing: bool = False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    trouble: str = ""
    """Why the chain could not be seen lately: said once, not at every try."""
    failure: BaseException | None = None
    """What ended a task that nobody foresaw: it ends the client too."""

    def looks_ahead(self, sight: Sight) -> bool:
        """Whether the next round's share is new; what is trained now is read before it."""
        current = sight.current
        if current is None or (len(current.positions) and self.read != current.key):
            return False
        last, self.ahead = self.ahead, (current.key, sight.ahead.tobytes())
        return len(sight.ahead) > 0 and self.ahead != last

    def lingers(self, sight: Sight) -> bool:
        """Whether the run was finished, and not long ago."""
        if sight.phase is not Phase.FINISHED:
            self.finished_at = None
            return False
        now = time.monotonic()
        if self.finished_at is None:
            self.finished_at = now
        return now - self.finished_at < LINGER_SECONDS


def what_i_know(
    sight: Sight,
    now: Progress,
    replica: Replica,
    fetcher: Fetcher,
    publishing: Publishing,
) -> Me:
    """The client's part of what `decide` decides by."""
    following = sight.next_settled(replica.chain_hash)
    synced = replica.chain_hash == sight.chain_hash
    missing = None
    if following is not None:
        lacking = [slot for slot, _, c in following.members if not fetcher.holds(c)]
        missing = sight.complaint(following.key, lacking)
    committed = sight.target.commitments if sight.target is not None else {}
    vote = sight.vote
    lingers = now.lingers(sight)
    return Me(
        synced=synced,
        can_apply=following is not None and all(fetcher.holds(c) for _, _, c in following.members),
        missing=missing,
        lost=not synced and following is None,
        resyncing=now.resyncing,
        training=now.share is not None and now.trained is None,
        payload_ready=now.trained is not None and now.share == (sight.epoch, sight.round),
        held=frozenset(slot for slot, c in committed.items() if fetcher.good(c.digest, c.key)),
        vote_ready=vote is not None and vote.chain_hash in replica.candidates,
        serves_agreed=sight.checkpoint is not None
        and replica.keeper.serves(sight.checkpoint.digest),
        checking=publishing.checking(sight),
        checked=publishing.checked(sight),
        stopping=now.stopping,
        needed=lingers and _is_needed(sight, publishing.exchange),
        patient=lingers,
    )


def _is_needed(sight: Sight, exchange: Exchange) -> bool:
    """Whether a member may need what is here.

    A member that holds the last agreed state says so to all; of any other it isn't known that it
    came to the end: its slot may be active and its last payloads still on the way. A newcomer may
    not be connected yet.
    """
    last = max(sight.states, key=lambda state: state.step, default=None)
    done: set[bytes] = set()
    if last is not None and last.chain_hash == sight.chain_hash:
        done.update(exchange.holders(last.digest))
    here = {peer.node_key for peer in exchange.peers() if peer.alive}
    return any(
        (seat.newcomer or seat.node_key in here) and seat.node_key not in done
        for seat in sight.seats
        if seat != sight.seat and seat.state is not Standing.EJECTED
    )
