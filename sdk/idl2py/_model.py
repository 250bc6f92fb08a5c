"""The IDL as Python values, read strictly: an unknown construct is an error, never a guess."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

_DISCRIMINATOR_BYTES = 8

#: Borsh primitives -> (Python annotation, codec, numpy code or "", size in bytes or 0).
PRIMITIVES: Mapping[str, tuple[str, str, str, int]] = {
    "bool": ("bool", "BOOL", "?", 1),
    "u8": ("int", "U8", "u1", 1),
    "i8": ("int", "I8", "i1", 1),
    "u16": ("int", "U16", "<u2", 2),
    "i16": ("int", "I16", "<i2", 2),
    "u32": ("int", "U32", "<u4", 4),
    "i32": ("int", "I32", "<i4", 4),
    "f32": ("float", "F32", "<f4", 4),
    "u64": ("int", "U64", "<u8", 8),
    "i64": ("int", "I64", "<i8", 8),
    "f64": ("float", "F64", "<f8", 8),
    "u128": ("int", "U128", "", 16),
    "i128": ("int", "I128", "", 16),
    "u256": ("int", "U256", "", 32),
    "i256": ("int", "I256", "", 32),
    "bytes": ("bytes", "BYTES", "", 0),
    "string": ("str", "STRING", "", 0),
    "pubkey": ("Pubkey", "PUBKEY", "", 32),
}


class IdlError(ValueError):
    """The file is no IDL of specification 0.1.0: something is missing or of the wrong kind."""


class UnsupportedIdlError(IdlError):
    """The IDL is valid but uses a construct that the generator does not know."""


@dataclass(frozen=True, slots=True)
class Primitive:
    """A type that borsh knows by itself."""

    name: str


@dataclass(frozen=True, slots=True)
class Option:
    """A value that may be absent."""

    inner: Type


@dataclass(frozen=True, slots=True)
class Vec:
    """A list with its length in front."""

    inner: Type


@dataclass(frozen=True, slots=True)
class Array:
    """A list of a fixed length."""

    inner: Type
    count: int


@dataclass(frozen=True, slots=True)
class Defined:
    """A type that the IDL defines."""

    name: str


Type: TypeAlias = Primitive | Option | Vec | Array | Defined


@dataclass(frozen=True, slots=True)
class Field:
    """A named value of a struct, a variant or an instruction."""

    name: str
    type: Type
    docs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """A case of an enum; without fields for a plain one."""

    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct.

    `zero_copy`: accounts hold it in its C layout; `c_layout`: its fields are laid out as in C,
    so it may stand in a zero-copy struct; `packed`: as in C, but without alignment.
    """

    name: str
    docs: tuple[str, ...]
    fields: tuple[Field, ...]
    zero_copy: bool
    c_layout: bool
    packed: bool


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum with or without data."""

    name: str
    docs: tuple[str, ...]
    variants: tuple[Variant, ...]

    @property
    def plain(self) -> bool:
        """Whether no variant carries data."""
        return not any(variant.fields for variant in self.variants)


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for a type."""

    name: str
    type: Type


TypeDef: TypeAlias = Struct | Enum | Alias


@dataclass(frozen=True, slots=True)
class Seed:
    """A part of an address: fixed bytes, or the path of an account or an argument."""

    kind: str
    value: bytes = b""
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pda:
    """How an address is derived; `program` is None for the program of the IDL itself."""

    seeds: tuple[Seed, ...]
    program: Seed | None


@dataclass(frozen=True, slots=True)
class Account:
    """An account of an instruction."""

    name: str
    docs: tuple[str, ...]
    writable: bool
    signer: bool
    optional: bool
    address: str | None
    pda: Pda | None


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction with its accounts and arguments in order."""

    name: str
    docs: tuple[str, ...]
    discriminator: bytes
    accounts: tuple[Account, ...]
    args: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Tagged:
    """An account or an event: the name of its type and the bytes that open it."""

    name: str
    discriminator: bytes


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """An error of the program."""

    code: int
    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant, with its value as the IDL spells it."""

    name: str
    docs: tuple[str, ...]
    type: Type
    value: str


@dataclass(frozen=True, slots=True)
class Idl:
    """A whole interface."""

    name: str
    version: str
    address: str
    docs: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    accounts: tuple[Tagged, ...]
    events: tuple[Tagged, ...]
    errors: tuple[ErrorCode, ...]
    constants: tuple[Constant, ...]
    types: Mapping[str, TypeDef]

    def resolve(self, type_: Type, where: str) -> Type:
        """Follow aliases until another kind of type is found."""
        seen: set[str] = set()
        while isinstance(type_, Defined):
            definition = self.types.get(type_.name)
            if definition is None:
                raise IdlError(f"{where}: type {type_.name} is not defined")
            if not isinstance(definition, Alias):
                return type_
            if type_.name in seen:
                raise IdlError(f"{where}: alias {type_.name} leads to itself")
            seen.add(type_.name)
            type_ = definition.type
        return type_


def snake(name: str) -> str:
    """Return a name in Python's spelling; keywords get a trailing underscore."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    return spaced + "_" if keyword.iskeyword(spaced) else spaced


def identifier(value: Any, where: str) -> str:
    """Return `value` if it can stand in Python source as a name."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise IdlError(f"{where}: {value!r} is no name")
    return value


def discriminator(value: Any, where: str) -> bytes:
    """Return the bytes that open an instruction, account or event."""
    data = byte_list(value, where)
    if len(data) != _DISCRIMINATOR_BYTES:
        raise UnsupportedIdlError(f"{where}: a discriminator of {len(data)} bytes; 8 are supported")
    return data


def byte_list(value: Any, where: str) -> bytes:
    """Return a JSON list of bytes as bytes."""
    try:
        return bytes(value) if isinstance(value, list) else _no_bytes()
    except (TypeError, ValueError):
        raise IdlError(f"{where}: no list of bytes") from None


def _no_bytes() -> bytes:
    raise TypeError
