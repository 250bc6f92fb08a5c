"""Runs with bonds: what lies where, and what is written on a roster that nothing writes yet."""

from __future__ import annotations

from typing import Any

import numpy as np
from solders.pubkey import Pubkey

from psyche_sdk._generated import layouts
from psyche_sdk._generated import types as events
from psyche_sdk.views import MemberState, Participant, Phase, decode_participant
from support.actors import Actor
from support.program import World, build, world_at
from support.program_chain import Sent

BOND = 2_000_000
MOST = 1 << 48
#: Too little to keep an account without data alive.
LITTLE = 1_000
SYSTEM = Pubkey.default()
CONSTRAINT_MUT = 2_000
HEAD = 8


def lamports(world: World, key: Pubkey) -> int:
    """What lies at an address."""
    return world.svm.get_balance(key) or 0


def rent(world: World, key: Pubkey) -> int:
    """What an account must hold."""
    return int(world.svm.minimum_balance_for_rent_exemption(len(world.data(key))))


def check_books(world: World) -> None:
    """The run holds its rent, the bonds of the roster, and what is forfeited."""
    run = world.run
    bonds = sum(world.roster.member(slot).bond_lamports for slot in range(world.capacity))
    above = lamports(world, world.run_key) - rent(world, world.run_key)
    assert run.bonds_lamports == bonds
    assert above == bonds + run.forfeited_lamports


def given(bond: int = BOND, phase: Phase = Phase.PAUSED, **changes: Any) -> World:
    """A run whose members pay a bond."""
    return world_at(phase, bond_lamports=bond, **changes)


def participant(world: World, actor: Actor) -> Participant:
    """What the run keeps about an actor."""
    return decode_participant(world.data(world.participant_key(actor)))


def write(world: World, slot: int, **fields: int) -> None:
    """Sets fields of a roster's entry, as what is not built yet would."""
    data = bytearray(world.data(world.roster_key))
    start = HEAD + layouts.ROSTER_HEADER.itemsize + slot * layouts.ROSTER_ENTRY.itemsize
    entry = np.frombuffer(data, layouts.ROSTER_ENTRY, 1, start)
    for name, value in fields.items():
        entry[name][0] = value
    world.poke(world.roster_key, bytes(data))


def eject(world: World, actor: Actor) -> int:
    """A member was thrown out for cheating; its slot."""
    slot = world.member(actor).slot
    world.leave(actor)
    write(world, slot, state=MemberState.EJECTED, strikes=2)
    return slot


def set_payee(world: World, actor: Actor, payee: Pubkey) -> None:
    """Points and bond of an actor go elsewhere."""
    world.do("set_payee", actor, build.SetPayeeArgs(payee=payee))


def told(sent: Sent) -> events.Collected:
    """What a collect says."""
    (event,) = [one for one in sent.events if isinstance(one, events.Collected)]
    return event
