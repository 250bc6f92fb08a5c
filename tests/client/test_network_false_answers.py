"""A fetch gets its bytes, whatever single peers answer, and who lies is banned."""

import asyncio
import os
import struct

import pytest
from iroh import iroh_ffi as iroh

from psyche_client.network import EventKind, FetchFailed, Kind, wire
from psyche_client.network.wire import Answer, Get, Status
from support.mallory import COMMITMENT, PAYLOAD, Behaviour, Mallory, answering, fetch, raw, silent
from support.network import (
    PATIENCE_SECONDS,
    QUICK,
    Peer,
)

FALSE_ANSWERS: dict[str, Behaviour] = {
    "false bytes": answering(bytes(len(PAYLOAD))),
    "a false size": answering(bytes(10)),
    "no answer at all": raw(b""),
    "garbage": raw(os.urandom(500)),
    "a message of another type": raw(wire.encode(wire.Ping(1))),
    "an endless frame": raw(struct.pack("<BBI", 1, 32, 2**32 - 1), then_hang=True),
    "a part of another range": raw(wire.encode(Answer(Status.OK, len(PAYLOAD), 5)) + b"12345"),
    "less than it says": raw(wire.encode(Answer(Status.OK, len(PAYLOAD), len(PAYLOAD))) + b"1"),
    "silence": silent,
    "half, and then silence": raw(
        wire.encode(Answer(Status.OK, len(PAYLOAD), len(PAYLOAD))) + PAYLOAD[:100_000],
        then_hang=True,
    ),
    "a false half, and then silence": raw(
        wire.encode(Answer(Status.OK, len(PAYLOAD), len(PAYLOAD))) + bytes(100_000),
        then_hang=True,
    ),
    "never busy enough": raw(wire.encode(Answer(Status.BUSY))),
    "nothing after announcing": raw(wire.encode(Answer(Status.NOT_HELD))),
}


@pytest.mark.parametrize("name", FALSE_ANSWERS)
async def test_a_peer_that_answers_badly_does_not_keep_a_payload_away(
    trio: tuple[Peer, Peer, Mallory], name: str
) -> None:
    alice, bob, mallory = trio
    await mallory.join(bob, (COMMITMENT,), FALSE_ANSWERS[name])
    await bob.events.wait(EventKind.ANNOUNCED, mallory.key)

    assert await fetch(bob, alice.key) == PAYLOAD
    assert mallory.asked


@pytest.mark.parametrize("name", ["false bytes", "a false size", "garbage", "an endless frame"])
async def test_a_peer_that_sends_false_bytes_is_banned_and_cannot_come_back(
    trio: tuple[Peer, Peer, Mallory], name: str
) -> None:
    alice, bob, mallory = trio
    await mallory.join(bob, (COMMITMENT,), FALSE_ANSWERS[name])
    await bob.events.wait(EventKind.ANNOUNCED, mallory.key)
    await fetch(bob, alice.key)

    await bob.events.wait(EventKind.BANNED, mallory.key)
    await mallory.closed()
    again = await mallory.connect(bob)
    assert "banned" in await again.closed()
    assert [p.banned for p in bob.exchange.peers()] == [False, True]


async def test_a_transfer_that_broke_is_continued_elsewhere(
    trio: tuple[Peer, Peer, Mallory],
) -> None:
    alice, bob, mallory = trio
    await mallory.join(bob, (COMMITMENT,), FALSE_ANSWERS["half, and then silence"])
    await bob.events.wait(EventKind.ANNOUNCED, mallory.key)

    assert await fetch(bob, alice.key) == PAYLOAD
    assert 100_000 <= alice.exchange.counters().kinds["payload"].sent < 101_000


async def test_a_trickle_does_not_hold_a_fetch(trio: tuple[Peer, Peer, Mallory]) -> None:
    alice, bob, mallory = trio

    async def trickle(stream: iroh.BiStream, _get: Get) -> None:
        head = Answer(Status.OK, len(PAYLOAD), len(PAYLOAD))
        await stream.send().write_all(wire.encode(head))
        for _ in range(1000):
            await stream.send().write_all(b"x")
            await asyncio.sleep(QUICK.stall_seconds / 4)

    await mallory.join(bob, (COMMITMENT,), trickle)
    await bob.events.wait(EventKind.ANNOUNCED, mallory.key)
    assert await fetch(bob, alice.key) == PAYLOAD


async def test_when_all_stall_the_fetch_fails_at_its_deadline(
    trio: tuple[Peer, Peer, Mallory],
) -> None:
    _, bob, mallory = trio
    await mallory.join(bob, (COMMITMENT,), silent)
    await bob.events.wait(EventKind.ANNOUNCED, mallory.key)
    with pytest.raises(FetchFailed, match="stalled") as failure:
        await fetch(bob, timeout=1.0)
    assert set(failure.value.reasons) == {mallory.key}


async def test_a_blob_over_its_limit_is_refused_before_it_is_read(
    trio: tuple[Peer, Peer, Mallory],
) -> None:
    _, bob, mallory = trio
    await mallory.join(bob, (), raw(wire.encode(Answer(Status.OK, 1 << 60, 1 << 60))))
    with pytest.raises(FetchFailed, match="over 1000"):
        await bob.exchange.fetch_blob(
            Kind.MANIFEST, bytes(32), lambda _: True, [mallory.key], timeout=0.5, max_size=1000
        )
    await bob.events.wait(EventKind.BANNED, mallory.key)


async def test_a_verifier_that_cannot_read_the_blob_bans_its_sender(
    trio: tuple[Peer, Peer, Mallory],
) -> None:
    alice, bob, mallory = trio
    alice.shelf.put(b"12", Kind.MANIFEST, bytes(32))

    await mallory.join(bob, (bytes(32),), answering(b"x"))
    await bob.events.wait(EventKind.ANNOUNCED, mallory.key)
    got = await bob.exchange.fetch_blob(
        Kind.MANIFEST,
        bytes(32),
        lambda data: int(data) == 12,
        [alice.key],
        timeout=PATIENCE_SECONDS,
        max_size=100,
    )
    assert got == b"12"
    await bob.events.wait(EventKind.BANNED, mallory.key)
