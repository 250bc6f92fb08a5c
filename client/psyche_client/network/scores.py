"""Marks against peers, bans, and which peer to ask next. Pure: time is an argument."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

_BAN_AT = 10.0
_HALF_LIFE_SECONDS = 60.0
_LONGEST_BAN_SECONDS = 3600.0
#: Bans stop doubling after so long without one.
_FORGIVEN_SECONDS = 3600.0
#: What an unknown peer is assumed to deliver: hopeful, so that new peers are tried.
_UNKNOWN_BYTES_PER_SECOND = 2.0e6
_SMOOTHING = 0.3
#: Part of any transfer's time that does not depend on its size.
_LATENCY_SECONDS = 0.02


class Offence(Enum):
    """What a peer did, with its marks; ten marks at once or in a short time are a ban."""

    FALSE_BYTES = ("sent false bytes", 10.0)
    MALFORMED = ("sent a malformed message", 10.0)
    FLOOD = ("flooded", 10.0)
    STALL = ("stalled", 4.0)

    @property
    def text(self) -> str:
        """The offence in words."""
        return self.value[0]

    @property
    def marks(self) -> float:
        """How heavily it counts."""
        return self.value[1]


@dataclass(slots=True)
class _Record:
    marks: float = 0.0
    marked_at: float = 0.0
    bans: int = 0
    banned_at: float = float("-inf")
    banned_until: float = float("-inf")
    rate: float | None = None
    in_flight: int = 0


class Scoreboard:
    """Marks, bans and measured throughput by node key."""

    def __init__(self, ban_seconds: float = 15.0, rng: random.Random | None = None) -> None:
        self._ban_seconds = ban_seconds
        self._rng = rng or random.Random()
        self._records: dict[bytes, _Record] = {}

    def offend(self, node: bytes, offence: Offence, now: float) -> bool:
        """Note an offence; True if the peer is banned by it."""
        record = self._of(node)
        faded: float = 0.5 ** ((now - record.marked_at) / _HALF_LIFE_SECONDS)
        record.marks = record.marks * faded + offence.marks
        record.marked_at = now
        if record.marks < _BAN_AT:
            return False
        if now - record.banned_at > _FORGIVEN_SECONDS:
            record.bans = 0
        length = min(self._ban_seconds * 2.0**record.bans, _LONGEST_BAN_SECONDS)
        record.bans += 1
        record.marks = 0.0
        record.banned_at = now
        record.banned_until = now + length
        return True

    def banned_until(self, node: bytes, now: float) -> float | None:
        """When the peer's ban ends, or None if it is not banned."""
        record = self._records.get(node)
        return record.banned_until if record and record.banned_until > now else None

    def delivered(self, node: bytes, size: int, seconds: float) -> None:
        """Note a transfer that succeeded."""
        useful = max(seconds - _LATENCY_SECONDS, seconds / 4, 1e-4)
        record = self._of(node)
        rate = size / useful
        old = rate if record.rate is None else record.rate
        record.rate = old + _SMOOTHING * (rate - old)

    def slow(self, node: bytes) -> None:
        """Note a transfer that failed: the peer is believed to be half as fast."""
        record = self._of(node)
        record.rate = (record.rate or _UNKNOWN_BYTES_PER_SECOND) / 2

    def began(self, node: bytes) -> None:
        """A request to this peer is under way."""
        self._of(node).in_flight += 1

    def ended(self, node: bytes) -> None:
        """A request to this peer is over, one way or the other."""
        self._of(node).in_flight -= 1

    def in_flight(self, node: bytes) -> int:
        """How many requests to this peer are under way."""
        record = self._records.get(node)
        return record.in_flight if record else 0

    def ranked(self, nodes: Iterable[bytes], size: int) -> list[bytes]:
        """The peers by the time at which each should be done with `size` bytes, best first.

        A little chance spreads the first requests over peers of equal speed.
        """
        return sorted(nodes, key=lambda node: self._expected(node, size))

    def keep(self, nodes: set[bytes], now: float) -> None:
        """Forget who is not in `nodes`, unless it is banned or in use."""
        for node in [node for node in self._records if node not in nodes]:
            record = self._records[node]
            if not record.in_flight and now - record.banned_at > _FORGIVEN_SECONDS:
                del self._records[node]

    def _expected(self, node: bytes, size: int) -> float:
        record = self._of(node)
        rate = record.rate or _UNKNOWN_BYTES_PER_SECOND
        seconds = _LATENCY_SECONDS + size * (1 + record.in_flight) / rate
        return seconds * self._rng.uniform(0.8, 1.25)

    def _of(self, node: bytes) -> _Record:
        return self._records.setdefault(node, _Record())
