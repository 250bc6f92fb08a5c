import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyche_client.network import wire
from psyche_client.network.wire import (
    Announce,
    Answer,
    Get,
    Hello,
    Kind,
    Message,
    Ping,
    Pong,
    Status,
    WireError,
)

HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=20).map(tuple)
U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
U62 = st.integers(0, 2**62)


def gets(kind: Kind) -> st.SearchStrategy[Message]:
    size = wire.HASH_BYTES
    return st.builds(Get, st.just(kind), st.binary(min_size=size, max_size=size), U62, U62)


MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Hello, st.binary(min_size=32, max_size=32), U64, U32, HASHES),
    st.builds(Announce, HASHES),
    st.builds(Ping, U64),
    st.builds(Pong, U64),
    st.one_of([gets(kind) for kind in Kind]),
    st.builds(lambda total, cut: Answer(Status.OK, total, min(cut, total)), U64, U64),
    st.sampled_from([Answer(status) for status in Status]),
)


@given(MESSAGES)
def test_each_message_survives_encoding(message: Message) -> None:
    assert wire.decode(wire.encode(message)) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    try:
        message = wire.decode(data)
    except WireError:
        return
    assert wire.encode(message) == data


@given(MESSAGES, st.data())
def test_a_changed_byte_gives_another_message_or_a_wire_error(
    message: Message, data: st.DataObject
) -> None:
    frame = bytearray(wire.encode(message))
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    try:
        other = wire.decode(bytes(frame))
    except WireError:
        return
    assert other != message


@given(MESSAGES, st.integers(1, 40))
def test_a_cut_or_padded_frame_is_refused(message: Message, count: int) -> None:
    frame = wire.encode(message)
    for broken in (frame[:-count], frame + bytes(count)):
        with pytest.raises(WireError):
            wire.decode(broken)


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 16, 17, 18, 19, 32])
def test_a_body_over_its_types_limit_is_refused_by_the_header_alone(kind: int) -> None:
    header = struct.pack("<BBI", wire.VERSION, kind, 40_000)
    with pytest.raises(WireError, match="over the limit"):
        wire.decode_header(header)


def test_another_version_is_refused() -> None:
    with pytest.raises(WireError, match="version 2"):
        wire.decode_header(struct.pack("<BBI", 2, 3, 8))


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(WireError, match="unknown message type 77"):
        wire.decode_header(struct.pack("<BBI", wire.VERSION, 77, 0))


def test_a_range_beyond_64_bits_is_refused() -> None:
    with pytest.raises(WireError, match="64 bits"):
        wire.decode(wire.encode(Get(Kind.PIECE, bytes(32), 2**64 - 1, 1)))


def test_a_refusal_that_carries_bytes_is_refused() -> None:
    with pytest.raises(WireError, match="status 3"):
        wire.decode(wire.encode(Answer(Status.BUSY, 10, 10)))


def test_more_hashes_than_fit_a_message_are_not_encoded() -> None:
    with pytest.raises(WireError, match="too long"):
        wire.encode(Announce((bytes(32),) * (wire.MAX_COMMITMENTS + 1)))


@pytest.mark.parametrize(
    "message", [Get(Kind.HISTORY, bytes(8)), Announce((b"short",)), Hello(b"", 0, 0), Ping(-1)]
)
def test_values_that_do_not_fit_their_fields_are_not_encoded(message: Message) -> None:
    with pytest.raises(WireError):
        wire.encode(message)


def test_a_payload_request_has_these_bytes() -> None:
    frame = wire.encode(Get(Kind.PAYLOAD, b"k" * 32, 1, 2))
    assert frame == b"\x01\x10\x30\0\0\0" + b"k" * 32 + b"\x01" + bytes(7) + b"\x02" + bytes(7)
