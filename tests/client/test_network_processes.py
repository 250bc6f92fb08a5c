"""Separate processes, and one that dies without a word."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from solders.keypair import Keypair

from psyche_client.network import EventKind, Member
from support.network import BYTES_MAX, PATIENCE_SECONDS, Peer, sha256, start_peer, until
from support.network_child import payload_of

SIZE = 3 << 20
TESTS = Path(__file__).resolve().parents[1]


def node_key(seed: int) -> bytes:
    return bytes(Keypair.from_seed(bytes([seed]) * 32).pubkey())


@asynccontextmanager
async def child(seed: int, parent: Peer, rate: int = 0) -> AsyncIterator[tuple[Process, Member]]:
    """A child process that is a peer of `parent`; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "support.network_child",
        *(str(seed), parent.key.hex(), parent.endpoint.address_text(), str(SIZE), str(rate)),
        stdin=PIPE,
        stdout=PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert process.stdout
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            address = (await process.stdout.readline()).decode().strip()
        yield process, Member(seed, seed, address)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_download_outlives_the_death_of_the_peer_that_it_came_from() -> None:
    payload = payload_of(SIZE)
    alice = await start_peer(1)
    try:
        async with child(2, alice, rate=1 << 20) as (bob, bob_member):
            alice.exchange.set_members({node_key(2): bob_member})
            await alice.events.wait(EventKind.ANNOUNCED, node_key(2))
            pending = asyncio.create_task(
                alice.exchange.fetch(
                    sha256(payload), SIZE, timeout=PATIENCE_SECONDS, max_size=BYTES_MAX
                )
            )
            await until(lambda: alice.exchange.peers()[0].received_bytes > 400_000)
            bob.kill()
            async with child(3, alice) as (_, carol_member):
                alice.exchange.set_members({node_key(2): bob_member, node_key(3): carol_member})
                assert await pending == payload
            await alice.events.wait(EventKind.PEER_DOWN, node_key(2))
    finally:
        await alice.stop()


async def test_a_killed_peer_is_noticed_and_connected_again_when_it_restarts() -> None:
    alice = await start_peer(1)
    try:
        async with child(2, alice) as (bob, member):
            alice.exchange.set_members({node_key(2): member})
            await alice.events.wait(EventKind.PEER_UP, node_key(2))
            bob.kill()
            down = await alice.events.wait(EventKind.PEER_DOWN, node_key(2))
            assert down.detail == "no sign of life"
        alice.events.clear()
        async with child(2, alice) as (_, member):
            alice.exchange.set_members({node_key(2): member})
            await alice.events.wait(EventKind.PEER_UP, node_key(2))
            payload = payload_of(SIZE)
            got = await alice.exchange.fetch(
                sha256(payload), SIZE, timeout=PATIENCE_SECONDS, max_size=BYTES_MAX
            )
            assert got == payload
    finally:
        await alice.stop()


async def test_a_peer_that_restarts_before_its_death_was_noticed_is_connected_at_once() -> None:
    alice = await start_peer(1)
    try:
        async with child(2, alice) as (bob, member):
            alice.exchange.set_members({node_key(2): member})
            await alice.events.wait(EventKind.PEER_UP, node_key(2))
            bob.kill()
            async with child(2, alice) as (_, again):
                alice.exchange.set_members({node_key(2): again})
                payload = payload_of(SIZE)
                got = await alice.exchange.fetch(
                    sha256(payload), SIZE, timeout=PATIENCE_SECONDS, max_size=BYTES_MAX
                )
                assert got == payload
    finally:
        await alice.stop()
