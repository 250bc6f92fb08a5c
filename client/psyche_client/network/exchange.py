"""What the client holds: members in, verified bytes out. See docs/network.md."""

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from iroh import iroh_ffi as iroh

from psyche_client.network import wire
from psyche_client.network._counters import Counters
from psyche_client.network._fetching import Hunt, Verify, Wanted, is_sha256, unique
from psyche_client.network._link import Link
from psyche_client.network._mesh import Mesh
from psyche_client.network._serving import Server
from psyche_client.network._types import (
    BlobSource,
    FetchFailed,
    Member,
    OnEvent,
    PeerStatus,
    Settings,
)
from psyche_client.network.endpoint import Endpoint
from psyche_client.network.wire import Kind


class _ServingMesh(Mesh):
    """A mesh that answers requests."""

    server: Server

    async def serve(self, link: Link, stream: iroh.BiStream) -> None:
        await self.server.serve(link, stream)


class Exchange:
    """Payloads, parameters and history among the members of one run.

    Use it as `async with Exchange(...)`, within one event loop; only `BlobSource.load`
    is called from threads. The endpoint is the caller's to close.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        source: BlobSource,
        instance: bytes,
        on_event: OnEvent | None = None,
        settings: Settings | None = None,
    ) -> None:
        """Serve `source` in the run with this `instance` (32 bytes); see Settings."""
        self._settings = settings or Settings()
        self._mesh = _ServingMesh(endpoint, instance, on_event, self._settings)
        self._mesh.server = Server(self._mesh, source)
        self._slots = asyncio.Semaphore(self._settings.download_slots)
        self._flights: dict[bytes, asyncio.Task[bytes]] = {}

    async def __aenter__(self) -> Self:
        """Begin to accept connections."""
        self._mesh.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections and end all tasks."""
        await self.close()

    async def start(self) -> Self:
        """Begin to accept connections; `async with` does it too."""
        return await self.__aenter__()

    async def close(self) -> None:
        """Close all connections and end all tasks; pending fetches are cancelled."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await self._mesh.close()

    def set_members(self, members: Mapping[bytes, Member]) -> None:
        """Take the roster: node key -> Member, after each change. One's own key is ignored.

        Who is new is dialled, who is gone is disconnected; nobody else may connect.
        """
        self._mesh.set_members(members)
        self._mesh.server.gate.forget(set(members))

    def set_epoch(self, epoch: int) -> None:
        """The epoch that new peers are told."""
        self._mesh.epoch = epoch

    def announce(self, commitments: Iterable[bytes]) -> None:
        """Tell all peers that these hashes (commitments, digests) are held here now."""
        self._mesh.announce(commitments)

    def withdraw(self, commitments: Iterable[bytes]) -> None:
        """No longer tell new peers that these are held."""
        self._mesh.withdraw(commitments)

    async def fetch(
        self,
        commitment: bytes,
        size: int,
        hints: Iterable[bytes] = (),
        *,
        timeout: float,
        max_size: int,
    ) -> bytes:
        """The payload with this sha256, from whoever has it, within `timeout` seconds.

        `size` is what its trainer says: it helps to choose whom to ask, and is no peer's fault if
        it is wrong. Who offers more than `max_size` bytes is banned for a while. `hints` are node
        keys that should have it (its trainer, witnesses that attested). Several calls for one
        payload share one transfer. FetchFailed at the deadline.
        """
        wanted = Wanted(
            Kind.PAYLOAD,
            commitment,
            is_sha256(commitment),
            max_size,
            size,
            unique(hints),
        )
        end = self._mesh.now() + timeout
        while (flight := self._flights.get(commitment)) is not None and not flight.done():
            try:
                async with asyncio.timeout_at(end):
                    return await asyncio.shield(flight)
            except FetchFailed:
                continue  # Its deadline was earlier than ours.
            except TimeoutError:
                raise FetchFailed(wanted.name(), {}) from None
            except asyncio.CancelledError:
                # Whoever began the flight gave up; only our own cancellation ends ours.
                if not flight.cancelled() or _is_cancelling():
                    raise
        return await self._fly(wanted, end - self._mesh.now())

    async def fetch_blob(
        self,
        kind: Kind,
        key: bytes,
        verify: Verify,
        hints: Iterable[bytes] = (),
        *,
        timeout: float,
        max_size: int,
        only: bytes | None = None,
    ) -> bytes:
        """A manifest, piece or history record that `verify` accepts, within `timeout` seconds.

        `verify(bytes)` returns whether they are right (a ValueError counts as no; for more
        than 1 MiB it runs in a thread). A peer that sent others is banned for a while.
        FetchFailed at the deadline. Fetch pieces concurrently: peers share the work.
        With `only` no other node than this one is asked.
        """
        wanted = Wanted(kind, key, verify, max_size, None, unique(hints), only)
        return await self._hunt(wanted).run(timeout)

    def peers(self) -> list[PeerStatus]:
        """All other members by slot, connected or not."""
        mesh, now = self._mesh, self._mesh.now()
        result = []
        for node, member in mesh.members.items():
            link, tally = mesh.links.get(node), mesh.counters.of(node)
            rtt = link.rtt_seconds if link else None
            result.append(
                PeerStatus(
                    node_key=node,
                    slot=member.slot,
                    alive=link is not None,
                    rtt_ms=None if rtt is None else 1000.0 * rtt,
                    sent_bytes=tally.sent,
                    received_bytes=tally.received,
                    path=link.path() if link else "",
                    banned=mesh.board.banned_until(node, now) is not None,
                    epoch=link.epoch if link else None,
                )
            )
        return sorted(result, key=lambda peer: peer.slot)

    def holders(self, commitment: bytes) -> list[bytes]:
        """Connected peers that said that they hold this."""
        return [n for n, link in self._mesh.links.items() if commitment in link.announced]

    def counters(self) -> Counters:
        """Bytes sent and received so far, by kind and by peer."""
        return self._mesh.counters

    async def _fly(self, wanted: Wanted, seconds: float) -> bytes:
        task = asyncio.create_task(self._hunt(wanted).run(max(seconds, 0.0)))
        self._flights[wanted.key] = task
        try:
            return await task
        finally:
            if self._flights.get(wanted.key) is task:
                del self._flights[wanted.key]

    def _hunt(self, wanted: Wanted) -> Hunt:
        if len(wanted.key) != wire.HASH_BYTES:
            raise ValueError(f"a key of {len(wanted.key)} bytes for {wanted.name()}")
        return Hunt(self._mesh, wanted, self._slots, self._mesh.now())


def _is_cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
