"""Reads an IDL from JSON into the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idl2py._model import (
    PRIMITIVES,
    Account,
    Alias,
    Array,
    Constant,
    Defined,
    Enum,
    ErrorCode,
    Field,
    Idl,
    IdlError,
    Instruction,
    Option,
    Pda,
    Primitive,
    Seed,
    Struct,
    Tagged,
    Type,
    TypeDef,
    UnsupportedIdlError,
    Variant,
    Vec,
    byte_list,
    discriminator,
    identifier,
    snake,
)

_SPECIFICATION = "0.1.0"
_TOP = {
    "address",
    "metadata",
    "docs",
    "instructions",
    "accounts",
    "events",
    "errors",
    "types",
    "constants",
}
_INSTRUCTION = {"name", "docs", "discriminator", "accounts", "args", "returns"}
_ACCOUNT = {"name", "docs", "writable", "signer", "optional", "address", "pda", "relations"}
_TYPE_DEF = {"name", "docs", "serialization", "repr", "generics", "type"}


def parse(raw: Any) -> Idl:
    """Return the model of a decoded IDL file; an IdlError names what is wrong."""
    top = _object(raw, "IDL", _TOP)
    metadata = _object(top.get("metadata"), "metadata")
    if metadata.get("spec") != _SPECIFICATION:
        raise UnsupportedIdlError(
            f"metadata.spec is {metadata.get('spec')!r}; {_SPECIFICATION} is supported"
        )
    types = [_type_def(item) for item in _list(top, "types", "IDL")]
    by_name = {item.name: item for item in types}
    if len(by_name) != len(types):
        raise IdlError("types: a name is defined twice")
    return Idl(
        name=snake(identifier(metadata.get("name"), "metadata.name")),
        version=_text(metadata, "version", "metadata"),
        address=_text(top, "address", "IDL"),
        docs=_docs(top),
        instructions=tuple(_instruction(item) for item in _list(top, "instructions", "IDL")),
        accounts=tuple(_tagged(item, "accounts") for item in _list(top, "accounts", "IDL")),
        events=tuple(_tagged(item, "events") for item in _list(top, "events", "IDL")),
        errors=tuple(_error(item) for item in _list(top, "errors", "IDL")),
        constants=tuple(_constant(item) for item in _list(top, "constants", "IDL")),
        types=by_name,
    )


def parse_type(raw: Any, where: str) -> Type:
    """Return the model of one type."""
    if isinstance(raw, str):
        if raw not in PRIMITIVES:
            raise UnsupportedIdlError(f"{where}: type {raw}")
        return Primitive(raw)
    shape = _object(raw, where)
    if len(shape) != 1:
        raise IdlError(f"{where}: a type of {len(shape)} kinds")
    kind, inner = next(iter(shape.items()))
    match kind:
        case "option":
            return Option(parse_type(inner, where))
        case "vec":
            return Vec(parse_type(inner, where))
        case "array":
            return _array(inner, where)
        case "defined":
            defined = _object(inner, where)
            if defined.get("generics"):
                raise UnsupportedIdlError(f"{where}: generics")
            return Defined(identifier(defined.get("name"), where))
        case _:
            raise UnsupportedIdlError(f"{where}: type {kind}")


def _array(raw: Any, where: str) -> Array:
    match raw:
        case [inner, int(count)] if count >= 0 and not isinstance(count, bool):
            return Array(parse_type(inner, where), count)
        case [_, dict()]:
            raise UnsupportedIdlError(f"{where}: an array of generic length")
        case _:
            raise IdlError(f"{where}: no array")


def _type_def(raw: Any) -> TypeDef:
    item = _object(raw, "types", _TYPE_DEF)
    name = identifier(item.get("name"), "types")
    where = f"type {name}"
    if item.get("generics"):
        raise UnsupportedIdlError(f"{where}: generics")
    body = _object(item.get("type"), where)
    zero_copy, c_layout, packed = _representation(item, where)
    match body.get("kind"):
        case "struct":
            fields = _fields(body.get("fields", []), where)
            return Struct(name, _docs(item), fields, zero_copy, c_layout, packed)
        case "enum":
            if zero_copy:
                raise UnsupportedIdlError(f"{where}: an enum in a zero-copy layout")
            variants = tuple(_variant(v, where) for v in _list(body, "variants", where))
            return Enum(name, _docs(item), variants)
        case "type":
            return Alias(name, parse_type(body.get("alias"), where))
        case kind:
            raise UnsupportedIdlError(f"{where}: kind {kind!r}")


def _representation(item: Mapping[str, Any], where: str) -> tuple[bool, bool, bool]:
    """Return (zero copy, C layout, packed)."""
    serialization = item.get("serialization", "borsh")
    representation = _object(item.get("repr", {}), where)
    c_layout = representation.get("kind") in ("c", "transparent") and not representation.get(
        "align"
    )
    packed = bool(representation.get("packed", False))
    if serialization == "borsh":
        return False, c_layout, packed
    if serialization not in ("bytemuck", "bytemuckunsafe"):
        raise UnsupportedIdlError(f"{where}: serialization {serialization!r}")
    if not c_layout:
        raise UnsupportedIdlError(f"{where}: zero copy with the representation {representation}")
    return True, True, packed


def _fields(raw: Any, where: str) -> tuple[Field, ...]:
    if not isinstance(raw, list):
        raise IdlError(f"{where}: fields are no list")
    fields = []
    for index, item in enumerate(raw):
        if isinstance(item, dict) and "name" in item:
            name = identifier(item["name"], where)
            fields.append(
                Field(snake(name), parse_type(item.get("type"), f"{where}.{name}"), _docs(item))
            )
        else:
            fields.append(Field(f"field_{index}", parse_type(item, f"{where}.{index}")))
    if len({field.name for field in fields}) != len(fields):
        raise IdlError(f"{where}: two fields of one name")
    return tuple(fields)


def _variant(raw: Any, where: str) -> Variant:
    item = _object(raw, where, {"name", "fields"})
    name = identifier(item.get("name"), where)
    return Variant(name, _fields(item.get("fields", []), f"{where}.{name}"))


def _instruction(raw: Any) -> Instruction:
    item = _object(raw, "instructions", _INSTRUCTION)
    name = snake(identifier(item.get("name"), "instructions"))
    where = f"instruction {name}"
    accounts = tuple(_account(account, where) for account in _list(item, "accounts", where))
    if len({account.name for account in accounts}) != len(accounts):
        raise IdlError(f"{where}: two accounts of one name")
    return Instruction(
        name=name,
        docs=_docs(item),
        discriminator=discriminator(item.get("discriminator"), where),
        accounts=accounts,
        args=_fields(item.get("args", []), where),
    )


def _account(raw: Any, where: str) -> Account:
    name = raw.get("name") if isinstance(raw, dict) else None
    if isinstance(raw, dict) and "accounts" in raw:
        raise UnsupportedIdlError(f"{where}: {name} is a group of accounts")
    item = _object(raw, where, _ACCOUNT)
    name = snake(identifier(name, where))
    address = item.get("address")
    if address is not None and not isinstance(address, str):
        raise IdlError(f"{where}.{name}: the address is no text")
    pda = item.get("pda")
    return Account(
        name=name,
        docs=_docs(item),
        writable=bool(item.get("writable", False)),
        signer=bool(item.get("signer", False)),
        optional=bool(item.get("optional", False)),
        address=address,
        pda=None if pda is None else _pda(pda, f"{where}.{name}"),
    )


def _pda(raw: Any, where: str) -> Pda:
    item = _object(raw, where, {"seeds", "program"})
    seeds = tuple(_seed(seed, where) for seed in _list(item, "seeds", where))
    program = item.get("program")
    return Pda(seeds, None if program is None else _seed(program, where))


def _seed(raw: Any, where: str) -> Seed:
    item = _object(raw, where)
    kind = item.get("kind")
    if kind == "const":
        return Seed("const", value=byte_list(item.get("value"), where))
    if kind in ("arg", "account"):
        parts = _text(item, "path", where).split(".")
        return Seed(kind, path=tuple(snake(identifier(part, where)) for part in parts))
    raise UnsupportedIdlError(f"{where}: a seed of kind {kind!r}")


def _tagged(raw: Any, where: str) -> Tagged:
    item = _object(raw, where, {"name", "discriminator"})
    name = identifier(item.get("name"), where)
    return Tagged(name, discriminator(item.get("discriminator"), f"{where}.{name}"))


def _error(raw: Any) -> ErrorCode:
    item = _object(raw, "errors", {"code", "name", "msg"})
    code = item.get("code")
    if not isinstance(code, int):
        raise IdlError(f"errors: code {code!r}")
    name = identifier(item.get("name"), "errors")
    return ErrorCode(code, name[0].upper() + name[1:], str(item.get("msg") or name))


def _constant(raw: Any) -> Constant:
    item = _object(raw, "constants", {"name", "docs", "type", "value"})
    name = identifier(item.get("name"), "constants")
    where = f"constant {name}"
    type_ = item.get("type")
    # Anchor writes usize, which is no type of the specification, as a defined one.
    if type_ == {"defined": {"name": "usize"}}:
        type_ = "u64"
    return Constant(name, _docs(item), parse_type(type_, where), _text(item, "value", where))


def _object(raw: Any, where: str, known: set[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise IdlError(f"{where}: an object is missing")
    if known is not None and (unknown := set(raw) - known):
        raise UnsupportedIdlError(f"{where}: unknown key {sorted(unknown)[0]!r}")
    return raw


def _list(item: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = item.get(key, [])
    if not isinstance(value, list):
        raise IdlError(f"{where}: {key} is no list")
    return value


def _text(item: Mapping[str, Any], key: str, where: str) -> str:
    value = item.get(key)
    if not isinstance(value, str):
        raise IdlError(f"{where}: {key} is no text")
    return value


def _docs(item: Mapping[str, Any]) -> tuple[str, ...]:
    docs = item.get("docs") or []
    if not isinstance(docs, list):
        raise IdlError("docs are no list")
    return tuple(str(line) for line in docs)
