"""Source of types.py, layouts.py, accounts.py and events.py."""

from __future__ import annotations

from collections.abc import Iterable

from idl2py._model import (
    Defined,
    Enum,
    Field,
    Idl,
    IdlError,
    Option,
    Struct,
    Tagged,
    snake,
)
from idl2py._source import (
    annotation,
    codec,
    comment,
    docstring,
    dtype,
    in_order,
    layout,
    references,
    scream,
)


def types_module(idl: Idl) -> list[str]:
    """Return types.py: dataclasses, enums and their codecs."""
    lines = [
        '"""Arguments, events and the types in them, with their borsh codecs."""',
        "from __future__ import annotations",
        "from collections.abc import Sequence",
        "from dataclasses import dataclass",
        "from enum import IntEnum",
        "from typing import Any, Final, TypeAlias",
        "from solders.pubkey import Pubkey",
        "from . import _borsh as _b",
    ]
    for name in in_order(idl, _borsh_roots(idl)):
        definition = idl.types[name]
        if isinstance(definition, Struct):
            lines += _dataclass(idl, definition.name, definition.docs, definition.fields)
        else:
            assert isinstance(definition, Enum)
            lines += _plain_enum(definition) if definition.plain else _data_enum(idl, definition)
    return lines


def _borsh_roots(idl: Idl) -> list[str]:
    """Every borsh type, and each zero-copy one that an argument or event mentions."""
    roots = {
        name
        for name, definition in idl.types.items()
        if isinstance(definition, Enum)
        or (isinstance(definition, Struct) and not definition.zero_copy)
    }
    for instruction in idl.instructions:
        for arg in instruction.args:
            roots |= references(idl, arg.type, f"instruction {instruction.name}.{arg.name}")
    roots |= {event.name for event in idl.events}
    return sorted(roots)


def _dataclass(idl: Idl, name: str, docs: Iterable[str], fields: tuple[Field, ...]) -> list[str]:
    lines = ["@dataclass(frozen=True, slots=True, kw_only=True)", f"class {name}:"]
    lines += docstring(tuple(docs), f"`{name}` of the program.")
    if fields:
        lines.append("")
    for field in fields:
        where = f"type {name}.{field.name}"
        absent = " = None" if isinstance(idl.resolve(field.type, where), Option) else ""
        lines += comment(field.docs)
        lines.append(f"    {field.name}: {annotation(idl, field.type, where)}{absent}")
    lines += ["", ""]
    entries = "".join(
        f'("{field.name}", {codec(idl, field.type, f"type {name}.{field.name}")}), '
        for field in fields
    )
    lines.append(f"{scream(name)}_CODEC: Final[_b.Codec[{name}]] = _b.struct({name}, {entries})")
    return lines


def _plain_enum(definition: Enum) -> list[str]:
    name = definition.name
    lines = [
        f"class {name}(IntEnum):",
        *docstring(definition.docs, f"`{name}` of the program."),
        "",
    ]
    lines += [
        f"    {scream(variant.name)} = {index}" for index, variant in enumerate(definition.variants)
    ]
    return [*lines, "", "", f"{scream(name)}_CODEC: Final[_b.Codec[{name}]] = _b.enum({name})"]


def _data_enum(idl: Idl, definition: Enum) -> list[str]:
    lines: list[str] = []
    classes = []
    for variant in definition.variants:
        cls = definition.name + variant.name
        if cls in idl.types:
            raise IdlError(f"type {definition.name}.{variant.name}: {cls} is taken")
        classes.append(cls)
        docs = (f"`{variant.name}` of `{definition.name}`.",)
        lines += _dataclass(idl, cls, docs, variant.fields)
    cases = ", ".join(f"{cls}: {scream(cls)}_CODEC" for cls in classes)
    name = definition.name
    lines.append(f"{name}: TypeAlias = {' | '.join(classes)}")
    lines.append(f'{scream(name)}_CODEC: Final[_b.Codec[Any]] = _b.union("{name}", {{{cases}}})')
    return lines


def layouts_module(idl: Idl) -> list[str]:
    """Return layouts.py: a numpy dtype for each zero-copy type, decoders of such accounts."""
    zero_copy = [name for name, d in idl.types.items() if isinstance(d, Struct) and d.zero_copy]
    lines = [
        '"""Numpy dtypes of the zero-copy types, little-endian and without hidden padding.',
        "",
        'A public key is 32 bytes of `u1`; `bytes(row["wallet"])` is what `Pubkey` takes.',
        '"""',
        "from __future__ import annotations",
        "from typing import Final",
        "import numpy as np",
        "from . import _borsh as _b",
        "from . import accounts as _accounts",
        "",
        "",
        "def _sized(dtype: np.dtype[np.void], size: int) -> np.dtype[np.void]:",
        "    assert dtype.itemsize == size, (dtype, size)",
        "    return dtype",
        "",
        "",
        "def _record(data: bytes, dtype: np.dtype[np.void], discriminator: bytes) -> np.void:",
        "    head = len(discriminator)",
        "    if data[:head] != discriminator:",
        '        raise _b.DecodeError(f"discriminator {data[:head].hex()}")',
        "    if len(data) < head + dtype.itemsize:",
        '        raise _b.DecodeError(f"{len(data)} bytes, fewer than {head + dtype.itemsize}")',
        "    record: np.void = np.frombuffer(data, dtype, 1, head)[0]",
        "    return record",
        "",
    ]
    for name in zero_copy:
        checked = idl.types[name]
        assert isinstance(checked, Struct)
        layout(idl, checked)
    for name in in_order(idl, sorted(zero_copy)):
        definition = idl.types[name]
        assert isinstance(definition, Struct)
        lines += _dtype(idl, definition)
    for account in idl.accounts:
        if account.name in zero_copy:
            lines += _record_decoder(account)
    return lines


def _dtype(idl: Idl, definition: Struct) -> list[str]:
    size, _ = layout(idl, definition)
    lines = ["", *comment(definition.docs, "")]
    lines.append(f"{scream(definition.name)}: Final = _sized(np.dtype([")
    for field in definition.fields:
        code, shape, _, _ = dtype(idl, field.type, f"type {definition.name}.{field.name}")
        lines += comment(field.docs, "        ")
        lines.append(f'        ("{field.name}", {code}{f", {shape}" if shape else ""}),')
    return [*lines, f"    ]), {size})"]


def _record_decoder(account: Tagged) -> list[str]:
    name, constant = snake(account.name), scream(account.name)
    return [
        "",
        "",
        f"def decode_{name}(data: bytes) -> np.void:",
        f'    """Return an account\'s data as a `{account.name}`; DecodeError if it is none."""',
        f"    return _record(data, {constant}, _accounts.{constant}_DISCRIMINATOR)",
    ]


def accounts_module(idl: Idl) -> list[str]:
    """Return accounts.py: discriminators, and decoders of the accounts in borsh."""
    lines = [
        '"""What the program\'s accounts begin with, and how those in borsh are read."""',
        "from __future__ import annotations",
        "from typing import Final",
        "from . import _borsh as _b",
        "from . import types as _t",
        "",
    ]
    lines += [
        f"{scream(account.name)}_DISCRIMINATOR: Final = {account.discriminator!r}"
        for account in idl.accounts
    ]
    lines += ["", "#: Bytes of the zero-copy accounts, the discriminator included."]
    lines += [
        f"{scream(account.name)}_BYTES: Final = {len(account.discriminator) + size}"
        for account, size in _zero_copy_sizes(idl)
    ]
    cases = ", ".join(f'{scream(a.name)}_DISCRIMINATOR: "{a.name}"' for a in idl.accounts)
    lines += ["", "#: Discriminator -> name.", f"NAMES: Final[dict[bytes, str]] = {{{cases}}}"]
    for account in idl.accounts:
        definition = _struct_of(idl, account, "account")
        if not definition.zero_copy:
            lines += _borsh_decoder(account)
    return lines


def _zero_copy_sizes(idl: Idl) -> list[tuple[Tagged, int]]:
    structs = [(account, _struct_of(idl, account, "account")) for account in idl.accounts]
    return [(account, layout(idl, struct)[0]) for account, struct in structs if struct.zero_copy]


def _borsh_decoder(account: Tagged) -> list[str]:
    constant = scream(account.name)
    return [
        "",
        "",
        f"def decode_{snake(account.name)}(data: bytes) -> _t.{account.name}:",
        f'    """Return an account\'s data as a `{account.name}`; DecodeError if it is none."""',
        f"    if data[:8] != {constant}_DISCRIMINATOR:",
        '        raise _b.DecodeError(f"discriminator {data[:8].hex()}")',
        f"    return _t.{constant}_CODEC.decode(data, offset=8, exact=False)",
    ]


def events_module(idl: Idl) -> list[str]:
    """Return events.py: a table of the events and a reader of log lines."""
    for event in idl.events:
        _struct_of(idl, event, "event")
    union = " | ".join(f"_t.{event.name}" for event in idl.events) or "None"
    lines = [
        '"""The program\'s events, read from the log lines of a transaction."""',
        "from __future__ import annotations",
        "from collections.abc import Iterable",
        "from typing import Any, Final, TypeAlias",
        "from solders.pubkey import Pubkey",
        "from . import _borsh as _b",
        "from . import types as _t",
        "from ._logs import program_data as _program_data",
        "from ._program import PROGRAM_ID",
        "",
        f"Event: TypeAlias = {union}",
        "",
        "#: Discriminator -> codec.",
        "CODECS: Final[dict[bytes, _b.Codec[Any]]] = {",
    ]
    lines += [
        f"    {event.discriminator!r}: _t.{scream(event.name)}_CODEC," for event in idl.events
    ]
    return [
        *lines,
        "}",
        "",
        "",
        "def decode_event(data: bytes) -> Event | None:",
        '    """Return the event, None for an unknown one; DecodeError for a broken one."""',
        "    codec = CODECS.get(data[:8])",
        "    return None if codec is None else codec.decode(data, offset=8)",
        "",
        "",
        "def events_in(",
        "    lines: Iterable[str], program_id: Pubkey = PROGRAM_ID",
        ") -> tuple[Event, ...]:",
        '    """Return the events that the program logged, in order."""',
        "    found = (decode_event(data) for data in _program_data(lines, str(program_id)))",
        "    return tuple(event for event in found if event is not None)",
    ]


def _struct_of(idl: Idl, tagged: Tagged, kind: str) -> Struct:
    where = f"{kind} {tagged.name}"
    resolved = idl.resolve(Defined(tagged.name), where)
    definition = idl.types.get(resolved.name) if isinstance(resolved, Defined) else None
    if not isinstance(definition, Struct):
        raise IdlError(f"{where}: no struct of that name")
    return definition
