"""Addresses of a run's accounts, and its name in the form CREATOR/ID."""

from __future__ import annotations

import re

from solders.pubkey import Pubkey

from psyche_sdk._generated._program import PROGRAM_ID
from psyche_sdk.errors import ConfigError

__all__ = [
    "PROGRAM_ID",
    "parse_run",
    "participant_address",
    "pass_address",
    "roster_address",
    "rounds_address",
    "run_address",
]

_RUN_ID = re.compile(r"[a-z0-9-]{1,32}")


def run_address(creator: Pubkey, run_id: str) -> Pubkey:
    """Return the address of a run; ConfigError if `run_id` is not 1 to 32 of a-z, 0-9 and -."""
    if not _RUN_ID.fullmatch(run_id):
        hint = "a run's id is 1 to 32 characters of a-z, 0-9 and -"
        raise ConfigError(f"run id {run_id!r} is not allowed", hint=hint)
    return _find(b"run", bytes(creator), run_id.encode())


def roster_address(run: Pubkey) -> Pubkey:
    """Return the address of a run's roster."""
    return _find(b"roster", bytes(run))


def rounds_address(run: Pubkey) -> Pubkey:
    """Return the address of a run's round records."""
    return _find(b"rounds", bytes(run))


def participant_address(run: Pubkey, wallet: Pubkey) -> Pubkey:
    """Return the address of what a run keeps about a wallet."""
    return _find(b"participant", bytes(run), bytes(wallet))


def pass_address(run: Pubkey, wallet: Pubkey) -> Pubkey:
    """Return the address of a wallet's permission to join a run."""
    return _find(b"pass", bytes(run), bytes(wallet))


def parse_run(text: str) -> Pubkey:
    """Return the address of a run that is written as an address or as CREATOR/ID."""
    creator, slash, run_id = text.strip().partition("/")
    try:
        key = Pubkey.from_string(creator)
    except ValueError:
        hint = "write a run's address, or its creator and id as CREATOR/ID"
        raise ConfigError(f"{text!r} names no run", hint=hint) from None
    return run_address(key, run_id) if slash else key


def _find(*seeds: bytes) -> Pubkey:
    return Pubkey.find_program_address(list(seeds), PROGRAM_ID)[0]
