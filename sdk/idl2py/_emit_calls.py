"""Source of instructions.py."""

from __future__ import annotations

from idl2py._emit_pdas import Addresses, Pdas
from idl2py._model import Account, Idl, Instruction, Option, UnsupportedIdlError
from idl2py._source import annotation, codec, docstring, scream

_RESERVED = {"program_id", "remaining_accounts", "data", "metas"}


class Calls:
    """The instructions of an IDL, with the addresses that they share."""

    def __init__(self, idl: Idl) -> None:
        self._idl = idl
        self._addresses = Addresses()
        self._pdas = Pdas(idl, self._addresses)
        self._builders = [line for ix in idl.instructions for line in self._builder(ix)]

    def pdas_module(self) -> list[str]:
        """Return pdas.py: the addresses that the program derives."""
        return self._pdas.module()

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
        lines += self._addresses.lines()
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

    def _builder(self, ix: Instruction) -> list[str]:
        where = f"instruction {ix.name}"
        arg_names = {arg.name for arg in ix.args}
        names = {
            a.name: f"{a.name}_account" if a.name in arg_names else a.name for a in ix.accounts
        }
        if clash := _RESERVED & (arg_names | set(names.values())):
            raise UnsupportedIdlError(f"{where}: a parameter named {sorted(clash)[0]}")
        derived = self._pdas.derived(ix, names)
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
            return f"AccountMeta({self._addresses.constant(account)}, {flags})"
        if account.optional:
            # Anchor's sign for an absent account is the program's own address.
            absent = "AccountMeta(program_id, is_signer=False, is_writable=False)"
            return f"AccountMeta({name}, {flags}) if {name} is not None else {absent}"
        return f"AccountMeta({name}, {flags})"
