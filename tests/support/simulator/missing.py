"""What virtual clients say of payloads that are nowhere to be had."""

from __future__ import annotations

import numpy as np

from psyche_sdk import instructions as build
from support.simulator.chain import SimulatedChain
from support.simulator.clients import Client
from support.simulator.snapshot import Record

#: Of 256 payloads so many are nowhere, whatever witnesses say.
NOWHERE = 12
RECORDS = 4


def speak(world: SimulatedChain, client: Client) -> None:
    """Says what is nowhere, most of the time; a liar says it of the first that is somewhere."""
    for age in range(RECORDS + 1):
        record = world.now.record(world.now.number("round") - age)
        if record is None or not record.settled or record.header["finalised"]:
            continue
        for slot in _missed(client, record):
            said = record.complaints().get(slot)
            if (said is None or not said[client.slot]) and world.rng.random() < 0.9:
                _say(world, client, record, slot)


def guess(world: SimulatedChain, client: Client) -> None:
    """Says it of any payload."""
    record = world.now.record(world.now.number("round") - world.rng.randrange(RECORDS))
    if record is not None:
        _say(world, client, record, world.rng.randrange(world.capacity + 1))


def _missed(client: Client, record: Record) -> list[int]:
    accepted = record.bits("accepted")
    nowhere = record.commitments()[:, 1] < NOWHERE
    if client.habits.honest < 1:
        return np.flatnonzero(accepted & ~nowhere)[:1].tolist()
    return np.flatnonzero(accepted & nowhere).tolist()


def _say(world: SimulatedChain, client: Client, record: Record, slot: int) -> None:
    epoch, round_ = record.key
    args = build.MissingArgs(epoch=epoch, round=round_, slot=client.slot, target=slot)
    world.attempt("missing", client.actor, args)
