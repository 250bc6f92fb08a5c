"""Blocks of a corpus from several places, each block checked before anybody sees it.

A place that sends a wrong block is never asked again; one that stalls, breaks off or refuses is
asked after the others. So one honest place that answers is enough.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from .errors import DataError

#: How often all places are tried before giving up, and what is waited in between, doubled.
_ROUNDS: Final = 5
_PAUSE_SECONDS: Final = 1.0


class SourceError(Exception):
    """A place did not give what was asked of it; the text says why, without the place's name."""


class Source(Protocol):
    """A place that serves the files of a prepared corpus."""

    @property
    def name(self) -> str:
        """What people call it."""

    async def read(self, file: str, start: int, size: int) -> bytes:
        """Exactly `size` bytes of a file from byte `start`; SourceError otherwise."""

    async def whole(self, file: str, bytes_max: int) -> bytes:
        """All bytes of a short file; SourceError if it has more than `bytes_max`."""


@dataclass(slots=True)
class _Place:
    source: Source
    failures: int = 0
    lied: bool = False
    reason: str = ""


class Mirrors:
    """Several sources of the same corpus, as one that does not lie."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take them in the order of preference; `pause` waits so many seconds."""
        self._places = [_Place(source) for source in sources]
        self._pause = pause

    async def block(self, file: str, start: int, size: int, sha256: bytes) -> bytes:
        """`size` bytes of a file from byte `start`, of that hash; DataError if nobody has them."""
        return await self._ask(
            f"{file} from byte {start}",
            lambda source: source.read(file, start, size),
            lambda data: len(data) == size and hashlib.sha256(data).digest() == sha256,
        )

    async def whole(self, file: str, bytes_max: int, right: Callable[[bytes], bool]) -> bytes:
        """All of a short file that `right` accepts; DataError if nobody has it."""
        return await self._ask(file, lambda source: source.whole(file, bytes_max), right)

    async def _ask(
        self, what: str, call: Callable[[Source], Awaitable[bytes]], right: Callable[[bytes], bool]
    ) -> bytes:
        for attempt in range(_ROUNDS):
            if attempt:
                await self._pause(_PAUSE_SECONDS * 2 ** (attempt - 1))
            # Sorting is stable: among equals the order of preference stays.
            for place in sorted(self._places, key=lambda place: place.failures):
                if place.lied:
                    continue
                try:
                    data = await call(place.source)
                except SourceError as error:
                    place.failures += 1
                    place.reason = str(error)
                    continue
                if right(data):
                    place.failures = 0
                    return data
                place.lied, place.reason = True, "it sent other bytes than the run names"
            if all(place.lied for place in self._places):
                break
        reasons = "; ".join(f"{place.source.name}: {place.reason}" for place in self._places)
        raise DataError(
            f"nobody has {what} ({reasons})",
            hint="check the connection, or name another source of the run's data with --data",
        )
