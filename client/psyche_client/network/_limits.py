"""Bounds on what peers may take: message rates, upload slots, upload bandwidth."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Allowance:
    """A token bucket: `per_second` on average, `burst` at once. Time is an argument."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = burst
        self._at: float | None = None

    def take(self, now: float, count: float = 1.0) -> bool:
        """Take tokens if they are there; False (and nothing taken) if not."""
        if self.wait(now, count) > 0.0:
            return False
        self._tokens -= count
        return True

    def wait(self, now: float, count: float) -> float:
        """Seconds until `count` tokens (at most the burst) will be there."""
        if self._at is not None:
            gained = max(now - self._at, 0.0) * self._per_second
            self._tokens = min(self._tokens + gained, self._burst)
        self._at = now
        return max(min(count, self._burst) - self._tokens, 0.0) / self._per_second


class BusyError(Exception):
    """No upload slot came free in time."""


class UploadGate:
    """Who may upload now: a few at once, fairly among peers, within a rate.

    A free slot goes to the waiting peer that was given the fewest bytes so far.
    """

    def __init__(
        self, slots: int, slots_per_peer: int, queue_seconds: float, rate: int | None
    ) -> None:
        self._free = slots
        self._slots_per_peer = slots_per_peer
        self._queue_seconds = queue_seconds
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._held: Counter[bytes] = Counter()
        self._given: Counter[bytes] = Counter()
        self._bucket = Allowance(rate, max(rate / 4, 1 << 16)) if rate else None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def slot(self, node: bytes) -> AsyncIterator[None]:
        """Hold one upload slot; BusyError if none came free within the queue's time."""
        await self._acquire(node)
        try:
            yield
        finally:
            self._held[node] -= 1
            if not self._held[node]:
                del self._held[node]
            self._free += 1
            self._hand_out()

    async def pace(self, node: bytes, size: int) -> None:
        """Wait until `size` more bytes may go out; turns go round among the uploads."""
        self._given[node] += size
        if self._bucket is None:
            return
        async with self._turn:
            loop = asyncio.get_running_loop()
            while not self._bucket.take(loop.time(), size):
                await asyncio.sleep(self._bucket.wait(loop.time(), size))

    def forget(self, members: set[bytes]) -> None:
        """Drop the totals of who is no longer a member."""
        for node in [node for node in self._given if node not in members]:
            del self._given[node]

    async def _acquire(self, node: bytes) -> None:
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (node, granted)
        self._waiting.append(entry)
        self._hand_out()
        try:
            async with asyncio.timeout(self._queue_seconds):
                await granted
        except BaseException as error:
            if entry in self._waiting:
                self._waiting.remove(entry)
            elif granted.done() and not granted.cancelled():
                # It was granted and not used: pass it on.
                self._held[node] -= 1
                self._free += 1
                self._hand_out()
            if isinstance(error, TimeoutError):
                raise BusyError from None
            raise

    def _hand_out(self) -> None:
        while self._free:
            able = [e for e in self._waiting if self._held[e[0]] < self._slots_per_peer]
            if not able:
                return
            entry = min(able, key=lambda e: (self._held[e[0]], self._given[e[0]]))
            self._waiting.remove(entry)
            if entry[1].cancelled():
                continue
            self._free -= 1
            self._held[entry[0]] += 1
            entry[1].set_result(None)
