"""The `Roster` account as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from psyche_sdk._generated import layouts
from psyche_sdk._rules import checks
from psyche_sdk._rules.checks import Source, raw

if TYPE_CHECKING:
    from solders.pubkey import Pubkey


class MemberState(IntEnum):
    """What a slot's holder does at the moment."""

    EMPTY = 0
    JOINED = 1
    READY = 2
    ACTIVE = 3
    BEHIND = 4
    LEFT = 5
    DROPPED = 6
    EJECTED = 7

    @property
    def is_member(self) -> bool:
        """Whether a slot in this state is held."""
        return MemberState.JOINED <= self <= MemberState.BEHIND


class VoteStage(IntEnum):
    """Where a slot stands in the open state vote."""

    NONE = 0
    MAY = 1
    COMMITTED = 2
    REVEALED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A slot of the roster and who holds it, or held it last.

    Attributes:
        vote: the member's word in the open state vote: a hash, then the digest.
        joined_at, state_since: Unix seconds.
        admitted: (epoch, round) in which the member last began to get roles.
        points, points_slashed: final, not yet collected; the second are to be taken off.
        strikes, strikes_collected: the wallet's rejected payloads, and those of them that its
            participant's account counts already.
        rounds_served, epochs_served: rounds in which a share of its own was accepted, and epochs
            that it saw through as an Active member; not yet collected.
        bond_lamports: deposited, and not returned yet.
        named: (epoch, round) of the last record that named it as Active.
        misses: in a row, as a trainer.
        silences: in this epoch, as a witness.
    """

    slot: int
    member_id: int
    wallet: bytes
    node_key: bytes
    state: MemberState
    vote: bytes
    vote_stage: VoteStage
    points: int
    points_slashed: int
    strikes: int
    strikes_collected: int
    rounds_served: int
    epochs_served: int
    bond_lamports: int
    joined_at: int
    state_since: int
    state_since_slot: int
    admitted: tuple[int, int]
    named: tuple[int, int]
    declared_weight: int
    weight: int
    misses: int
    silences: int

    @property
    def owes(self) -> bool:
        """Whether there is anything on the slot that was not collected."""
        parts = (self.points, self.points_slashed, self.bond_lamports)
        new = self.strikes > self.strikes_collected
        return any(parts) or new or self.state is MemberState.EJECTED


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """Who takes part; ``entries`` has a row a slot, with the fields of the account."""

    run: bytes
    entries: np.ndarray[Any, np.dtype[np.void]]

    @property
    def capacity(self) -> int:
        """The number of slots."""
        return len(self.entries)

    def member(self, slot: int) -> Member:
        """Who holds a slot, or held it last.

        Raises:
            IndexError: there is no such slot.
        """
        if not 0 <= slot < self.capacity:
            raise IndexError(f"slot {slot} of {self.capacity}")
        row = self.entries[slot]
        numbers = (
            "member_id",
            "points",
            "points_slashed",
            "strikes",
            "strikes_collected",
            "rounds_served",
            "epochs_served",
            "bond_lamports",
            "joined_at",
            "state_since",
            "state_since_slot",
        )
        small = ("declared_weight", "weight", "misses", "silences")
        return Member(
            slot=slot,
            **checks.numbers(row, (*numbers, *small)),
            wallet=raw(row["wallet"]),
            node_key=raw(row["node_key"]),
            vote=raw(row["vote"]),
            state=MemberState(row["state"]),
            vote_stage=VoteStage(row["vote_stage"]),
            admitted=(int(row["admitted_epoch"]), int(row["admitted_round"])),
            named=(int(row["named_epoch"]), int(row["named_round"])),
        )

    def slots(self, *states: MemberState) -> list[int]:
        """The slots in one of these states, ascending."""
        found: list[int] = np.flatnonzero(np.isin(self.entries["state"], states)).tolist()
        return found

    def members(self) -> list[Member]:
        """Those who hold a slot, ascending by slot."""
        held = [state for state in MemberState if state.is_member]
        return [self.member(slot) for slot in self.slots(*held)]

    def find(self, wallet: bytes) -> Member | None:
        """The member with this wallet, if it holds a slot."""
        key = np.frombuffer(wallet, np.uint8)
        same = (self.entries["wallet"] == key).all(axis=1)
        held = (self.entries["state"] >= MemberState.JOINED) & (
            self.entries["state"] <= MemberState.BEHIND
        )
        found = np.flatnonzero(same & held)
        return self.member(int(found[0])) if len(found) else None


def decode_roster(data: bytes, *, owner: Pubkey | None = None, address: object = "?") -> Roster:
    """The roster in an account's bytes, discriminator included.

    Raises:
        AccountError: owner, discriminator, version, length or contents are wrong.
    """
    source = Source(address, owner)
    header = checks.fixed_part(data, checks.ROSTER, source)
    capacity = checks.checked_capacity(int(header["capacity"]), source)
    start = checks.HEAD_BYTES + layouts.ROSTER_HEADER.itemsize
    checks.exact_length(data, start + capacity * layouts.ROSTER_ENTRY.itemsize, source)
    entries = np.frombuffer(data, layouts.ROSTER_ENTRY, capacity, start)
    if (entries["state"] > max(MemberState)).any() or (
        entries["vote_stage"] > max(VoteStage)
    ).any():
        raise source.invalid("an unknown state of a member")
    return Roster(raw(header["run"]), entries)
