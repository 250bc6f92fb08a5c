"""Accounts at the right addresses that are not what they must be, for every instruction.

Which accounts the program owns, and of which kind they are, is read from the IDL: a new kind, or
an instruction that names one, is tried without a line here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from solders.account import Account
from solders.pubkey import Pubkey

from psyche_sdk._generated._program import PROGRAM_ID
from support.instruction_table import IDL, Call
from support.program import World, sha

#: Discriminators of the program's accounts, by name in lower case.
KINDS: dict[str, bytes] = {
    kind["name"].lower(): bytes(kind["discriminator"]) for kind in IDL["accounts"]
}
SOMEBODY = Pubkey(sha(b"another program"))
#: Accounts that an instruction itself brings into being: there is nothing to put in their place.
MADE = frozenset({("create_run", "run"), ("create_run", "roster"), ("create_run", "rounds")})
#: What is closed may be made again, or need not be there any more.
GONE_IS_RIGHT = frozenset(
    {
        ("issue_pass", "pass"),
        ("join", "participant"),
        ("migrate_participant", "run"),
        ("close_participant", "run"),
    }
)
#: Only grown, or only closed: nothing behind the discriminator is looked at.
NEVER_READ = frozenset({("allocate", "roster"), ("allocate", "rounds"), ("close_run", "rounds")})
UNREAD = ("of another version", "a discriminator alone", "shorter", "longer")
#: All that is taken though it is wrong: instruction, place, and what is wrong.
TAKEN = frozenset(
    {(*where, "closed") for where in GONE_IS_RIGHT}
    | {(*where, wrong) for where in NEVER_READ for wrong in UNREAD}
)


@dataclass(frozen=True)
class Broken:
    """An account that was replaced: its place, what is wrong with it, and both contents."""

    place: str
    wrong: str
    key: Pubkey
    before: Account
    after: Account


def broken_accounts(call: Call, world: World) -> Iterator[Broken]:
    """Every wrong content of every account of the program that a call names."""
    for name, meta in zip(call.accounts, call.instruction(world).accounts, strict=True):
        before = world.svm.get_account(meta.pubkey)
        kind = _kind(name, before)
        if (call.name, name) in MADE or before is None or kind is None:
            continue
        for wrong, after in _wrong(kind, before):
            yield Broken(name, wrong, meta.pubkey, before, after)


def _kind(name: str, account: Account | None) -> str | None:
    """The kind of account that stands in a place; none if the program does not own it."""
    if account is None or account.owner != PROGRAM_ID:
        return None
    found = bytes(account.data[:8])
    kinds = [kind for kind, discriminator in KINDS.items() if discriminator == found]
    assert kinds, f"{name} is of a kind that the IDL does not name"
    return kinds[0]


def _wrong(kind: str, before: Account) -> Iterator[tuple[str, Account]]:
    data, lamports = bytes(before.data), before.lamports

    def with_data(content: bytes) -> Account:
        return Account(lamports, content, PROGRAM_ID, executable=False)

    yield "another program's", Account(lamports, data, SOMEBODY, executable=False)
    yield "uninitialised", with_data(bytes(len(data)))
    yield "closed", Account(lamports, b"", Pubkey.default(), executable=False)
    yield "revived", Account(lamports, data, Pubkey.default(), executable=False)
    yield "closed for good", with_data(b"\xff" * 8 + data[8:])
    for other, discriminator in KINDS.items():
        if other != kind:
            yield f"a {other}", with_data(discriminator + data[8:])
    yield "of another version", with_data(data[:8] + b"\x63" + data[9:])
    yield "a discriminator alone", with_data(data[:8])
    yield "shorter", with_data(data[:-8])
    yield "longer", with_data(data + bytes(8))
