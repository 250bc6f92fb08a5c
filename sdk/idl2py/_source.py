"""Pieces of Python source: annotations, codecs, numpy types, docstrings."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from idl2py._model import (
    PRIMITIVES,
    Array,
    Defined,
    Enum,
    Idl,
    IdlError,
    Option,
    Primitive,
    Struct,
    Type,
    UnsupportedIdlError,
    Vec,
    snake,
)

_WIDTH = 96
_U8 = Primitive("u8")
_PUBKEY_BYTES = 32


def scream(name: str) -> str:
    """Return a name in the spelling of constants."""
    return snake(name).rstrip("_").upper()


def camel(name: str) -> str:
    """Return a snake_case name in the spelling of classes."""
    return "".join(part.capitalize() for part in name.split("_"))


def annotation(idl: Idl, type_: Type, where: str, prefix: str = "") -> str:
    """Return the Python annotation of a type; `prefix` stands before the IDL's own names."""
    type_ = idl.resolve(type_, where)
    match type_:
        case Primitive(name):
            return PRIMITIVES[name][0]
        case Option(inner):
            return f"{annotation(idl, inner, where, prefix)} | None"
        case Vec(inner) | Array(inner, _):
            if idl.resolve(inner, where) == _U8:
                return "bytes"
            return f"Sequence[{annotation(idl, inner, where, prefix)}]"
        case Defined(name):
            return prefix + name


def codec(idl: Idl, type_: Type, where: str, prefix: str = "") -> str:
    """Return the expression of a type's codec."""
    type_ = idl.resolve(type_, where)
    match type_:
        case Primitive(name):
            return f"_b.{PRIMITIVES[name][1]}"
        case Option(inner):
            if isinstance(idl.resolve(inner, where), Option):
                raise UnsupportedIdlError(f"{where}: an option of an option")
            return f"_b.option({codec(idl, inner, where, prefix)})"
        case Vec(inner):
            if idl.resolve(inner, where) == _U8:
                return "_b.BYTES"
            if minimum_bytes(idl, inner, where) == 0:
                raise UnsupportedIdlError(f"{where}: a list of values without bytes")
            return f"_b.vec({codec(idl, inner, where, prefix)})"
        case Array(inner, count):
            if idl.resolve(inner, where) == _U8:
                return f"_b.fixed_bytes({count})"
            return f"_b.array({codec(idl, inner, where, prefix)}, {count})"
        case Defined(name):
            return f"{prefix}{scream(name)}_CODEC"


def minimum_bytes(idl: Idl, type_: Type, where: str) -> int:
    """Return the fewest bytes that borsh writes for a type."""
    type_ = idl.resolve(type_, where)
    match type_:
        case Primitive(name):
            return PRIMITIVES[name][3] or 4
        case Option(_):
            return 1
        case Vec(_):
            return 4
        case Array(inner, count):
            return count * minimum_bytes(idl, inner, where)
        case Defined(name):
            definition = idl.types[name]
            if isinstance(definition, Enum):
                return 1
            assert isinstance(definition, Struct)
            return sum(minimum_bytes(idl, f.type, where) for f in definition.fields)


def dtype(idl: Idl, type_: Type, where: str) -> tuple[str, tuple[int, ...], int, int]:
    """Return (numpy type, shape, bytes, alignment in C) of a type in a zero-copy layout."""
    type_ = idl.resolve(type_, where)
    match type_:
        case Primitive("pubkey"):
            return '"u1"', (_PUBKEY_BYTES,), _PUBKEY_BYTES, 1
        case Primitive(name) if PRIMITIVES[name][2]:
            _, _, code, size = PRIMITIVES[name]
            return f'"{code}"', (), size, size
        case Array(inner, count):
            code, shape, size, alignment = dtype(idl, inner, where)
            return code, (count, *shape), count * size, alignment
        case Defined(name):
            definition = idl.types[name]
            if not isinstance(definition, Struct) or not definition.c_layout:
                raise UnsupportedIdlError(f"{where}: {name} has no C layout")
            size, alignment = layout(idl, definition)
            return scream(name), (), size, alignment
        case _:
            raise UnsupportedIdlError(f"{where}: {type_} in a zero-copy layout")


def layout(idl: Idl, struct: Struct) -> tuple[int, int]:
    """Return (bytes, alignment) of a zero-copy struct; refuse padding that no field names."""
    offset, widest = 0, 1
    for field in struct.fields:
        where = f"type {struct.name}.{field.name}"
        _, _, size, alignment = dtype(idl, field.type, where)
        if struct.packed:
            alignment = 1
        if offset % alignment:
            raise IdlError(f"{where}: offset {offset} needs explicit padding to {alignment}")
        offset += size
        widest = max(widest, alignment)
    if offset % widest:
        raise IdlError(f"type {struct.name}: {offset} bytes need explicit padding to {widest}")
    return offset, widest


def references(idl: Idl, type_: Type, where: str) -> set[str]:
    """Return the names of the structs and enums that a type mentions directly."""
    type_ = idl.resolve(type_, where)
    match type_:
        case Option(inner) | Vec(inner) | Array(inner, _):
            return references(idl, inner, where)
        case Defined(name):
            return {name}
        case _:
            return set()


def in_order(idl: Idl, roots: Iterable[str]) -> list[str]:
    """Return `roots` and all they use, each after what it uses; refuse recursion."""
    done: dict[str, None] = {}
    open_: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if name in open_:
            raise UnsupportedIdlError(f"type {name}: recursive")
        open_.append(name)
        for field_type in _field_types(idl, name):
            for inner in sorted(references(idl, field_type, f"type {name}")):
                visit(inner)
        open_.pop()
        done[name] = None

    for root in roots:
        visit(root)
    return list(done)


def _field_types(idl: Idl, name: str) -> list[Type]:
    definition = idl.types.get(name)
    if isinstance(definition, Struct):
        return [field.type for field in definition.fields]
    if isinstance(definition, Enum):
        return [field.type for variant in definition.variants for field in variant.fields]
    raise IdlError(f"type {name} is not defined")


def docstring(docs: Sequence[str], default: str, indent: str = "    ") -> list[str]:
    """Return the lines of a docstring: the IDL's words, wrapped, or `default`."""
    text = "\n".join(line.strip() for line in docs).strip() or default
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        lines += [*textwrap.wrap(" ".join(paragraph.split()), _WIDTH - len(indent)), ""]
    lines = lines[:-1]
    if lines[-1].endswith('"'):
        lines[-1] += " "
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    body = [f"{indent}{line}" if line else "" for line in lines[1:]]
    return [f'{indent}"""{lines[0]}', *body, f'{indent}"""']


def comment(docs: Sequence[str], indent: str = "    ") -> list[str]:
    """Return the IDL's words as comment lines."""
    text = " ".join(" ".join(docs).split())
    return [f"{indent}#: {line}" for line in textwrap.wrap(text, _WIDTH - len(indent) - 3)]
