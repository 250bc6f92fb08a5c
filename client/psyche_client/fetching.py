"""Keeps the payloads of closed rounds coming: each fetched once, checked once, then served on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import sha256

from psyche_client.custody import custody_leaf, merkle_root
from psyche_client.events import EventLog
from psyche_client.network import Exchange, FetchFailed, Kind
from psyche_client.payloads import PayloadKey, WantedPayload
from psyche_client.seen import RoundSeen
from psyche_client.store import Store, StoreError

FETCH_SECONDS = 10.0
"""One try; a payload that is still wanted is tried again."""
KNOWN_MAX = 65_536
"""Verdicts of the form check that are remembered."""


Claim = tuple[bytes, PayloadKey]
"""A commitment and whose it is said to be: what a trainer committed to may be another's payload."""


class Fetcher:
    """Fetches what is wanted, in the background, and remembers which payloads have the right form.

    All is known by claim, not by commitment alone: whoever copies another's commitment changes
    nothing about the other's, and the copy is of the wrong form.

    Args:
        check: whether bytes are a payload of the right form; called in a worker thread.
        changed: called after each payload that arrived.
        bytes_max: largest payload of the run.
    """

    def __init__(
        self,
        exchange: Exchange,
        store: Store,
        log: EventLog,
        *,
        check: Callable[[bytes, PayloadKey], bool],
        changed: Callable[[], None],
        bytes_max: int,
    ) -> None:
        self._bytes_max = bytes_max
        self._exchange, self._store, self._log = exchange, store, log
        self._check, self._changed = check, changed
        self._tasks: dict[Claim, asyncio.Task[None]] = {}
        self._good: dict[Claim, bool] = {}
        self.received_bytes = 0

    def want(self, payloads: Iterable[WantedPayload]) -> None:
        """Starts what is not here and not on its way."""
        for wanted in payloads:
            claim = wanted.commitment, wanted.key
            if claim not in self._good and claim not in self._tasks:
                task = asyncio.create_task(self._bring(wanted))
                self._tasks[claim] = task
                task.add_done_callback(partial(self._done, claim))

    def _done(self, claim: Claim, _: asyncio.Task[None]) -> None:
        self._tasks.pop(claim, None)

    def keep_own(self, key: PayloadKey, payload: bytes) -> bytes:
        """Puts this client's own payload on disk and returns its commitment.

        Raises:
            StoreError: the disk refuses it.
        """
        commitment = self._store.put_payload(key.epoch, key.round, key.slot, payload)
        self._good[commitment, key] = True
        return commitment

    def holds(self, commitment: bytes) -> bool:
        """Whether the payload is on disk, of whatever form."""
        return self._store.holds(commitment)

    def good(self, commitment: bytes, key: PayloadKey) -> bool:
        """Whether the payload is here, is that of this trainer and has the right form."""
        return self._good.get((commitment, key), False) and self.holds(commitment)

    def custody(
        self, wallet: bytes, target: RoundSeen, slots: frozenset[int]
    ) -> tuple[frozenset[int], bytes]:
        """Which of these slots' payloads can be read, and the custody root over them.

        Reads and hashes all of them: for a worker thread.
        """
        leaves = {}
        for slot in sorted(slots):
            payload = self._store.payload(target.commitments[slot].digest)
            if payload is not None:
                leaves[slot] = custody_leaf(target.entropy, wallet, payload)
        return frozenset(leaves), merkle_root(leaves.values())

    async def bring(self, wanted: WantedPayload, timeout: float) -> None:
        """Waits until one payload is here.

        Raises:
            FetchFailed: nobody gave it in time.
        """
        self.want([wanted])
        task = self._tasks.get((wanted.commitment, wanted.key))
        if task is not None:
            await asyncio.wait([task], timeout=timeout)
        if not self.holds(wanted.commitment):
            raise FetchFailed(f"payload {wanted.commitment.hex()[:8]}", {})

    async def close(self) -> None:
        """Ends what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _bring(self, wanted: WantedPayload) -> None:
        data = self._store.payload(wanted.commitment)
        if data is None:
            started = time.monotonic()
            try:
                data = await self._fetch(wanted)
            except FetchFailed:
                return  # whoever wants it still asks again
            self.received_bytes += len(data)
            seconds = round(time.monotonic() - started, 4)
            self._log.write("fetched", what="payload", bytes=len(data), seconds=seconds)
        await self._keep(wanted, data)

    async def _fetch(self, wanted: WantedPayload) -> bytes:
        hints = [wanted.trainer] if wanted.trainer else []
        if wanted.size is not None:
            return await self._exchange.fetch(
                wanted.commitment,
                wanted.size,
                hints,
                timeout=FETCH_SECONDS,
                max_size=self._bytes_max,
            )
        return await self._exchange.fetch_blob(
            Kind.PAYLOAD,
            wanted.commitment,
            lambda data: sha256(data).digest() == wanted.commitment,
            hints,
            timeout=FETCH_SECONDS,
            max_size=self._bytes_max,
        )

    async def _keep(self, wanted: WantedPayload, data: bytes) -> None:
        key = wanted.key
        good = wanted.size in (None, len(data)) and await asyncio.to_thread(self._check, data, key)
        try:
            self._store.put_payload(key.epoch, key.round, key.slot, data)
        except StoreError as error:
            self._log.write("error", message=str(error))
            return
        while len(self._good) >= KNOWN_MAX:
            del self._good[next(iter(self._good))]
        self._good[wanted.commitment, key] = good
        self._exchange.announce([wanted.commitment])
        self._changed()
