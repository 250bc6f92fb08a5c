"""Waiting for something to change among the peers."""

import asyncio
import contextlib
from collections.abc import Iterable


class Pulse:
    """Wakes those who wait for a blob when something changes among the peers."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Event] = {}

    def fire(self, keys: Iterable[bytes] | None = None) -> None:
        """Wake all who wait for one of these keys; without keys, all."""
        for key in list(self._waiting) if keys is None else keys:
            if event := self._waiting.pop(key, None):
                event.set()

    async def wait(self, key: bytes, seconds: float) -> None:
        """Wait for the next `fire` of this key, but no longer than this."""
        event = self._waiting.setdefault(key, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
