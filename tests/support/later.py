"""What comes later on a chain: moments at which somebody acts, and other hashes."""

from __future__ import annotations

from collections.abc import Callable

from solders.hash import Hash

from support import program_chain

#: Slots of the chain after which somebody stores what was noted.
LATER = (3, 4, 5, 16, 40, 300)
#: The hashes that every test has.
first_hash = program_chain.slot_hash


def later_hash(last: int, number: int) -> Callable[[int], Hash]:
    """Hashes that are what they were up to a slot, and others from then on."""

    def of(chain_slot: int) -> Hash:
        return first_hash(chain_slot if chain_slot <= last else chain_slot + number * 10**9)

    return of
