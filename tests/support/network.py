"""Several clients' networks in one process, over loopback."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from iroh import iroh_ffi as iroh

from psyche_client.network import Endpoint, Event, EventKind, Exchange, Kind, Member, Settings

INSTANCE = bytes(range(32))
PATIENCE_SECONDS = 20.0
BYTES_MAX = 32 << 20
"""Most bytes of a payload."""
QUICK = Settings(
    heartbeat_seconds=0.1,
    dead_seconds=0.6,
    dial_seconds=2.0,
    redial_seconds=0.4,
    stall_seconds=0.4,
    upload_queue_seconds=0.2,
    ban_seconds=30.0,
)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@dataclass
class Shelf:
    """A BlobSource in memory; `open` are the payloads that may be served."""

    blobs: dict[tuple[Kind, bytes], bytes] = field(default_factory=dict)
    open: set[bytes] = field(default_factory=set)
    loads: list[tuple[Kind, bytes]] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    loaded: threading.Event = field(default_factory=threading.Event)

    def put(self, data: bytes, kind: Kind = Kind.PAYLOAD, key: bytes | None = None) -> bytes:
        name = key or sha256(data)
        self.blobs[kind, name] = data
        self.open.add(name)
        return name

    def load(self, kind: Kind, key: bytes) -> bytes | None:
        self.loads.append((kind, key))
        self.loaded.set()
        return self.blobs.get((kind, key))

    def may_serve(self, commitment: bytes) -> bool:
        self.asked.set()
        return commitment in self.open


class Events:
    """Collects events, and waits for one."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self._bell = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self.seen.append(event)
        self._bell.set()

    async def wait(
        self,
        kind: EventKind,
        node: bytes | None = None,
        where: Callable[[Event], bool] | None = None,
    ) -> Event:
        """The first event of this kind (from `node`, if given), past or to come."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for event in self.seen:
                    fits = event.kind is kind and node in (None, event.node_key)
                    if fits and (where is None or where(event)):
                        return event
                self._bell.clear()
                await self._bell.wait()

    def clear(self) -> None:
        self.seen.clear()


@dataclass
class Peer:
    """One client's network."""

    seed: int
    endpoint: Endpoint
    exchange: Exchange
    shelf: Shelf
    events: Events

    @property
    def key(self) -> bytes:
        return self.endpoint.node_key

    async def stop(self) -> None:
        await self.exchange.close()
        await self.endpoint.close()


async def start_peer(
    seed: int, *, settings: Settings = QUICK, shelf: Shelf | None = None, instance: bytes = INSTANCE
) -> Peer:
    endpoint = await Endpoint.start(bytes([seed]) * 32)
    shelf, events = shelf or Shelf(), Events()
    exchange = await Exchange(endpoint, shelf, instance, events, settings).start()
    return Peer(seed, endpoint, exchange, shelf, events)


def roster(peers: Iterable[Peer]) -> dict[bytes, Member]:
    return {p.key: Member(p.seed, 100 + p.seed, p.endpoint.address_text()) for p in peers}


@asynccontextmanager
async def peers(
    count: int, *, settings: Settings = QUICK, connect: bool = True
) -> AsyncIterator[list[Peer]]:
    """Clients 1 .. count, all members, each connected to each."""
    group = [await start_peer(seed, settings=settings) for seed in range(1, count + 1)]
    try:
        if connect:
            await introduce(group)
        yield group
    finally:
        await asyncio.gather(*(peer.stop() for peer in group))


async def introduce(group: list[Peer]) -> None:
    members = roster(group)
    for peer in group:
        peer.exchange.set_members(members)
    for peer in group:
        for other in group:
            if other is not peer:
                await peer.events.wait(EventKind.PEER_UP, other.key)


async def raw_endpoint(seed: int) -> iroh.Endpoint:
    """An endpoint of iroh alone, to misbehave with."""
    return await iroh.Endpoint.bind(
        iroh.EndpointOptions(
            preset=iroh.preset_minimal(),
            bind_addr="127.0.0.1:0",
            secret_key=bytes([seed]) * 32,
            alpns=[b"psyche/1"],
            relay_mode=iroh.RelayMode.disabled(),
        )
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a state that has no event of its own."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)
