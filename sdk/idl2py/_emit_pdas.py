"""Source of pdas.py, and of the lines that derive addresses in a builder."""

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
    Pda,
    Primitive,
    Seed,
    Struct,
    Type,
    UnsupportedIdlError,
)
from idl2py._source import annotation, scream


class Addresses:
    """The fixed addresses that instructions name, each a constant of instructions.py."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def constant(self, account: Account) -> str:
        """Return the constant's name for an account of a fixed address."""
        assert account.address is not None
        name = scream(account.name)
        taken = {other for address, other in self._names.items() if address != account.address}
        while name in taken:
            name += "_"
        return self._names.setdefault(account.address, name)

    def lines(self) -> list[str]:
        """Return the constants' definitions, by name."""
        return [
            f'{name}: Final = Pubkey.from_string("{address}")'
            for address, name in sorted(self._names.items(), key=lambda item: item[1])
        ]


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


class Pdas:
    """The address finders that the instructions of an IDL share."""

    def __init__(self, idl: Idl, addresses: Addresses) -> None:
        self._idl = idl
        self._addresses = addresses
        self._finders: dict[str, _Finder] = {}

    def module(self) -> list[str]:
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

    def derived(self, ix: Instruction, names: dict[str, str]) -> dict[str, list[str]]:
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
        account = account.removesuffix("_")  # of a name that is a keyword
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
                name, *fields = seed.path
                if fields:
                    return None
                sources.append(self._account_seed(ix, name, names))
            else:
                sources.append(self._arg_seed(ix, seed.path))
        return tuple(sources)

    def _account_seed(self, ix: Instruction, name: str, names: dict[str, str]) -> _SeedSource:
        account = next((a for a in ix.accounts if a.name == name), None)
        if account is None:
            raise IdlError(f"instruction {ix.name}: seed account {name} is unknown")
        argument = names[name] if account.address is None else self._addresses.constant(account)
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
