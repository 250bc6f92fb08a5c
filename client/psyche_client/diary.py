"""What a client writes down of a run: phases, roles, members, time trained and waited."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from psyche_client.events import EventLog
from psyche_client.network import PeerStatus
from psyche_client.payloads import PayloadKey
from psyche_client.seen import KeptCheckpoint, Sight, view


class Diary:
    """Turns what is seen again and again into one event a change."""

    def __init__(self, log: EventLog, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._seen: tuple[object, ...] = ()
        self._place: tuple[object, ...] = ()
        self._round_started: float | None = None
        self._training_seconds = 0.0
        self._kept: KeptCheckpoint | None = None

    def look(self, sight: Sight, peers: Iterable[PeerStatus] = ()) -> None:
        """Writes down what is new: a phase, a round and who is connected then, a checkpoint."""
        self._checkpoint(sight.kept)
        seen = (sight.phase, sight.epoch, sight.round)
        if seen == self._seen:
            return
        self._seen = seen
        self._log.write(
            "phase",
            phase=sight.phase.name.lower(),
            epoch=sight.epoch,
            round=sight.round,
            deadline=sight.deadline,
        )
        # An epoch's first round has roles only once its record is there: when Train begins.
        place = (sight.epoch, sight.round, sight.current is not None)
        if place != self._place:
            self._place = place
            self._round(sight)
            self._peers(peers)

    def trained(self, key: PayloadKey, seconds: float) -> None:
        """Writes down how long a share took."""
        self._training_seconds += seconds
        self._log.write(
            "training_seconds", epoch=key.epoch, round=key.round, seconds=round(seconds, 4)
        )

    def _checkpoint(self, kept: KeptCheckpoint | None) -> None:
        if kept is None or kept == self._kept:
            return
        self._kept = kept
        self._log.write(
            "kept",
            epoch=kept.epoch,
            step=kept.step,
            digest=kept.digest,
            confirmations=kept.confirmations,
            uris=kept.uris,
        )

    def _round(self, sight: Sight) -> None:
        place = {"epoch": sight.epoch, "round": sight.round}
        now = self._clock()
        if self._round_started is not None:
            waited = max(0.0, now - self._round_started - self._training_seconds)
            self._log.write("waiting_seconds", **place, seconds=round(waited, 4))
        self._round_started, self._training_seconds = now, 0.0
        seen = view(sight)
        roles = [n for n, has in (("trainer", seen.trains), ("witness", seen.witnesses)) if has]
        self._log.write("roles", **place, role="+".join(roles) or "-")
        members = [
            {"slot": s.slot, "state": s.state.value, "misses": s.misses} for s in sight.seats
        ]
        self._log.write("members", members=members)

    def _peers(self, peers: Iterable[PeerStatus]) -> None:
        rows = [
            {
                "slot": peer.slot,
                "path": peer.path.split(" ")[0],
                "rtt_ms": peer.rtt_ms,
                "received_bytes": peer.received_bytes,
            }
            for peer in peers
            if peer.alive
        ]
        self._log.write("peers", peers=rows)
