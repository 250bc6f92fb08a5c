"""Borsh: codecs from which those of structs, enums and instructions are put together."""

from __future__ import annotations

import struct as _struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Generic, TypeVar

from solders.pubkey import Pubkey

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)

_VARIANT_LIMIT = 256
_PUBKEY_BYTES = 32


class DecodeError(ValueError):
    """Bytes that are no value of the type: too short, a bad tag, or bytes left over."""


class Reader:
    """Takes bytes from the front of a buffer and refuses to go past its end."""

    __slots__ = ("_data", "offset")

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self._data = data
        self.offset = offset

    @property
    def remaining(self) -> int:
        """Bytes not yet taken."""
        return len(self._data) - self.offset

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if count > self.remaining:
            raise DecodeError(
                f"{count} bytes wanted at offset {self.offset}, {self.remaining} left"
            )
        start = self.offset
        self.offset += count
        return self._data[start : self.offset]


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How one type is written and read."""

    write: Callable[[bytearray, T], None]
    read: Callable[[Reader], T]

    def encode(self, value: T) -> bytes:
        """Return the bytes of `value`; ValueError if it does not fit the type."""
        out = bytearray()
        self.write(out, value)
        return bytes(out)

    def decode(self, data: bytes, *, offset: int = 0, exact: bool = True) -> T:
        """Return the value that starts at `offset`; `exact` refuses bytes behind it."""
        reader = Reader(data, offset)
        value = self.read(reader)
        if exact and reader.remaining:
            raise DecodeError(f"{reader.remaining} bytes left over")
        return value


def _integer(size: int, *, signed: bool) -> Codec[int]:
    def write(out: bytearray, value: int) -> None:
        try:
            out += int(value).to_bytes(size, "little", signed=signed)
        except OverflowError:
            kind = "i" if signed else "u"
            raise ValueError(f"{value} does not fit {kind}{size * 8}") from None

    def read(reader: Reader) -> int:
        return int.from_bytes(reader.take(size), "little", signed=signed)

    return Codec(write, read)


def _float(code: str) -> Codec[float]:
    packer = _struct.Struct(code)

    def write(out: bytearray, value: float) -> None:
        try:
            out += packer.pack(value)
        except OverflowError:
            raise ValueError(f"{value} does not fit f{packer.size * 8}") from None

    def read(reader: Reader) -> float:
        return float(packer.unpack(reader.take(packer.size))[0])

    return Codec(write, read)


def _write_bool(out: bytearray, value: bool) -> None:
    out.append(1 if value else 0)


def _read_bool(reader: Reader) -> bool:
    tag = reader.take(1)[0]
    if tag > 1:
        raise DecodeError(f"{tag} is no bool")
    return tag == 1


def _write_bytes(out: bytearray, value: bytes) -> None:
    U32.write(out, len(value))
    out += value


def _read_bytes(reader: Reader) -> bytes:
    return reader.take(U32.read(reader))


def _write_string(out: bytearray, value: str) -> None:
    _write_bytes(out, value.encode())


def _read_string(reader: Reader) -> str:
    data = _read_bytes(reader)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(f"no UTF-8 text: {error.reason}") from None


def _write_pubkey(out: bytearray, value: Pubkey) -> None:
    out += bytes(value)


def _read_pubkey(reader: Reader) -> Pubkey:
    return Pubkey(reader.take(_PUBKEY_BYTES))


U8: Final = _integer(1, signed=False)
U16: Final = _integer(2, signed=False)
U32: Final = _integer(4, signed=False)
U64: Final = _integer(8, signed=False)
U128: Final = _integer(16, signed=False)
U256: Final = _integer(32, signed=False)
I8: Final = _integer(1, signed=True)
I16: Final = _integer(2, signed=True)
I32: Final = _integer(4, signed=True)
I64: Final = _integer(8, signed=True)
I128: Final = _integer(16, signed=True)
I256: Final = _integer(32, signed=True)
F32: Final = _float("<f")
F64: Final = _float("<d")
BOOL: Final = Codec(_write_bool, _read_bool)
BYTES: Final = Codec(_write_bytes, _read_bytes)
STRING: Final = Codec(_write_string, _read_string)
PUBKEY: Final = Codec(_write_pubkey, _read_pubkey)


def fixed_bytes(size: int) -> Codec[bytes]:
    """Return the codec of `[u8; size]`."""

    def write(out: bytearray, value: bytes) -> None:
        if len(value) != size:
            raise ValueError(f"{size} bytes wanted, {len(value)} given")
        out += value

    return Codec(write, lambda reader: reader.take(size))


def option(inner: Codec[T]) -> Codec[T | None]:
    """Return the codec of `Option<T>`; None stands for the absent value."""

    def write(out: bytearray, value: T | None) -> None:
        _write_bool(out, value is not None)
        if value is not None:
            inner.write(out, value)

    def read(reader: Reader) -> T | None:
        return inner.read(reader) if _read_bool(reader) else None

    return Codec(write, read)


def vec(inner: Codec[T]) -> Codec[Sequence[T]]:
    """Return the codec of `Vec<T>`; values are read as a tuple."""

    def write(out: bytearray, value: Sequence[T]) -> None:
        U32.write(out, len(value))
        for item in value:
            inner.write(out, item)

    def read(reader: Reader) -> Sequence[T]:
        count = U32.read(reader)
        # Every item takes a byte at least, so a hostile count cannot ask for more than is there.
        if count > reader.remaining:
            raise DecodeError(f"{count} items announced, {reader.remaining} bytes left")
        return tuple(inner.read(reader) for _ in range(count))

    return Codec(write, read)


def array(inner: Codec[T], count: int) -> Codec[Sequence[T]]:
    """Return the codec of `[T; count]`; values are read as a tuple."""

    def write(out: bytearray, value: Sequence[T]) -> None:
        if len(value) != count:
            raise ValueError(f"{count} items wanted, {len(value)} given")
        for item in value:
            inner.write(out, item)

    return Codec(write, lambda reader: tuple(inner.read(reader) for _ in range(count)))


def struct(cls: type[T], *fields: tuple[str, Codec[Any]]) -> Codec[T]:
    """Return the codec of a dataclass: its fields in the order given."""

    def write(out: bytearray, value: T) -> None:
        for name, codec in fields:
            try:
                codec.write(out, getattr(value, name))
            except (ValueError, TypeError, AttributeError) as error:
                raise ValueError(f"{cls.__name__}.{name}: {error}") from error

    def read(reader: Reader) -> T:
        return cls(**{name: codec.read(reader) for name, codec in fields})

    return Codec(write, read)


def enum(cls: type[E]) -> Codec[E]:
    """Return the codec of an enum without data."""

    def read(reader: Reader) -> E:
        tag = reader.take(1)[0]
        try:
            return cls(tag)
        except ValueError:
            raise DecodeError(f"{tag} is no {cls.__name__}") from None

    return Codec(lambda out, value: out.append(cls(value)), read)


def union(name: str, variants: Mapping[type[Any], Codec[Any]]) -> Codec[Any]:
    """Return the codec of an enum with data: a dataclass a variant, tags in the order given."""
    assert len(variants) <= _VARIANT_LIMIT
    classes = list(variants)

    def write(out: bytearray, value: Any) -> None:
        try:
            tag = classes.index(type(value))
        except ValueError:
            raise ValueError(f"{type(value).__name__} is no variant of {name}") from None
        out.append(tag)
        variants[classes[tag]].write(out, value)

    def read(reader: Reader) -> Any:
        tag = reader.take(1)[0]
        if tag >= len(classes):
            raise DecodeError(f"{tag} is no variant of {name}")
        return variants[classes[tag]].read(reader)

    return Codec(write, read)
