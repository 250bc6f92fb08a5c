"""Bytes of a round: payloads beside gradients, a client's sockets beside a ring, the chain's part.

- Payload: of one member whose gradients are normal numbers, beside those gradients.
- Sockets: what a client's QUIC connections sent and received in UDP datagrams while each of so many
  clients gave its payload to all, over loopback, by the client's own exchange; the mean over
  clients. For 64 members frames are counted instead: 2,016 connections are too many for a process.
  The peer, by its formula, is a ring all-reduce of as many: each member sends, and receives,
  2 (n - 1) / n of the gradients.
- Control: all frames of a client but payloads in a round of 60 seconds, counted: requests, answers,
  announcements (each client tells all others of each payload that it holds) and heartbeats.
- Chain: bytes of all transactions of a round in which all goes well, as they are sent: a commitment
  of each member, an attestation of each of up to 32 witnesses, four ticks. One reading is that of
  the run's three accounts in base64. How often a client reads depends on its settings.

    python -m benchmarks.wire [--json]
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.transaction import Transaction

from benchmarks import rows
from benchmarks.rows import Row
from psyche_client.model.presets import preset
from psyche_client.network import Settings, wire
from psyche_client.optim import DisTrO, Layout, PayloadHeader, UpdateRule, encode
from psyche_sdk import instructions, pda

# Clients' networks in one process are part of the tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.network import BYTES_MAX, PATIENCE_SECONDS, Peer, peers, until

MODEL = "medium"
TOPKS = (8, 32)
ON_SOCKETS = (4, 16)
COUNTS = (4, 16, 64)
WITNESSES_MAX = 32
TICKS = 4
ROUND_SECONDS = 60.0
FLOAT32, BFLOAT16 = 4, 2


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes that one client sent and received, the mean over clients.

    Attributes:
        datagrams: of UDP, without headers of UDP and IP.
        kinds: frames and blobs by kind, as the client counts them.
    """

    datagrams: float
    kinds: dict[str, float]


def table() -> Iterator[tuple[str, ...]]:
    """The rows as a table."""
    return rows.table(measure())


def measure() -> Iterator[Row]:
    """Payloads, sockets, control and chain."""
    torch.set_num_threads(1)
    parameters = preset(MODEL).parameter_count()
    payloads = {topk: payload_bytes(topk) for topk in TOPKS}
    for topk, size in payloads.items():
        for name, width in (("float32", FLOAT32), ("bfloat16", BFLOAT16)):
            yield _row(f"payload, k = {topk}, to {name} gradients", size, width * parameters)
    for topk, size in payloads.items():
        yield from _exchange_rows(topk, size, parameters)
    for count in COUNTS:
        control = control_bytes(count, ROUND_SECONDS)
        exchanged = 2 * (count - 1) * payloads[TOPKS[-1]]
        name = f"control of a client, {count} members, to its payloads, k = {TOPKS[-1]}"
        yield _row(name, control, exchanged)
    for count in COUNTS:
        chain = transaction_bytes(count)
        name = f"transactions of all, {count} members, to all payloads, k = {TOPKS[-1]}"
        yield _row(name, chain, count * payloads[TOPKS[-1]])
        name = f"one reading of the run, {count} slots, to one payload, k = {TOPKS[-1]}"
        yield _row(name, reading_bytes(count), payloads[TOPKS[-1]])


def _row(name: str, ours: float, peer: float) -> Row:
    return Row(name=f"{name}, bytes", ours=ours, peer=peer, ratio=peer / ours)


def _exchange_rows(topk: int, size: int, parameters: int) -> Iterator[Row]:
    for count in COUNTS:
        if count in ON_SOCKETS:
            how, ours = "on sockets", asyncio.run(one_round(count, size)).datagrams
        else:
            how, ours = "frames counted", 2 * (count - 1) * size + control_bytes(count, 0.0)
        for name, width in (("float32", FLOAT32), ("bfloat16", BFLOAT16)):
            where = f"{count} members, k = {topk}, {how}, to a ring of {name}"
            yield _row(f"sent and received, {where}", ours, ring_bytes(count, width * parameters))


def ring_bytes(count: int, gradient_bytes: int) -> float:
    """Sent and received by one member of a ring all-reduce: 2 (n - 1) / n of it each way."""
    return 2 * 2 * (count - 1) / count * gradient_bytes


def payload_bytes(topk: int) -> int:
    """A payload of the model, header included."""
    shapes = preset(MODEL).parameter_shapes()
    generator = torch.Generator().manual_seed(topk)
    gradients = {name: torch.randn(one, generator=generator) for name, one in shapes.items()}
    layout = Layout.from_shapes(shapes)
    optimizer = DisTrO(layout, UpdateRule(topk=topk))
    header = PayloadHeader(
        instance=bytes(32), epoch=0, round=0, slot=0, member_id=1, layout_digest=layout.digest()
    )
    return len(encode(header, optimizer.generate(gradients, (0, 0)), optimizer.form_at(0)))


# The network


async def one_round(count: int, size: int) -> Traffic:
    """Each client announces a payload of so many bytes, and fetches and announces the others'."""
    async with peers(count, settings=Settings()) as group:
        before = [_datagrams(peer) for peer in group]
        counted = [_kinds(peer) for peer in group]
        owners = {peer.shelf.put(os.urandom(size)): peer for peer in group}
        for commitment, owner in owners.items():
            owner.exchange.announce([commitment])
        await asyncio.gather(*(_fetch_all(peer, owners, size) for peer in group))
        await until(
            lambda: all(
                len(peer.exchange.holders(one)) == count - 1 for peer in group for one in owners
            )
        )
        datagrams = [_datagrams(peer) - old for peer, old in zip(group, before, strict=True)]
        for peer, old in zip(group, counted, strict=True):
            old.subtract(_kinds(peer))
    kinds = {name: -fmean(old[name] for old in counted) for name in counted[0]}
    return Traffic(fmean(datagrams), kinds)


async def _fetch_all(peer: Peer, owners: dict[bytes, Peer], size: int) -> None:
    async def fetch(commitment: bytes, owner: Peer) -> None:
        data = await peer.exchange.fetch(
            commitment, size, [owner.key], timeout=PATIENCE_SECONDS, max_size=BYTES_MAX
        )
        peer.shelf.put(data)
        peer.exchange.announce([commitment])

    others = {one: owner for one, owner in owners.items() if owner is not peer}
    await asyncio.gather(*(fetch(one, owner) for one, owner in others.items()))


def _datagrams(peer: Peer) -> int:
    """Bytes both ways: QUIC's own count, with what it sent again and acknowledged."""
    found: list[Any] = [link._connection.stats() for link in peer.exchange._mesh.links.values()]
    return sum(one.udp_tx_bytes + one.udp_rx_bytes for one in found)


def _kinds(peer: Peer) -> Counter[str]:
    kinds = peer.exchange.counters().kinds
    return Counter({name: tally.sent + tally.received for name, tally in kinds.items()})


def control_bytes(count: int, seconds: float) -> float:
    """Frames of a client in a round but payloads: announcements one by one, which is the most."""
    hash_, others = bytes(wire.HASH_BYTES), count - 1
    get = len(wire.encode(wire.Get(wire.Kind.PAYLOAD, hash_)))
    answer = len(wire.encode(wire.Answer(wire.Status.OK, 1, 1)))
    announce = len(wire.encode(wire.Announce((hash_,))))
    beat = len(wire.encode(wire.Ping(0))) + len(wire.encode(wire.Pong(0)))
    settings = Settings()
    interval = max(1.0, others / settings.brisk_peers) * settings.heartbeat_seconds
    each = get + answer + count * announce + beat * seconds / interval
    return 2 * others * each


# The chain


def transaction_bytes(count: int) -> int:
    """All transactions of a round in which all goes well."""
    wallet = Keypair.from_seed(bytes(32))
    run = pda.run_address(wallet.pubkey(), "wire")
    roster, rounds = pda.roster_address(run), pda.rounds_address(run)
    commitment = instructions.CommitArgs(
        epoch=0, round=0, slot=0, commitment=bytes(32), bytes=1, loss_micronats=1, tokens=1,
        train_milliseconds=1,
    )  # fmt: skip
    word = instructions.AttestArgs(
        epoch=0, round=0, slot=0, bits=bytes(capacity_of(count) // 8), custody_root=bytes(32)
    )
    key = wallet.pubkey()
    commit = instructions.commit(
        wallet=key, run=run, roster=roster, rounds=rounds, args=commitment, transition=False
    )
    attest = instructions.attest(
        wallet=key, run=run, roster=roster, rounds=rounds, args=word, transition=False
    )
    tick = instructions.tick(run=run, roster=roster, rounds=rounds)
    witnesses = min(WITNESSES_MAX, count)
    return (
        count * transaction_size(commit, wallet)
        + witnesses * transaction_size(attest, wallet)
        + TICKS * transaction_size(tick, wallet)
    )


def transaction_size(instruction: Instruction, payer: Keypair) -> int:
    """As the SDK sends it: the units that it asks for, one instruction, one signature."""
    built = (set_compute_unit_limit(200_000), instruction)
    message = Message.new_with_blockhash(built, payer.pubkey(), Hash.default())
    return len(bytes(Transaction([payer], message, Hash.default())))


def capacity_of(count: int) -> int:
    """Slots of a run with so many members: a whole number of bytes of bits."""
    return -(-count // 8) * 8


def reading_bytes(count: int) -> int:
    """Run, Roster and Rounds of so many slots (docs/COSTS.md) in base64."""
    more = capacity_of(count) - 8
    sizes = (3_160, 1_928 + 232 * more, 29_800 + 260 * more)
    return sum(-(-size // 3) * 4 for size in sizes)


if __name__ == "__main__":
    sys.exit(rows.main(measure))
