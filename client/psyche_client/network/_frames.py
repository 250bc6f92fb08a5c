"""Whole messages over iroh streams."""

from iroh import iroh_ffi as iroh

from psyche_client.network import wire

_BATCH_BYTES = 1 << 16


async def read_message(stream: iroh.RecvStream) -> tuple[wire.Message, int]:
    """The next message and its size in bytes; WireError or IrohError if there is none.

    Memory is bounded by the longest body of the message's type.
    """
    kind, length = wire.decode_header(await stream.read_exact(wire.HEADER_BYTES))
    body = await stream.read_exact(length) if length else b""
    return wire.decode_body(kind, body), wire.HEADER_BYTES + length


class MessageReader:
    """Messages of a long-lived stream, read in batches: one call into iroh for many."""

    def __init__(self, stream: iroh.RecvStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def next(self) -> tuple[wire.Message, int]:
        """The next message and its size in bytes; WireError or IrohError if there is none."""
        await self._fill(wire.HEADER_BYTES)
        kind, length = wire.decode_header(bytes(self._buffer[: wire.HEADER_BYTES]))
        size = wire.HEADER_BYTES + length
        await self._fill(size)
        message = wire.decode_body(kind, bytes(self._buffer[wire.HEADER_BYTES : size]))
        del self._buffer[:size]
        return message, size

    async def _fill(self, size: int) -> None:
        while len(self._buffer) < size:
            data = await self._stream.read(_BATCH_BYTES)
            if not data:
                raise wire.WireError("the stream ended within a message")
            self._buffer += data


def kind_name(message: wire.Message) -> str:
    """Name under which a message's bytes are counted."""
    match message:
        case wire.Get() as get:
            return get.kind.name.lower()
        case wire.Ping() | wire.Pong():
            return "ping"
        case _:
            return type(message).__name__.lower()
