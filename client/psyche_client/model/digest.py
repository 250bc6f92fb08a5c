"""The digest of all parameters, and the manifest behind it, piece by piece (no torch here).

Manifest: b"PSYM" | version u32 = 1 | step u64 | count u32 | per parameter, in bytewise order of
the names: name length u16 | name UTF-8 | dimensions u8 | each u64 | piece count u32 | sha256 of
each 4 MiB piece of its little-endian float32 bytes. All little-endian. Digest: its sha256.
"""

import hashlib
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from .errors import ManifestError

Parameters: TypeAlias = Mapping[str, npt.NDArray[np.float32]]

MAGIC: Final = b"PSYM"
VERSION: Final = 1
PIECE_BYTES: Final = 4 << 20
#: Refused before parsing: a model of 1.7 T parameters stays below.
MANIFEST_BYTES_MAX: Final = 64 << 20
#: Names of hundreds of layers fit; keeps a hostile name from growing large.
NAME_BYTES_MAX: Final = 512
DIMENSIONS_MAX: Final = 8
_HASH_BYTES: Final = 32
_ITEM_BYTES: Final = 4
_HEADER: Final = struct.Struct("<4sIQI")


@dataclass(frozen=True, slots=True)
class Entry:
    """One parameter in a manifest: its shape and the sha256 of each of its pieces."""

    shape: tuple[int, ...]
    pieces: tuple[bytes, ...]

    @property
    def bytes_total(self) -> int:
        """Length of the parameter's float32 bytes."""
        return math.prod(self.shape) * _ITEM_BYTES

    def piece_bytes(self, index: int) -> int:
        """Length of piece `index`; all are 4 MiB but the last."""
        return min(PIECE_BYTES, self.bytes_total - index * PIECE_BYTES)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A parsed manifest: the step, and an `Entry` for each parameter in the order of names."""

    step: int
    entries: dict[str, Entry]

    def pieces(self, name: str) -> tuple[bytes, ...]:
        """The sha256 of each piece of parameter `name`; ManifestError if there is none."""
        return self.entry(name).pieces

    def entry(self, name: str) -> Entry:
        """What the manifest says of parameter `name`; ManifestError if there is none."""
        if name not in self.entries:
            raise ManifestError(f"the manifest has no parameter {name[:NAME_BYTES_MAX]!r}")
        return self.entries[name]

    def check_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raise ManifestError unless names and shapes are `shapes`: call it before allocating."""
        if {name: entry.shape for name, entry in self.entries.items()} != dict(shapes):
            raise ManifestError("the manifest is of another model: names or shapes differ")


def manifest(parameters: Parameters, step: int) -> bytes:
    """The canonical manifest of float32 `parameters` at `step` (0 .. 2^64 - 1)."""
    parts = [_HEADER.pack(MAGIC, VERSION, step, len(parameters))]
    for name in sorted(parameters, key=str.encode):
        array = parameters[name]
        if array.dtype != np.float32:
            raise ManifestError(f"{name} is {array.dtype}, only float32 has a digest")
        hashes = [hashlib.sha256(piece).digest() for piece in pieces(array)]
        encoded = name.encode()
        parts.append(struct.pack("<H", len(encoded)) + encoded)
        parts.append(struct.pack(f"<B{array.ndim}Q", array.ndim, *array.shape))
        parts.append(struct.pack("<I", len(hashes)) + b"".join(hashes))
    return b"".join(parts)


def digest(manifest_bytes: bytes) -> bytes:
    """The 32-byte digest of a manifest: what the chain agrees on."""
    return hashlib.sha256(manifest_bytes).digest()


def digest_of(parameters: Parameters, step: int) -> bytes:
    """The digest of `parameters` at `step`."""
    return digest(manifest(parameters, step))


def pieces(array: npt.NDArray[np.float32]) -> Iterator[memoryview]:
    """The little-endian bytes of `array` in pieces of 4 MiB, the last one shorter."""
    flat = np.ascontiguousarray(array, dtype="<f4").reshape(-1)
    raw = flat.view(np.uint8).data
    for start in range(0, len(raw), PIECE_BYTES):
        yield raw[start : start + PIECE_BYTES]


def read_piece(parameters: Parameters, name: str, index: int) -> bytes:
    """Piece `index` of parameter `name`, to send to a peer; ManifestError if there is none."""
    if name not in parameters:
        raise ManifestError(f"there is no parameter {name[:NAME_BYTES_MAX]!r}")
    for found, piece in enumerate(pieces(parameters[name])):
        if found == index:
            return bytes(piece)
    raise ManifestError(f"{name} has no piece {index}")


def verify_piece(of: Manifest, name: str, index: int, data: bytes) -> None:
    """Raise ManifestError unless `data` is exactly piece `index` of parameter `name`."""
    entry = of.entry(name)
    if not 0 <= index < len(entry.pieces):
        raise ManifestError(f"{name} has no piece {index}")
    if len(data) != entry.piece_bytes(index):
        raise ManifestError(
            f"piece {index} of {name} has {len(data)} bytes, not {entry.piece_bytes(index)}"
        )
    if hashlib.sha256(data).digest() != entry.pieces[index]:
        raise ManifestError(f"piece {index} of {name} has another sha256")


def empty_parameters(of: Manifest) -> dict[str, npt.NDArray[np.float32]]:
    """Zeroed arrays of a manifest's shapes, for `write_piece` (check its shapes before)."""
    return {name: np.zeros(entry.shape, dtype=np.float32) for name, entry in of.entries.items()}


def write_piece(parameters: Parameters, of: Manifest, name: str, index: int, data: bytes) -> None:
    """Verify piece `index` of `name` against the manifest, then store it in `parameters`."""
    verify_piece(of, name, index, data)
    flat = parameters[name].reshape(-1)
    start = index * (PIECE_BYTES // _ITEM_BYTES)
    flat[start : start + len(data) // _ITEM_BYTES] = np.frombuffer(data, dtype="<f4")


def parse_manifest(data: bytes) -> Manifest:
    """Parse hostile bytes; anything but a canonical manifest is a ManifestError."""
    if len(data) > MANIFEST_BYTES_MAX:
        raise ManifestError(f"a manifest of {len(data)} bytes is too long")
    reader = _Reader(bytes(data))
    magic, version, step, count = _HEADER.unpack(reader.take(_HEADER.size))
    if magic != MAGIC or version != VERSION:
        raise ManifestError("not a parameter manifest of version 1")
    entries: dict[str, Entry] = {}
    before = b""
    for _ in range(count):
        encoded = reader.take(reader.whole("<H"))
        if not before < encoded or len(encoded) > NAME_BYTES_MAX:
            raise ManifestError("names are not ascending, or one is empty or too long")
        entries[_decode(encoded)] = _parse_entry(reader)
        before = encoded
    if reader.left():
        raise ManifestError(f"{reader.left()} bytes follow the manifest")
    return Manifest(step=step, entries=entries)


class _Reader:
    """Takes bytes from the front; never beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left():
            raise ManifestError("the manifest ends early")
        self._at += count
        return self._data[self._at - count : self._at]

    def whole(self, form: str) -> int:
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return int(value)


def _decode(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise ManifestError("a parameter's name is not UTF-8") from error


def _parse_entry(reader: _Reader) -> Entry:
    dimensions = reader.whole("<B")
    if dimensions > DIMENSIONS_MAX:
        raise ManifestError(f"a parameter has {dimensions} dimensions")
    shape = tuple(reader.whole("<Q") for _ in range(dimensions))
    count = reader.whole("<I")
    expected = -(-math.prod(shape) * _ITEM_BYTES // PIECE_BYTES)
    if count == 0 or count != expected:
        raise ManifestError(f"shape {shape} does not make {count} pieces")
    raw = reader.take(count * _HASH_BYTES)
    hashes = tuple(raw[at : at + _HASH_BYTES] for at in range(0, len(raw), _HASH_BYTES))
    return Entry(shape=shape, pieces=hashes)
