"""The wire format of `psyche/1`: frames and messages, encoded and decoded, no I/O.

A frame is `version u8 | type u8 | body length u32 | body`, little-endian. Each type
has a longest body; a longer one is refused before a byte of it is read. What follows an
`Answer` that says OK is not framed: it is `length` raw bytes of the blob.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

ALPN = b"psyche/1"
VERSION = 1
HEADER_BYTES = 6
HASH_BYTES = 32
MAX_COMMITMENTS = 1024
MAX_KEY_BYTES = HASH_BYTES
_U64_MAX = (1 << 64) - 1

_HEADER = struct.Struct("<BBI")
_HELLO = struct.Struct("<32sQIH")
_COUNT = struct.Struct("<H")
_NONCE = struct.Struct("<Q")
_RANGE = struct.Struct("<QQ")
_ANSWER = struct.Struct("<BQQ")


class WireError(Exception):
    """Bytes that are no message of this protocol; the message says which rule broke."""


class Kind(IntEnum):
    """What can be asked for; the number is the type of the request's frame."""

    #: Key: the commitment (sha256 of the payload).
    PAYLOAD = 16
    #: Key: the digest (sha256 of the manifest).
    MANIFEST = 17
    #: Key: sha256 of the piece.
    PIECE = 18
    #: Key: the chain hash that the settled round continues.
    HISTORY = 19


class Status(IntEnum):
    """How a request is answered."""

    OK = 0
    NOT_HELD = 1
    #: Train of the payload's round has not closed, as far as this peer knows.
    NOT_YET = 2
    #: All upload slots are taken; ask again or ask another.
    BUSY = 3
    #: The range asked for lies outside the blob.
    BAD_RANGE = 4


_HELLO_TYPE, _ANNOUNCE_TYPE, _PING_TYPE, _PONG_TYPE, _ANSWER_TYPE = 1, 2, 3, 4, 32


@dataclass(frozen=True, slots=True)
class Hello:
    """First message both ways: which run, which incarnation of the sender, what it holds.

    `session` is drawn at start, so a peer that restarted under the same key is told
    from a second connection of the same process.
    """

    instance: bytes
    session: int
    epoch: int
    commitments: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Announce:
    """Hashes (commitments, digests) that the sender now holds, beside earlier ones."""

    commitments: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ping:
    """A heartbeat; answered by a Pong with the same nonce."""

    nonce: int


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a Ping."""

    nonce: int


@dataclass(frozen=True, slots=True)
class Get:
    """Ask for `length` bytes of a blob from `offset` on; length 0 means to its end."""

    kind: Kind
    key: bytes
    offset: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer: size of the whole blob, and of the raw bytes that follow."""

    status: Status
    total: int = 0
    length: int = 0


Message = Hello | Announce | Ping | Pong | Get | Answer

_MAX_BODY: dict[int, int] = {
    _HELLO_TYPE: _HELLO.size + MAX_COMMITMENTS * HASH_BYTES,
    _ANNOUNCE_TYPE: _COUNT.size + MAX_COMMITMENTS * HASH_BYTES,
    _PING_TYPE: _NONCE.size,
    _PONG_TYPE: _NONCE.size,
    _ANSWER_TYPE: _ANSWER.size,
    Kind.PAYLOAD: HASH_BYTES + _RANGE.size,
    Kind.MANIFEST: HASH_BYTES + _RANGE.size,
    Kind.PIECE: HASH_BYTES + _RANGE.size,
    Kind.HISTORY: HASH_BYTES + _RANGE.size,
}


def encode(message: Message) -> bytes:
    """A message as one frame. Values out of range are the caller's mistake: WireError."""
    try:
        kind, body = _body_of(message)
    except struct.error as error:
        raise WireError(f"cannot encode {type(message).__name__}: {error}") from None
    if len(body) > _MAX_BODY[kind]:
        raise WireError(f"{type(message).__name__} of {len(body)} bytes is too long")
    return _HEADER.pack(VERSION, kind, len(body)) + body


def decode_header(header: bytes) -> tuple[int, int]:
    """Type and body length of a frame's first HEADER_BYTES; checks version, type, length."""
    if len(header) != HEADER_BYTES:
        raise WireError(f"a header has {HEADER_BYTES} bytes, not {len(header)}")
    version, kind, length = _HEADER.unpack(header)
    if version != VERSION:
        raise WireError(f"version {version} is not spoken here")
    longest = _MAX_BODY.get(kind)
    if longest is None:
        raise WireError(f"unknown message type {kind}")
    if length > longest:
        raise WireError(f"a body of {length} bytes is over the limit of {longest}")
    return kind, length


def decode_body(kind: int, body: bytes) -> Message:
    """The message in a frame's body; WireError unless it is exactly one."""
    try:
        return _decode_body(kind, body)
    except struct.error:
        raise WireError(f"a body of {len(body)} bytes does not fit type {kind}") from None


def decode(frame: bytes) -> Message:
    """The message in exactly one frame."""
    kind, length = decode_header(frame[:HEADER_BYTES])
    if len(frame) != HEADER_BYTES + length:
        raise WireError(f"a frame of {len(frame)} bytes says that its body has {length}")
    return decode_body(kind, frame[HEADER_BYTES:])


def _body_of(message: Message) -> tuple[int, bytes]:
    match message:
        case Hello():
            _want_length("instance", message.instance, HASH_BYTES)
            head = _HELLO.pack(
                message.instance, message.session, message.epoch, len(message.commitments)
            )
            return _HELLO_TYPE, head + _join(message.commitments)
        case Announce():
            return _ANNOUNCE_TYPE, _COUNT.pack(len(message.commitments)) + _join(
                message.commitments
            )
        case Ping():
            return _PING_TYPE, _NONCE.pack(message.nonce)
        case Pong():
            return _PONG_TYPE, _NONCE.pack(message.nonce)
        case Get():
            _want_length("key", message.key, HASH_BYTES)
            return message.kind, message.key + _RANGE.pack(message.offset, message.length)
        case Answer():
            return _ANSWER_TYPE, _ANSWER.pack(message.status, message.total, message.length)


def _decode_body(kind: int, body: bytes) -> Message:
    if kind == _HELLO_TYPE:
        instance, session, epoch, count = _HELLO.unpack_from(body)
        return Hello(instance, session, epoch, _split(body[_HELLO.size :], count))
    if kind == _ANNOUNCE_TYPE:
        (count,) = _COUNT.unpack_from(body)
        return Announce(_split(body[_COUNT.size :], count))
    if kind == _PING_TYPE:
        return Ping(*_NONCE.unpack(body))
    if kind == _PONG_TYPE:
        return Pong(*_NONCE.unpack(body))
    if kind == _ANSWER_TYPE:
        return _decode_answer(body)
    if kind not in _MAX_BODY:
        raise WireError(f"unknown message type {kind}")
    asked = Kind(kind)
    size = HASH_BYTES
    offset, length = _RANGE.unpack(body[size:])
    if offset + length > _U64_MAX:
        raise WireError("a range ends beyond 64 bits")
    return Get(asked, body[:size], offset, length)


def _decode_answer(body: bytes) -> Answer:
    number, total, length = _ANSWER.unpack(body)
    try:
        status = Status(number)
    except ValueError:
        raise WireError(f"unknown status {number}") from None
    if length > total or (status is not Status.OK and (total or length)):
        raise WireError(f"status {number} with {length} of {total} bytes")
    return Answer(status, total, length)


def _want_length(what: str, value: bytes, length: int) -> None:
    if len(value) != length:
        raise WireError(f"{what} has {len(value)} bytes, not {length}")


def _join(hashes: tuple[bytes, ...]) -> bytes:
    for value in hashes:
        _want_length("a commitment", value, HASH_BYTES)
    return b"".join(hashes)


def _split(body: bytes, count: int) -> tuple[bytes, ...]:
    if len(body) != count * HASH_BYTES or count > MAX_COMMITMENTS:
        raise WireError(f"{count} hashes do not fit {len(body)} bytes")
    return tuple(body[i : i + HASH_BYTES] for i in range(0, len(body), HASH_BYTES))
