"""What virtual auditors and committees say of payloads."""

from __future__ import annotations

from collections.abc import Iterator

from psyche_sdk import instructions as build
from psyche_sdk.views import sealed_verdict
from support.program import sha
from support.simulator.chain import SimulatedChain
from support.simulator.clients import Client
from support.simulator.snapshot import Record

SALT = sha(b"salt")
#: Of 256 payloads so many are bad.
BAD = 80
AGES = (1, 2, 3)


def speak(world: SimulatedChain, client: Client) -> None:
    """Says all that a client has to say, most of the time."""
    for record in _kept(world):
        for auditor in record.auditors():
            silent = not auditor["verdict"] and int(auditor["target"]) < world.capacity
            if int(auditor["slot"]) == client.slot and silent:
                _verdict(world, client, record, int(auditor["target"]))
        for seat in record.seats():
            if int(seat["slot"]) == client.slot:
                target = int(record.auditors()[int(seat["case"])]["target"])
                if not seat["stage"]:
                    _seal(world, client, record, target)
                elif int(seat["stage"]) == 1 and world.rng.random() < client.habits.votes:
                    _open(world, client, record, target)


def guess(world: SimulatedChain, client: Client) -> None:
    """Says something about a payload that may not be its business."""
    for record in _kept(world):
        target = world.rng.randrange(world.capacity)
        said = world.rng.choice([_verdict, _seal, _open])
        said(world, client, record, target)


def _kept(world: SimulatedChain) -> Iterator[Record]:
    round_ = world.now.number("round")
    for age in AGES:
        record = world.now.record(round_ - age)
        if record is not None:
            yield record


def _found(world: SimulatedChain, client: Client, record: Record, target: int) -> build.Verdict:
    """The truth, if the client is honest: the same for all who say it."""
    passes = int(record.commitments()[target][0]) >= BAD
    if client.habits.honest < 1:
        world.met["lie: verdict"] += 1
        passes = client.slot % 2 == 0
    return build.Verdict(
        target=target,
        passes=passes,
        jaccard_permille=990 if passes else 1_001 if client.habits.holds < 0.6 else 10,
        hamming_permille=0,
        manhattan_permille=0,
        alignment_permille=900 if passes else -900,
        detail=sha(b"detail"),
    )


def _where(client: Client, record: Record) -> dict[str, int]:
    epoch, round_ = record.key
    return {"epoch": epoch, "round": round_, "slot": client.slot}


def _verdict(world: SimulatedChain, client: Client, record: Record, target: int) -> None:
    found = _found(world, client, record, target)
    args = build.VerdictArgs(verdict=found, **_where(client, record))
    world.attempt("verdict", client.actor, args)


def _seal(world: SimulatedChain, client: Client, record: Record, target: int) -> None:
    found = _found(world, client, record, target)
    word = sealed_verdict(found, SALT, bytes(client.actor.wallet))
    args = build.SealVerdictArgs(target=target, sealed=word, **_where(client, record))
    world.attempt("seal_verdict", client.actor, args)


def _open(world: SimulatedChain, client: Client, record: Record, target: int) -> None:
    found = _found(world, client, record, target)
    args = build.OpenVerdictArgs(verdict=found, salt=SALT, **_where(client, record))
    world.attempt("open_verdict", client.actor, args)
