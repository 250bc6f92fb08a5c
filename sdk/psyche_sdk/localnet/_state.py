"""Saves a chain to one JSON file and reads it back.

LiteSVM has no dump, so the bank keeps a list of the addresses that transactions could change.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from psyche_sdk.localnet._bank import Bank
from psyche_sdk.localnet._slots import SLOT_HASHES_MAX, UNIX_SECONDS_LIMIT, SlotsStart
from psyche_sdk.localnet.errors import StateError

_FORMAT = "psyche-localnet"
_VERSION = 1
_HASH_BYTES = 32
_SLOT_MAX = 2**60


@dataclass(frozen=True, slots=True)
class SavedState:
    """A chain as read from a file: where to go on from, its time, and its accounts."""

    start: SlotsStart
    unix_seconds: float
    accounts: tuple[tuple[Pubkey, Account], ...]

    def put_into(self, bank: Bank) -> None:
        """Restores all accounts; programs come after the accounts that hold their code."""
        for address, account in sorted(self.accounts, key=lambda pair: pair[1].executable):
            try:
                bank.set_account(address, account)
            except Exception as error:  # LiteSVM's error class is not exported
                raise StateError(f"account {address} cannot be restored: {error}") from error


def save(bank: Bank, path: Path) -> None:
    """Writes the chain to `path`, whole or not at all; StateError if that fails."""
    slots = bank.slots
    accounts = {}
    for address in sorted(bank.touched, key=bytes):
        account = bank.account(address)
        if account is not None:
            accounts[str(address)] = {
                "lamports": account.lamports,
                "data": base64.b64encode(account.data).decode(),
                "owner": str(account.owner),
                "executable": account.executable,
                "rent_epoch": account.rent_epoch,
            }
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "genesis": slots.genesis.hex(),
        "running": slots.running.hex(),
        "slot": slots.slot,
        "transactions": slots.transactions,
        "unix_seconds": slots.unix_seconds,
        "slot_hashes": [[slot, bytes(entry).hex()] for slot, entry in slots.slot_hashes],
        "accounts": accounts,
    }
    try:
        _write_whole(path, json.dumps(document))
    except OSError as error:
        raise StateError(f"cannot save the chain to {path}: {error.strerror}") from error


def load(path: Path) -> SavedState | None:
    """Reads a saved chain; None if there is no such file, StateError if it is no such state."""
    try:
        document = json.loads(path.read_text("ascii"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise StateError(f"{path} is not a saved chain") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise StateError(f"{path} is not a saved chain")
    if document.get("version") != _VERSION:
        found = document.get("version")
        raise StateError(f"{path} has version {found!r}; this program reads version {_VERSION}")
    try:
        return _read(document)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise StateError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def _read(document: dict[str, Any]) -> SavedState:
    hashes = tuple((_natural(slot), _hash(text)) for slot, text in document["slot_hashes"])
    if len(hashes) > SLOT_HASHES_MAX:
        raise ValueError("too many slot hashes")
    start = SlotsStart(
        genesis=_hash(document["genesis"]),
        slot=_natural(document["slot"]) + 1,
        running=_hash(document["running"]),
        slot_hashes=hashes,
        transactions=_natural(document["transactions"]),
    )
    accounts = tuple(
        (
            Pubkey.from_string(address),
            Account(
                _natural(entry["lamports"]),
                base64.b64decode(entry["data"], validate=True),
                Pubkey.from_string(entry["owner"]),
                bool(entry["executable"]),
                _natural(entry["rent_epoch"]),
            ),
        )
        for address, entry in document["accounts"].items()
    )
    unix_seconds = float(document["unix_seconds"])
    if not 0 <= unix_seconds < UNIX_SECONDS_LIMIT or start.slot > _SLOT_MAX:
        raise ValueError("time or slot out of range")
    return SavedState(start, unix_seconds, accounts)


def _natural(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**64:
        raise ValueError("not a whole number of 64 bits")
    return value


def _hash(text: str) -> bytes:
    raw = bytes.fromhex(text)
    if len(raw) != _HASH_BYTES:
        raise ValueError("a hash has 32 bytes")
    return raw


def _write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file readable by its owner alone.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
