"""How many compute units to ask for.

What an instruction may use is a promise of the program (docs/COSTS.md), with room above what was
measured. A transition needs more, and commit, attest, ready, leave and behind make one at their end
only if enough units are left: so whoever sees that one is due asks for it.
"""

from __future__ import annotations

from typing import Final

from psyche_sdk._generated.accounts import ROUNDS_BYTES

_BASE: Final = {
    "create_run": 120_000,
    "allocate": 400_000,
    "update_config": 60_000,
    "update_model": 30_000,
    "resume": 60_000,
    "pause": 300_000,
    "abort": 300_000,
    "close_run": 60_000,
    "update_metadata": 20_000,
    "set_rates": 20_000,
    "set_authority": 20_000,
    "accept_authority": 20_000,
    "set_join_authority": 20_000,
    "set_payee": 20_000,
    "collect": 60_000,
    "close_participant": 30_000,
    "issue_pass": 60_000,
    "revoke_pass": 20_000,
    "migrate": 120_000,
    "migrate_participant": 20_000,
    "join": 60_000,
    "set_endpoint": 20_000,
    "set_weight": 20_000,
    "ready": 60_000,
    "behind": 60_000,
    "leave": 60_000,
    "tick": 30_000,
    "commit": 30_000,
    "attest": 40_000,
    "attest_state": 30_000,
    "reveal_state": 40_000,
    "missing": 30_000,
    "verdict": 20_000,
    "seal_verdict": 20_000,
    "open_verdict": 20_000,
    "publish_checkpoint": 30_000,
    "confirm_checkpoint": 20_000,
    "set_checkpoint": 40_000,
}
_DEFAULT = 200_000
#: Units a slot of instructions that look at every slot, on top of `_GROWING_BASE`: an abort gives
#: back all that is in flight and makes what is settled final, an opened word may decide a vote and
#: have witnesses drawn before, a missing payload has up to four chain hashes computed anew, and who
#: comes back or closes its account may have left something on any slot.
_GROWING: Final = {
    "abort": 1_300,
    "reveal_state": 110,
    "missing": 130,
    "join": 60,
    "close_participant": 60,
}
_GROWING_BASE: Final = 20_000
#: A filter has as many keys as its rate needs: 6 at one in a hundred, 19 at one in a million.
_FILTER_A_SLOT: Final = 400
#: The most that the chain gives to one transaction.
UNITS_MAX: Final = 1_400_000
_TRANSITION_BASE = 120_000
_TRANSITION_A_SLOT = 600

#: An account grows by at most so many bytes an instruction.
_GROWTH_BYTES = 10_240
_RECORDS = 4
#: A record's columns: 65 bytes a slot, and room for 64 verifiers of 80 bytes.
_COLUMN_BYTES_A_SLOT = 65
_VERIFIERS_BYTES = 64 * 80


def transition_units(capacity: int) -> int:
    """Return the compute units that a transition may use in a run of `capacity` slots."""
    return _TRANSITION_BASE + _TRANSITION_A_SLOT * capacity


def units_for(name: str, *, capacity: int = 0, transition: bool = False) -> int:
    """Return the compute units to ask for, with those of a transition if one is due."""
    base = _BASE.get(name, _DEFAULT)
    base = min(max(base, _GROWING.get(name, 0) * capacity + _GROWING_BASE), UNITS_MAX)
    return base + transition_units(capacity) if transition or name == "tick" else base


def filter_units(capacity: int, *, transition: bool = False) -> int:
    """Return the compute units of an `attest` whose Bloom filter is looked up for every slot."""
    units = _BASE["attest"] + _FILTER_A_SLOT * capacity
    return min(units + (transition_units(capacity) if transition else 0), UNITS_MAX)


def allocations(capacity: int) -> int:
    """Return how many `allocate`s a run needs after its creation.

    Rounds is the largest account at every capacity, so it decides.
    """
    size = ROUNDS_BYTES + _RECORDS * (_COLUMN_BYTES_A_SLOT * capacity + _VERIFIERS_BYTES)
    return -(-size // _GROWTH_BYTES) - 1
