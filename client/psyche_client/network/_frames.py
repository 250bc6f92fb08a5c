"""Whole messages over iroh streams."""

from iroh import iroh_ffi as iroh

from psyche_client.network import wire


async def read_message(stream: iroh.RecvStream) -> tuple[wire.Message, int]:
    """The next message and its size in bytes; WireError or IrohError if there is none.

    Memory is bounded by the longest body of the message's type.
    """
    kind, length = wire.decode_header(await stream.read_exact(wire.HEADER_BYTES))
    body = await stream.read_exact(length) if length else b""
    return wire.decode_body(kind, body), wire.HEADER_BYTES + length


def kind_name(message: wire.Message) -> str:
    """Name under which a message's bytes are counted."""
    match message:
        case wire.Get() as get:
            return get.kind.name.lower()
        case wire.Ping() | wire.Pong():
            return "ping"
        case _:
            return type(message).__name__.lower()
