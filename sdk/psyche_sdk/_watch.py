"""Watches an account: notifications where they come, polling where they do not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from solders.pubkey import Pubkey

from psyche_sdk._transport import Transport
from psyche_sdk.errors import RpcError

S = TypeVar("S")

_log = logging.getLogger(__name__)
_RETRY_SECONDS_FIRST = 0.25
_RETRY_SECONDS_CAP = 8.0


class Watch:
    """Rings when the account may have changed; see `rings`.

    Args:
        transport: to the cluster.
        address: the account.
        commitment: how sure a change must be.
        poll_seconds: how long to wait at most between two rings.
        blind_poll_seconds: the same while there is no subscription.
    """

    def __init__(
        self,
        transport: Transport,
        address: Pubkey,
        *,
        commitment: str,
        poll_seconds: float,
        blind_poll_seconds: float,
    ) -> None:
        self._transport = transport
        self._params = [str(address), {"encoding": "base64", "commitment": commitment}]
        self._poll_seconds = poll_seconds
        self._blind_poll_seconds = blind_poll_seconds
        self._changed = asyncio.Event()
        self._subscribed = False

    async def wait(self) -> None:
        """Return when the account may have changed, after the poll interval at the latest."""
        seconds = self._poll_seconds if self._subscribed else self._blind_poll_seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()

    async def listen(self) -> None:
        """Keep a subscription up, for ever; runs as a task of its own."""
        wait = _RETRY_SECONDS_FIRST
        while True:
            stream = self._transport.subscribe("accountSubscribe", self._params)
            try:
                async with contextlib.aclosing(stream):
                    async for _ in stream:
                        # The first item says that the subscription stands: what changed before it
                        # was not notified, so it rings too.
                        self._subscribed = True
                        wait = _RETRY_SECONDS_FIRST
                        self._changed.set()
            except RpcError as error:
                _log.info("subscription lost, polling: %s", error)
            self._subscribed = False
            await asyncio.sleep(wait)
            wait = min(2 * wait, _RETRY_SECONDS_CAP)


async def states(
    watch: Watch, read: Callable[[], Awaitable[S]], *, retry_seconds: float
) -> AsyncGenerator[S, None]:
    """Yield what `read` returns each time the watch rings; wait through outages of the nodes."""
    listener = asyncio.create_task(watch.listen())
    down = False
    try:
        while True:
            try:
                state = await read()
            except RpcError as error:
                if not down:
                    _log.warning("no answer from the cluster, waiting: %s", error)
                down = True
                await asyncio.sleep(retry_seconds)
                continue
            if down:
                _log.warning("the cluster answers again")
            down = False
            yield state
            await watch.wait()
    finally:
        listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listener
