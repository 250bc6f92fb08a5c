"""Members and strangers that misbehave: what it costs them, and that it costs us little."""

import asyncio
import contextlib
import os
import struct
import time

import pytest
from iroh import iroh_ffi as iroh

from psyche_client.network import EventKind, Kind, Settings, wire
from psyche_client.network.wire import Answer, Get, Status
from support.mallory import COMMITMENT, PAYLOAD, Mallory, answering, fetch, silent
from support.network import (
    BYTES_MAX,
    INSTANCE,
    PATIENCE_SECONDS,
    QUICK,
    Peer,
    introduce,
    raw_endpoint,
    roster,
    start_peer,
)

CONTROL_ABUSE = {
    "an oversize frame": struct.pack("<BBI", 1, 2, 1 << 31),
    "garbage": b"\xff" * 64,
    "another version": struct.pack("<BBI", 2, 3, 8) + bytes(8),
    "a second hello": wire.encode(wire.Hello(bytes(32), 1, 0)),
    "a request out of place": wire.encode(Get(Kind.PIECE, bytes(32))),
    "a flood of pings": wire.encode(wire.Ping(1)) * 2000,
}


@pytest.mark.parametrize("abuse", CONTROL_ABUSE)
async def test_abuse_of_the_control_stream_is_banned(
    trio: tuple[Peer, Peer, Mallory], abuse: str
) -> None:
    _, bob, mallory = trio
    await mallory.join(bob)
    await mallory.send(CONTROL_ABUSE[abuse])
    await bob.events.wait(EventKind.BANNED, mallory.key)
    await mallory.closed()


async def test_garbage_instead_of_a_hello_is_banned(trio: tuple[Peer, Peer, Mallory]) -> None:
    _, bob, mallory = trio
    connection = await mallory.connect(bob)
    stream = await connection.open_bi()
    await stream.send().write_all(b"\xff" * 64)
    await bob.events.wait(EventKind.BANNED, mallory.key)


async def test_garbage_instead_of_a_request_is_banned(trio: tuple[Peer, Peer, Mallory]) -> None:
    _, bob, mallory = trio
    await mallory.join(bob)
    stream = await mallory.connection.open_bi()
    await stream.send().write_all(b"\xff" * 64)
    await bob.events.wait(EventKind.BANNED, mallory.key)


async def test_a_strangers_connection_is_closed_before_any_stream_is_accepted() -> None:
    alice = await start_peer(1)
    mallory = Mallory(await raw_endpoint(66))
    try:
        connection = await mallory.connect(alice)
        assert "stranger" in await mallory.closed()
        with pytest.raises(iroh.IrohError):
            await connection.open_bi()
        await alice.events.wait(EventKind.STRANGER, mallory.key)
        assert alice.exchange.counters().kinds == {}
    finally:
        await asyncio.gather(alice.stop(), mallory.stop())


async def test_a_member_of_another_run_is_not_connected(
    trio: tuple[Peer, Peer, Mallory],
) -> None:
    _, bob, mallory = trio
    with contextlib.suppress(iroh.IrohError):
        await mallory.join(bob, instance=bytes(32))
    assert "wrong_run" in await mallory.closed()
    assert not [event for event in bob.events.seen if event.node_key == mallory.key]


async def test_a_range_of_a_blob_is_served(trio: tuple[Peer, Peer, Mallory]) -> None:
    alice, _, mallory = trio
    await mallory.join(alice)
    head, part = await mallory.request(wire.encode(Get(Kind.PAYLOAD, COMMITMENT, 1000, 50)))
    assert head == Answer(Status.OK, len(PAYLOAD), 50)
    assert part == PAYLOAD[1000:1050]


@pytest.mark.parametrize(("offset", "length"), [(200_001, 0), (0, 200_001), (199_999, 2)])
async def test_a_range_outside_a_blob_is_refused(
    trio: tuple[Peer, Peer, Mallory], offset: int, length: int
) -> None:
    alice, _, mallory = trio
    await mallory.join(alice)
    get = Get(Kind.PAYLOAD, COMMITMENT, offset, length)
    head, part = await mallory.request(wire.encode(get))
    assert head == Answer(Status.BAD_RANGE)
    assert part == b""


async def test_a_peer_that_does_not_read_its_answer_loses_its_upload_slot() -> None:
    settings = Settings(stall_seconds=0.2, upload_slots=1, upload_queue_seconds=0.1)
    alice, bob = await start_peer(1, settings=settings), await start_peer(2)
    mallory = Mallory(await raw_endpoint(66))
    try:
        await introduce([alice, bob])
        alice.exchange.set_members({**roster([alice, bob]), mallory.key: mallory.member})
        blob = os.urandom(8 << 20)
        commitment = alice.shelf.put(blob)
        await mallory.join(alice)
        mallory.connection.set_receive_window(1000)
        stream = await mallory.connection.open_bi()
        await stream.send().write_all(wire.encode(Get(Kind.PAYLOAD, commitment)))
        await asyncio.to_thread(alice.shelf.loaded.wait, PATIENCE_SECONDS)

        got = await bob.exchange.fetch(
            commitment, len(blob), [alice.key], timeout=PATIENCE_SECONDS, max_size=BYTES_MAX
        )
        assert got == blob
    finally:
        await asyncio.gather(alice.stop(), bob.stop(), mallory.stop())


async def test_a_silent_peer_is_taken_for_dead(trio: tuple[Peer, Peer, Mallory]) -> None:
    _, bob, mallory = trio
    connection = await mallory.connect(bob)
    control = await connection.open_bi()
    await control.send().write_all(wire.encode(wire.Hello(INSTANCE, 1, 0)))
    await bob.events.wait(EventKind.PEER_UP, mallory.key)

    down = await bob.events.wait(EventKind.PEER_DOWN, mallory.key)
    assert down.detail == "no sign of life"


async def test_a_one_way_stream_is_banned(trio: tuple[Peer, Peer, Mallory]) -> None:
    _, bob, mallory = trio
    await mallory.join(bob)
    stream = await mallory.connection.open_uni()
    await stream.write_all(b"x")
    await bob.events.wait(EventKind.BANNED, mallory.key)
    await mallory.closed()


async def test_too_many_requests_at_once_are_banned(trio: tuple[Peer, Peer, Mallory]) -> None:
    _, bob, mallory = trio
    await mallory.join(bob)
    streams = []
    with contextlib.suppress(iroh.IrohError):
        for _ in range(60):
            streams.append(await mallory.connection.open_bi())
            await streams[-1].send().write_all(b"\x01")
    banned = await bob.events.wait(EventKind.BANNED, mallory.key)
    assert banned.detail == "flooded"


async def test_a_newer_connection_of_a_member_replaces_the_older(
    trio: tuple[Peer, Peer, Mallory],
) -> None:
    _, bob, mallory = trio
    await mallory.join(bob, session=1)
    await bob.events.wait(EventKind.PEER_UP, mallory.key)
    older = mallory.connection
    await mallory.join(bob, session=2)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert "replaced" in await older.closed()
    assert bob.exchange.peers()[-1].alive


async def test_a_peer_that_does_not_read_its_messages_is_taken_for_dead(
    trio: tuple[Peer, Peer, Mallory],
) -> None:
    _, bob, mallory = trio
    connection = await mallory.connect(bob)
    control = await connection.open_bi()
    await control.send().write_all(wire.encode(wire.Hello(INSTANCE, 1, 0)))
    await bob.events.wait(EventKind.PEER_UP, mallory.key)
    bob.exchange.announce(n.to_bytes(32, "little") for n in range(100_000))
    pings = asyncio.create_task(ping_for_ever(control))

    down = await bob.events.wait(EventKind.PEER_DOWN, mallory.key)
    assert down.detail == "the peer does not read"
    await pings


async def ping_for_ever(control: iroh.BiStream) -> None:
    with contextlib.suppress(iroh.IrohError):
        while True:
            await control.send().write_all(wire.encode(wire.Ping(1)))
            await asyncio.sleep(QUICK.heartbeat_seconds / 4)


def hold_up_this_process(seconds: float) -> None:
    """Block the event loop, as a matrix product that holds the interpreter would."""
    time.sleep(seconds)


async def test_a_process_that_was_held_up_does_not_take_its_peers_for_dead(
    trio: tuple[Peer, Peer, Mallory],
) -> None:
    alice, bob, _ = trio
    hold_up_this_process(2 * QUICK.dead_seconds)
    assert await fetch(bob, alice.key) == PAYLOAD
    downs = [e for e in (*alice.events.seen, *bob.events.seen) if e.kind is EventKind.PEER_DOWN]
    assert downs == []


async def test_a_process_that_was_held_up_blames_no_peer_for_stalling(
    trio: tuple[Peer, Peer, Mallory],
) -> None:
    _, bob, mallory = trio
    asked = asyncio.Semaphore(0)
    proper = answering(PAYLOAD)

    async def silent_at_first(stream: iroh.BiStream, get: Get) -> None:
        asked.release()
        await (silent if len(mallory.asked) <= 3 else proper)(stream, get)

    await mallory.join(bob, (COMMITMENT,), silent_at_first)
    pending = asyncio.create_task(fetch(bob))
    for _ in range(3):
        await asked.acquire()
        hold_up_this_process(1.5 * (QUICK.stall_seconds + QUICK.upload_queue_seconds))
    # Three stalls in a row would have been a ban.
    assert await pending == PAYLOAD


async def test_what_a_peer_announces_takes_bounded_memory(trio: tuple[Peer, Peer, Mallory]) -> None:
    _, bob, mallory = trio
    await mallory.join(bob)
    hashes = [n.to_bytes(32, "little") for n in range(1024 * 6)]
    for start in range(0, len(hashes), 1024):
        await mallory.send(wire.encode(wire.Announce(tuple(hashes[start : start + 1024]))))
    await bob.events.wait(EventKind.ANNOUNCED, where=lambda e: hashes[-1] in e.commitments)
    assert bob.exchange.holders(hashes[-1]) == [mallory.key]
    assert bob.exchange.holders(hashes[0]) == []
