"""Reads accounts and checks that they are what they should be."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from solders.pubkey import Pubkey

from psyche_sdk._generated import accounts as _generated
from psyche_sdk._generated._program import PROGRAM_ID
from psyche_sdk._transport import Transport
from psyche_sdk.errors import (
    AccountMissing,
    RpcAnswerInvalid,
    WrongDiscriminator,
    WrongLength,
    WrongOwner,
    WrongVersion,
)

#: Layout versions that this release reads.
VERSIONS: Final = (2,)
CLOCK_ADDRESS: Final = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
_HEAD_BYTES = 8
#: Where a participant and a pass name their run.
_RUN_OFFSET: Final = 24
_CLOCK_BYTES = 40
_CLOCK_UNIX_OFFSET = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountData:
    """An account as it was at `chain_slot`.

    Attributes:
        address: where it is.
        owner: the program that it belongs to.
        lamports: its balance, mostly rent.
        data: its bytes, the discriminator included.
        chain_slot: the slot that the node answered for.
    """

    address: Pubkey
    owner: Pubkey
    lamports: int
    data: bytes
    chain_slot: int


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of account: its name, what it begins with, the bytes that it has at least."""

    name: str
    discriminator: bytes
    size: int


RUN: Final = Kind("Run", _generated.RUN_DISCRIMINATOR, _generated.RUN_BYTES)
ROSTER: Final = Kind("Roster", _generated.ROSTER_DISCRIMINATOR, _generated.ROSTER_BYTES)
ROUNDS: Final = Kind("Rounds", _generated.ROUNDS_DISCRIMINATOR, _generated.ROUNDS_BYTES)
PARTICIPANT: Final = Kind(
    "Participant", _generated.PARTICIPANT_DISCRIMINATOR, _generated.PARTICIPANT_BYTES
)
PASS: Final = Kind("Pass", _generated.PASS_DISCRIMINATOR, _generated.PASS_BYTES)


async def fetch(
    transport: Transport, addresses: Sequence[Pubkey], *, commitment: str, min_slot: int = 0
) -> tuple[int, list[AccountData | None]]:
    """Return (chain slot, accounts) of one consistent read; None where nothing is.

    Raises:
        RpcError: the node did not answer, or not as it should.
    """
    config: dict[str, object] = {"encoding": "base64", "commitment": commitment}
    if min_slot:
        config["minContextSlot"] = min_slot
    answer = await transport.call("getMultipleAccounts", [[str(a) for a in addresses], config])
    match answer:
        case {"context": {"slot": int(slot)}, "value": list(values)}:
            if len(values) == len(addresses):
                pairs = zip(addresses, values, strict=True)
                return slot, [
                    None if value is None else _account(address, value, slot, transport.url)
                    for address, value in pairs
                ]
        case _:
            pass
    raise RpcAnswerInvalid("no accounts in the answer", url=transport.url)


async def search(
    transport: Transport, kind: Kind, *, commitment: str, run: Pubkey | None = None
) -> list[AccountData]:
    """Return the program's accounts of a kind, by address: all, or those that name `run`.

    Raises:
        RpcError: the node did not answer, or not as it should.
    """
    parts = [(0, kind.discriminator)]
    if run is not None:
        parts.append((_RUN_OFFSET, bytes(run)))
    filters = [
        {"memcmp": {"offset": at, "bytes": base64.b64encode(part).decode(), "encoding": "base64"}}
        for at, part in parts
    ]
    config = {
        "encoding": "base64",
        "commitment": commitment,
        "filters": filters,
        "withContext": True,
    }
    answer = await transport.call("getProgramAccounts", [str(PROGRAM_ID), config])
    match answer:
        case {"context": {"slot": int(slot)}, "value": list(values)}:
            found = [_listed(value, slot, transport.url) for value in values]
            return sorted(found, key=lambda account: bytes(account.address))
        case _:
            raise RpcAnswerInvalid("no accounts in the answer", url=transport.url)


def _listed(value: Any, chain_slot: int, url: str) -> AccountData:
    match value:
        case {"pubkey": str(text), "account": fields}:
            with contextlib.suppress(ValueError):
                return _account(Pubkey.from_string(text), fields, chain_slot, url)
        case _:
            pass
    raise RpcAnswerInvalid("an account without an address in the answer", url=url)


def _account(address: Pubkey, value: Any, chain_slot: int, url: str) -> AccountData:
    match value:
        case {"owner": str(owner), "lamports": int(lamports), "data": [str(data), "base64"]}:
            with contextlib.suppress(ValueError, binascii.Error):
                return AccountData(
                    address=address,
                    owner=Pubkey.from_string(owner),
                    lamports=lamports,
                    data=base64.b64decode(data, validate=True),
                    chain_slot=chain_slot,
                )
        case _:
            pass
    raise RpcAnswerInvalid(f"account {address} cannot be read from the answer", url=url)


def checked(account: AccountData | None, kind: Kind, address: Pubkey) -> AccountData:
    """Return the account if owner, discriminator, version and length are right.

    Raises:
        AccountError: the first of them that is not, by name.
    """
    if account is None:
        raise AccountMissing(address)
    if account.owner != PROGRAM_ID:
        raise WrongOwner(address, found=account.owner, wanted=PROGRAM_ID)
    head = account.data[:_HEAD_BYTES]
    if head != kind.discriminator:
        raise WrongDiscriminator(address, found=head, wanted=kind.name)
    if len(account.data) <= _HEAD_BYTES:
        raise WrongLength(address, found=len(account.data), wanted=kind.size)
    version = account.data[_HEAD_BYTES]
    if version not in VERSIONS:
        raise WrongVersion(address, found=version, supported=VERSIONS)
    if len(account.data) < kind.size:
        raise WrongLength(address, found=len(account.data), wanted=kind.size)
    return account


def clock_seconds(account: AccountData | None) -> int | None:
    """Return the chain's time in Unix seconds from its Clock account, None if that is not there."""
    if account is None or len(account.data) < _CLOCK_BYTES:
        return None
    return int.from_bytes(account.data[_CLOCK_UNIX_OFFSET:_CLOCK_BYTES], "little", signed=True)
