"""Who acts in tests of the program: names with roles and keys that never change."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from solders.keypair import Keypair
from solders.pubkey import Pubkey


@dataclass(frozen=True)
class Actor:
    """Somebody with a wallet."""

    name: str

    @property
    def keypair(self) -> Keypair:
        """The keys, made from the name."""
        return _keypair(self.name)

    @property
    def wallet(self) -> Pubkey:
        """The public key."""
        return _wallet(self.name)

    @property
    def node_key(self) -> bytes:
        """An invented key of the actor's node."""
        return hashlib.sha256(f"node of {self.name}".encode()).digest()


@cache
def _wallet(name: str) -> Pubkey:
    return _keypair(name).pubkey()


@cache
def _keypair(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(name.encode()).digest())


#: The owner of the run.
ALICE = Actor("alice")
#: Members.
BOB, CAROL, DAVE = Actor("bob"), Actor("carol"), Actor("dave")
TRIO = (BOB, CAROL, DAVE)
#: A member that comes late.
ERIN = Actor("erin")
#: Somebody without rights.
MALLORY = Actor("mallory")
#: The join authority of runs that have one.
OLIVIA = Actor("olivia")
#: Pays fees where who signs must not matter.
FAUCET = Actor("faucet")


def crowd(count: int) -> tuple[Actor, ...]:
    """So many members."""
    return tuple(Actor(f"member {number}") for number in range(count))
