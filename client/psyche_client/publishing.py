"""The checkpoint of an epoch: publishing it, and looking at what others published.

Who confirms has fetched the manifest and one drawn piece from the very node that published, and
found them to be those of the agreed digest. A node that is dead, or serves other bytes, is asked
until Cooldown is over, and never longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from psyche_client.chain import Chain
from psyche_client.events import EventLog
from psyche_client.model.digest import digest, parse_manifest, verify_piece
from psyche_client.model.errors import ModelError
from psyche_client.network import Exchange, Kind, NetworkError
from psyche_client.resync import MANIFEST_BYTES_MAX
from psyche_client.seen import Offer, Sight
from psyche_sdk.views import drawn_piece, node_uri

CHECK_SECONDS = 60.0
"""How long a node is asked before it is asked anew, seconds."""


class Publishing:
    """What this client does about checkpoints; facts for `decide`, and the acts themselves.

    Args:
        changed: called when a check ended.
    """

    def __init__(
        self, chain: Chain, exchange: Exchange, log: EventLog, changed: Callable[[], None]
    ) -> None:
        self._chain, self.exchange, self._log = chain, exchange, log
        self._changed = changed
        self._right: set[Offer] = set()
        self._tasks: dict[Offer, asyncio.Task[None]] = {}

    def look(self, sight: Sight) -> None:
        """Forgets what is no longer asked for."""
        offers = set(_offers(sight))
        self._right &= offers
        for offer in self._tasks.keys() - offers:
            self._tasks.pop(offer).cancel()

    def checking(self, sight: Sight) -> frozenset[int]:
        """Places that are being looked at."""
        return frozenset(one.place for one in _offers(sight) if one in self._tasks)

    def checked(self, sight: Sight) -> frozenset[int]:
        """Places where all was right."""
        return frozenset(one.place for one in _offers(sight) if one in self._right)

    async def publish(self, sight: Sight) -> None:
        """Names this client's node.

        Raises:
            ChainError: the chain refused it.
        """
        assert sight.seat is not None
        uri = node_uri(sight.seat.node_key)
        await self._chain.publish_checkpoint(sight, uri)
        self._log.write("published", epoch=sight.epoch, uri=uri)

    async def check(self, sight: Sight) -> None:
        """Begins to fetch from whoever published and was not asked yet."""
        for offer in _offers(sight):
            if offer not in self._tasks and offer not in self._right:
                task = asyncio.create_task(self._check(offer))
                self._tasks[offer] = task
                task.add_done_callback(partial(self._ended, offer))

    async def confirm(self, sight: Sight) -> None:
        """Confirms one publication that was found right.

        Raises:
            ChainError: the chain refused it.
        """
        place = min(self.checked(sight))
        await self._chain.confirm_checkpoint(sight, place)
        self._log.write("confirmed", epoch=sight.epoch, place=place)

    async def close(self) -> None:
        """Ends what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, offer: Offer, _: asyncio.Task[None]) -> None:
        self._tasks.pop(offer, None)
        self._changed()

    async def _check(self, offer: Offer) -> None:
        try:
            await fetch_drawn(self.exchange, offer, self._chain.wallet)
        except (NetworkError, ModelError) as error:
            place = f"place {offer.place} of epoch {offer.epoch}"
            self._log.write("error", message=f"a checkpoint cannot be confirmed, {place}: {error}")
        else:
            self._right.add(offer)


def _offers(sight: Sight) -> Iterable[Offer]:
    return () if sight.checkpoint is None else sight.checkpoint.offers


async def fetch_drawn(exchange: Exchange, offer: Offer, wallet: bytes) -> None:
    """Fetches the manifest and the drawn piece from the node that published, and checks them.

    Raises:
        NetworkError: it did not serve them in time.
        ModelError: what has the agreed digest is no manifest.
    """
    raw = await exchange.fetch_blob(
        Kind.MANIFEST,
        offer.digest,
        lambda data: digest(data) == offer.digest,
        timeout=CHECK_SECONDS,
        max_size=MANIFEST_BYTES_MAX,
        only=offer.node_key,
    )
    manifest = parse_manifest(raw)
    pieces = [
        (name, index)
        for name, entry in manifest.entries.items()
        for index in range(len(entry.pieces))
    ]
    name, index = pieces[drawn_piece(offer.seed, wallet, len(pieces))]

    def right(data: bytes) -> bool:
        verify_piece(manifest, name, index, data)
        return True

    await exchange.fetch_blob(
        Kind.PIECE,
        manifest.pieces(name)[index],
        right,
        timeout=CHECK_SECONDS,
        max_size=manifest.entry(name).piece_bytes(index),
        only=offer.node_key,
    )
