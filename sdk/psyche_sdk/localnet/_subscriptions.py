"""What one websocket client has subscribed to, and the messages it is owed.

A client that reads too slowly is cut off when the messages kept for it pass `QUEUE_BYTES_MAX`,
as nodes do: it can connect again and read the state it missed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey

from psyche_sdk.localnet._encode import AccountForm

QUEUE_BYTES_MAX = 8 * 2**20
QUEUE_MESSAGES_MAX = 10_000
SUBSCRIPTIONS_MAX = 256  # of one client

_numbers = itertools.count(1)


class TooSlow(Exception):  # noqa: N818 - says what the client is
    """The client has not read what was kept for it."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription. `key` is the address, signature or mention; None for slots and all logs."""

    number: int
    kind: str
    key: Pubkey | str | None
    form: AccountForm | None = None
    matches: Callable[[bytes], bool] | None = None


class Client:
    """The subscriptions and the outgoing messages of one connection."""

    def __init__(self) -> None:
        self.subscriptions: dict[int, Subscription] = {}
        self.overrun = False
        self._queue: deque[str] = deque()
        self._queued_bytes = 0
        self._ready = asyncio.Event()

    def subscribe(
        self,
        kind: str,
        key: Pubkey | str | None,
        form: AccountForm | None = None,
        matches: Callable[[bytes], bool] | None = None,
    ) -> Subscription:
        """Adds a subscription with a number of its own."""
        subscription = Subscription(next(_numbers), kind, key, form, matches)
        self.subscriptions[subscription.number] = subscription
        return subscription

    def send(self, text: str) -> None:
        """Queues a message; once the queue is over its limit, `next` raises TooSlow."""
        if self.overrun:
            return
        self._queue.append(text)
        self._queued_bytes += len(text)
        full = len(self._queue) > QUEUE_MESSAGES_MAX or self._queued_bytes > QUEUE_BYTES_MAX
        if full:
            self.overrun = True
            self._queue.clear()
        self._ready.set()

    def notify(self, subscription: Subscription, result: Any) -> None:
        """Queues a notification."""
        self.notify_text(subscription, json.dumps(result, separators=(",", ":")))

    def notify_text(self, subscription: Subscription, result: str) -> None:
        """Queues a notification whose result is JSON text already."""
        self.send(
            f'{{"jsonrpc":"2.0","method":"{subscription.kind}Notification","params":'
            f'{{"result":{result},"subscription":{subscription.number}}}}}'
        )

    async def next(self) -> str:
        """Waits for the next message to send; TooSlow ends the connection."""
        while not self._queue:
            if self.overrun:
                raise TooSlow
            self._ready.clear()
            await self._ready.wait()
        text = self._queue.popleft()
        self._queued_bytes -= len(text)
        return text
