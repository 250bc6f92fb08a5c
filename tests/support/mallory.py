"""A member that speaks the protocol by hand, and misbehaves as told."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from iroh import iroh_ffi as iroh

from psyche_client.network import Member, wire
from psyche_client.network._frames import read_message
from support.network import BYTES_MAX, INSTANCE, PATIENCE_SECONDS, Peer, sha256

Behaviour = Callable[[iroh.BiStream, wire.Get], Awaitable[None]]


async def silent(_stream: iroh.BiStream, _get: wire.Get) -> None:
    """Never answers."""
    await asyncio.Event().wait()


def answering(data: bytes) -> Behaviour:
    """Answers each request with these bytes."""

    async def answer(stream: iroh.BiStream, get: wire.Get) -> None:
        head = wire.encode(wire.Answer(wire.Status.OK, len(data), len(data) - get.offset))
        await stream.send().write_all(head + data[get.offset :])
        await stream.send().finish()

    return answer


def raw(data: bytes, *, then_hang: bool = False) -> Behaviour:
    """Sends these very bytes for each request."""

    async def answer(stream: iroh.BiStream, _get: wire.Get) -> None:
        await stream.send().write_all(data)
        if then_hang:
            await asyncio.Event().wait()
        await stream.send().finish()

    return answer


class Mallory:
    """Dials a victim as a proper member, says hello, then does what its behaviour says."""

    def __init__(self, endpoint: iroh.Endpoint) -> None:
        self.endpoint = endpoint
        self.key = endpoint.id().to_bytes()
        self.asked: list[wire.Get] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._streams: list[iroh.BiStream] = []

    @property
    def member(self) -> Member:
        """Without an address, so that the victim waits to be dialled."""
        return Member(66, 666, "")

    async def connect(self, victim: Peer) -> iroh.Connection:
        target = iroh.EndpointAddr(
            iroh.EndpointId.from_bytes(victim.key), None, [victim.endpoint.address_text()]
        )
        self.connection = await self.endpoint.connect(target, wire.ALPN)
        return self.connection

    async def join(
        self,
        victim: Peer,
        commitments: tuple[bytes, ...] = (),
        behaviour: Behaviour = silent,
        *,
        instance: bytes = INSTANCE,
        session: int = 1,
    ) -> wire.Message:
        """Connect and exchange hellos; then serve requests with `behaviour`."""
        connection = await self.connect(victim)
        self.control = await connection.open_bi()
        hello = wire.encode(wire.Hello(instance, session, 0, commitments))
        await self.control.send().write_all(hello)
        answer, _ = await read_message(self.control.recv())
        self._spawn(self._pong(self.control))
        self._spawn(self._serve(connection, behaviour))
        return answer

    async def send(self, data: bytes) -> None:
        """Raw bytes on the control stream."""
        await self.control.send().write_all(data)

    async def request(self, data: bytes) -> tuple[wire.Message, bytes]:
        """Send raw bytes on a stream of its own; the answer's head and what follows it."""
        stream = await self.connection.open_bi()
        await stream.send().write_all(data)
        await stream.send().finish()
        answer, _ = await read_message(stream.recv())
        return answer, await stream.recv().read_to_end(1 << 24)

    async def closed(self) -> str:
        """Wait until the connection is closed; why."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.connection.closed()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.endpoint.close()

    async def _pong(self, control: iroh.BiStream) -> None:
        with suppress(iroh.IrohError):
            while True:
                message, _ = await read_message(control.recv())
                if isinstance(message, wire.Ping):
                    await control.send().write_all(wire.encode(wire.Pong(message.nonce)))

    async def _serve(self, connection: iroh.Connection, behaviour: Behaviour) -> None:
        with suppress(iroh.IrohError):
            while True:
                stream = await connection.accept_bi()
                self._streams.append(stream)
                self._spawn(self._behave(stream, behaviour))

    async def _behave(self, stream: iroh.BiStream, behaviour: Behaviour) -> None:
        with suppress(iroh.IrohError):
            get, _ = await read_message(stream.recv())
            assert isinstance(get, wire.Get)
            self.asked.append(get)
            await behaviour(stream, get)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))


PAYLOAD = os.urandom(200_000)
COMMITMENT = sha256(PAYLOAD)


async def fetch(bob: Peer, *hints: bytes, timeout: float = PATIENCE_SECONDS) -> bytes:
    """What bob gets when he asks for the payload."""
    return await bob.exchange.fetch(
        COMMITMENT, len(PAYLOAD), hints, timeout=timeout, max_size=BYTES_MAX
    )
