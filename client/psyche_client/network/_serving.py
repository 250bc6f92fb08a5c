"""The serving side: one request, one answer, within the limits."""

import asyncio
from collections.abc import Awaitable

from iroh import iroh_ffi as iroh

from psyche_client.network import wire
from psyche_client.network._frames import kind_name, read_message
from psyche_client.network._limits import BusyError, UploadGate
from psyche_client.network._link import Link
from psyche_client.network._mesh import Mesh
from psyche_client.network._types import BlobSource
from psyche_client.network.wire import Answer, Get, Kind, Status

CHUNK_BYTES = 1 << 18
_REQUEST_SECONDS = 5.0


class Server:
    """Answers members' requests from a BlobSource."""

    def __init__(self, mesh: Mesh, source: BlobSource) -> None:
        settings = mesh.settings
        self._mesh = mesh
        self._source = source
        self.gate = UploadGate(
            settings.upload_slots,
            settings.upload_slots_per_peer,
            settings.upload_queue_seconds,
            settings.upload_bytes_per_second,
        )

    async def serve(self, link: Link, stream: iroh.BiStream) -> None:
        """Read the request on a fresh stream and answer it.

        WireError if it is none; TimeoutError if the peer does not read the answer.
        """
        async with asyncio.timeout(_REQUEST_SECONDS):
            get, size = await read_message(stream.recv())
        if not isinstance(get, Get):
            raise wire.WireError("a stream must begin with a request")
        self._mesh.counters.received(link.node, kind_name(get), size)
        link.heard()
        if get.kind is Kind.PAYLOAD and not self._source.may_serve(get.key):
            await self._answer(link, stream.send(), get, Answer(Status.NOT_YET))
            return
        try:
            async with self.gate.slot(link.node):
                await self._upload(link, stream.send(), get)
        except BusyError:
            await self._answer(link, stream.send(), get, Answer(Status.BUSY))

    async def _upload(self, link: Link, sender: iroh.SendStream, get: Get) -> None:
        blob = await asyncio.to_thread(self._source.load, get.kind, get.key)
        if blob is None:
            await self._answer(link, sender, get, Answer(Status.NOT_HELD))
            return
        total = len(blob)
        end = get.offset + get.length if get.length else total
        if get.offset > total or end > total:
            await self._answer(link, sender, get, Answer(Status.BAD_RANGE))
            return
        head = wire.encode(Answer(Status.OK, total, end - get.offset))
        await self._within(sender.write_all(head))
        self._mesh.counters.sent(link.node, kind_name(get), len(head))
        with memoryview(blob) as view:
            for start in range(get.offset, end, CHUNK_BYTES):
                chunk = bytes(view[start : min(start + CHUNK_BYTES, end)])
                await self.gate.pace(link.node, len(chunk))
                await self._within(sender.write_all(chunk))
                self._mesh.counters.sent(link.node, kind_name(get), len(chunk))
        await self._within(sender.finish())

    async def _answer(self, link: Link, sender: iroh.SendStream, get: Get, answer: Answer) -> None:
        frame = wire.encode(answer)
        await self._within(sender.write_all(frame))
        await self._within(sender.finish())
        self._mesh.counters.sent(link.node, kind_name(get), len(frame))

    async def _within(self, writing: Awaitable[None]) -> None:
        """A peer that does not read costs a slot for no longer than this."""
        async with asyncio.timeout(self._mesh.settings.stall_seconds * 4):
            await writing
