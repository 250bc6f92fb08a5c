"""Source of instructions.py and pdas.py."""

from __future__ import annotations

from dataclasses import dataclass

from idl2py._model import (
    PRIMITIVES,
    Account,
    Array,
    Defined,
    Field,
    Idl,
    IdlError,
    Instruction,
    Option,
    Pda,
    Primitive,
    Seed,
    Struct,
    Type,
    UnsupportedIdlError,
)
from idl2py._source import annotation, codec, docstring, scream

_RESERVED = {"program_id", "remaining_accounts", "data", "metas"}


@dataclass(frozen=True, slots=True)
class _SeedSource:
    """A seed as source: its expression, and the parameter (name, annotation) it comes from."""

    expression: str
    parameter: tuple[str, str] | None
    #: What the caller of the finder passes for the parameter.
    argument: str


@dataclass(frozen=True, slots=True)
class _Finder:
    """A function that derives an address."""

    name: str
    account: str
    seeds: tuple[_SeedSource, ...]
    program: str | None

    @property
    def key(self) -> tuple[object, ...]:
        return tuple((s.expression, s.parameter) for s in self.seeds), self.program


class Calls:
    """The instructions of an IDL and the address finders that they share."""

    def __init__(self, idl: Idl) -> None:
        self._idl = idl
        self._finders: dict[str, _Finder] = {}
        self._addresses: dict[str, str] = {}
        self._builders = [line for ix in idl.instructions for line in self._builder(ix)]

    def instructions_module(self) -> list[str]:
        """Return instructions.py: a builder an instruction."""
        idl = self._idl
        lines = [
            '"""A builder for each instruction: pure, keyword arguments only."""',
            "from __future__ import annotations",
            "from collections.abc import Sequence",
            "from typing import Any, Final",
            "from solders.instruction import AccountMeta, Instruction",
            "from solders.pubkey import Pubkey",
            "from . import _borsh as _b",
            "from . import pdas as _pdas",
            "from . import types as _t",
            "from ._program import PROGRAM_ID",
            "",
        ]
        lines += [
            f'{name}: Final = Pubkey.from_string("{address}")'
            for address, name in sorted(self._addresses.items(), key=lambda item: item[1])
        ]
        lines += [
            f"{scream(ix.name)}_DISCRIMINATOR: Final = {ix.discriminator!r}"
            for ix in idl.instructions
        ]
        cases = ", ".join(
            f'{scream(ix.name)}_DISCRIMINATOR: "{ix.name}"' for ix in idl.instructions
        )
        lines += [
            "",
            "#: Discriminator -> name.",
            f"NAMES: Final[dict[bytes, str]] = {{{cases}}}",
            "",
        ]
        lines += [
            "",
            "def _data(",
            "    name: str, discriminator: bytes, *args: tuple[str, _b.Codec[Any], Any]",
            ") -> bytes:",
            "    out = bytearray(discriminator)",
            "    for field, codec, value in args:",
            "        try:",
            "            codec.write(out, value)",
            "        except (ValueError, TypeError, AttributeError) as error:",
            '            raise ValueError(f"{name}.{field}: {error}") from error',
            "    return bytes(out)",
        ]
        return lines + self._builders

    def pdas_module(self) -> list[str]:
        """Return pdas.py: the addresses that the program derives."""
        lines = [
            '"""Addresses that the program derives from seeds."""',
            "from __future__ import annotations",
            "from solders.pubkey import Pubkey",
            "from ._program import PROGRAM_ID",
        ]
        for finder in self._finders.values():
            parameters = dict.fromkeys(s.parameter for s in finder.seeds if s.parameter)
            if finder.program is None:
                last = "program_id: Pubkey = PROGRAM_ID"
                program = "program_id"
            else:
                last, program = "", finder.program
            signature = "".join(f"{name}: {kind}, " for name, kind in parameters) + last
            seeds = ", ".join(s.expression for s in finder.seeds)
            lines += [
                "",
                "",
                f"def {finder.name}({'*, ' if signature else ''}{signature}) -> Pubkey:",
                f'    """Return the address of `{finder.account}`."""',
                f"    return Pubkey.find_program_address([{seeds}], {program})[0]",
            ]
        return lines

    def _builder(self, ix: Instruction) -> list[str]:
        where = f"instruction {ix.name}"
        arg_names = {arg.name for arg in ix.args}
        names = {
            a.name: f"{a.name}_account" if a.name in arg_names else a.name for a in ix.accounts
        }
        if clash := _RESERVED & (arg_names | set(names.values())):
            raise UnsupportedIdlError(f"{where}: a parameter named {sorted(clash)[0]}")
        derived = self._derived(ix, names)
        # Parameters without a default first; all are keywords.
        required, optional = [], []
        for account in ix.accounts:
            if account.address is not None:
                continue
            if account.optional or account.name in derived:
                optional.append(f"{names[account.name]}: Pubkey | None = None")
            else:
                required.append(f"{names[account.name]}: Pubkey")
        for arg in ix.args:
            kind = annotation(self._idl, arg.type, where, "_t.")
            if isinstance(self._idl.resolve(arg.type, where), Option):
                optional.append(f"{arg.name}: {kind} = None")
            else:
                required.append(f"{arg.name}: {kind}")
        optional.append("remaining_accounts: Sequence[AccountMeta] = ()")
        optional.append("program_id: Pubkey = PROGRAM_ID")
        args = "".join(
            f'("{a.name}", {codec(self._idl, a.type, where, "_t.")}, {a.name}), ' for a in ix.args
        )
        return [
            "",
            "",
            f"def {ix.name}(*, {', '.join(required + optional)},) -> Instruction:",
            *docstring(ix.docs, f"Build `{ix.name}`."),
            *(line for name in derived for line in derived[name]),
            "    metas = [",
            *(f"        {self._meta(account, names[account.name])}," for account in ix.accounts),
            "        *remaining_accounts,",
            "    ]",
            f'    data = _data("{ix.name}", {scream(ix.name)}_DISCRIMINATOR, {args})',
            "    return Instruction(program_id, data, metas)",
        ]

    def _meta(self, account: Account, name: str) -> str:
        flags = f"is_signer={account.signer}, is_writable={account.writable}"
        if account.address is not None:
            return f"AccountMeta({self._address(account)}, {flags})"
        if account.optional:
            # Anchor's sign for an absent account is the program's own address.
            absent = "AccountMeta(program_id, is_signer=False, is_writable=False)"
            return f"AccountMeta({name}, {flags}) if {name} is not None else {absent}"
        return f"AccountMeta({name}, {flags})"

    def _address(self, account: Account) -> str:
        assert account.address is not None
        name = scream(account.name)
        taken = {other for address, other in self._addresses.items() if address != account.address}
        while name in taken:
            name += "_"
        return self._addresses.setdefault(account.address, name)

    def _derived(self, ix: Instruction, names: dict[str, str]) -> dict[str, list[str]]:
        """Return for each account that can be derived the lines that do it, in a usable order."""
        accounts = {account.name: account for account in ix.accounts}
        waiting = {a.name: a.pda for a in ix.accounts if a.pda and not a.optional and not a.address}
        found: dict[str, list[str]] = {}
        known = {name for name, a in accounts.items() if name not in waiting and not a.optional}
        underivable = {n for n, pda in waiting.items() if self._seeds(ix, pda, names) is None}
        known |= underivable
        pending = [name for name in waiting if name not in underivable]
        while pending:
            ready = [n for n in pending if _needs(waiting[n]) <= known]
            if not ready:
                raise IdlError(
                    f"instruction {ix.name}: addresses derived from each other: {pending}"
                )
            for name in ready:
                found[name] = self._derivation(ix, accounts[name], waiting[name], names)
            known |= set(ready)
            pending = [name for name in pending if name not in known]
        return found

    def _derivation(
        self, ix: Instruction, account: Account, pda: Pda, names: dict[str, str]
    ) -> list[str]:
        seeds = self._seeds(ix, pda, names)
        assert seeds is not None
        finder = self._finder(ix, account.name, seeds, pda)
        passed = {s.parameter[0]: s.argument for s in seeds if s.parameter}
        arguments = "".join(f"{name}={value}, " for name, value in passed.items())
        if finder.program is None:
            arguments += "program_id=program_id"
        name = names[account.name]
        return [f"    if {name} is None:", f"        {name} = _pdas.{finder.name}({arguments})"]

    def _finder(
        self, ix: Instruction, account: str, seeds: tuple[_SeedSource, ...], pda: Pda
    ) -> _Finder:
        program = None
        if pda.program is not None:
            program = self._foreign_program(ix, pda.program)
        for name in (f"{account}_address", f"{ix.name}_{account}_address"):
            finder = _Finder(name, account, seeds, program)
            if self._finders.setdefault(name, finder).key == finder.key:
                return finder
        raise IdlError(f"instruction {ix.name}.{account}: no free name for its address")

    def _foreign_program(self, ix: Instruction, seed: Seed) -> str:
        if seed.kind == "const":
            return f"Pubkey({seed.value!r})"
        account = next((a for a in ix.accounts if (a.name,) == seed.path), None)
        if account is None or account.address is None:
            raise UnsupportedIdlError(
                f"instruction {ix.name}: an address of a program given by the caller"
            )
        return f'Pubkey.from_string("{account.address}")'

    def _seeds(
        self, ix: Instruction, pda: Pda, names: dict[str, str]
    ) -> tuple[_SeedSource, ...] | None:
        """Return the seeds as source; None if one is a field inside an account, not known here."""
        sources = []
        for seed in pda.seeds:
            if seed.kind == "const":
                sources.append(_SeedSource(repr(seed.value), None, ""))
            elif seed.kind == "account":
                if len(seed.path) > 1:
                    return None
                sources.append(self._account_seed(ix, seed.path[0], names))
            else:
                sources.append(self._arg_seed(ix, seed.path))
        return tuple(sources)

    def _account_seed(self, ix: Instruction, name: str, names: dict[str, str]) -> _SeedSource:
        account = next((a for a in ix.accounts if a.name == name), None)
        if account is None:
            raise IdlError(f"instruction {ix.name}: seed account {name} is unknown")
        argument = names[name] if account.address is None else self._address(account)
        return _SeedSource(f"bytes({name})", (name, "Pubkey"), argument)

    def _arg_seed(self, ix: Instruction, path: tuple[str, ...]) -> _SeedSource:
        where = f"instruction {ix.name}: seed {'.'.join(path)}"
        fields: tuple[Field, ...] = ix.args
        type_: Type | None = None
        for part in path:
            field = next((f for f in fields if f.name == part), None)
            if field is None:
                raise IdlError(f"{where}: no such argument")
            type_ = self._idl.resolve(field.type, where)
            definition = self._idl.types.get(type_.name) if isinstance(type_, Defined) else None
            fields = definition.fields if isinstance(definition, Struct) else ()
        assert type_ is not None
        name = path[-1]
        parameter = (name, annotation(self._idl, type_, where))
        return _SeedSource(_seed_bytes(type_, name, where), parameter, ".".join(path))


def _needs(pda: Pda) -> set[str]:
    return {seed.path[0] for seed in pda.seeds if seed.kind == "account"}


def _seed_bytes(type_: Type, name: str, where: str) -> str:
    """Return the expression of an argument as a seed, in the bytes that programs take of it."""
    match type_:
        case Primitive("string"):
            return f"{name}.encode()"
        case Primitive("pubkey"):
            return f"bytes({name})"
        case Primitive("bytes") | Array(Primitive("u8"), _):
            return name
        case Primitive(kind) if kind[0] in "iu":
            size = PRIMITIVES[kind][3]
            return f'{name}.to_bytes({size}, "little", signed={kind[0] == "i"})'
        case _:
            raise UnsupportedIdlError(f"{where}: a seed of this type")
