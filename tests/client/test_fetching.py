"""Payloads of closed rounds: fetched once, checked once, served on, and never counted unread."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from psyche_client.events import EventLog, tail
from psyche_client.fetching import Fetcher
from psyche_client.network import FetchFailed, Kind
from psyche_client.payloads import PayloadKey, WantedPayload
from psyche_client.store import Store, StoreError
from support.client import Peers, key

GOOD, BAD = b"good payload", b"of no form"
GOOD_HASH, BAD_HASH = sha256(GOOD).digest(), sha256(BAD).digest()


class World:
    """A fetcher with its store and peers; `changes` counts the arrivals."""

    def __init__(self, home: Path) -> None:
        self.store, self.peers = Store(home), Peers()
        self.log = EventLog(home / "events.jsonl")
        self.changes = 0
        self.checked: list[bytes] = []
        self.owner: PayloadKey | None = None
        """Whose the good payload is; None: anybody's."""
        self.fetcher = Fetcher(
            self.peers,  # type: ignore[arg-type]
            self.store,
            self.log,
            check=self._check,
            changed=self._changed,
            bytes_max=100,
        )

    def _check(self, data: bytes, of: PayloadKey) -> bool:
        self.checked.append(data)
        return data == GOOD and self.owner in (None, of)

    def _changed(self) -> None:
        self.changes += 1


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.fetcher.close()
    made.log.close()


def wanted(payload: bytes, **changes: Any) -> WantedPayload:
    values: dict[str, Any] = {"key": key(0, 1), "commitment": sha256(payload).digest()}
    return WantedPayload(**(values | changes))


async def bring(world: World, payload: bytes, **changes: Any) -> None:
    await world.fetcher.bring(wanted(payload, **changes), 5.0)


async def test_a_payload_that_came_is_on_disk_announced_and_good(world: World) -> None:
    world.peers.give_payload(GOOD)
    await bring(world, GOOD, size=len(GOOD))
    assert world.store.payload(GOOD_HASH) == GOOD
    assert world.fetcher.good(GOOD_HASH, key(0, 1))
    assert world.peers.announced == [GOOD_HASH]
    assert world.changes == 1
    assert world.fetcher.received_bytes == len(GOOD)


async def test_a_payload_of_the_wrong_form_is_held_but_never_good(world: World) -> None:
    world.peers.give_payload(BAD)
    await bring(world, BAD, size=len(BAD))
    assert world.fetcher.holds(BAD_HASH)
    assert world.store.payload(BAD_HASH) == BAD
    assert not world.fetcher.good(BAD_HASH, key(0, 1))


@pytest.mark.parametrize("copier", [0, 2])
async def test_whoever_copies_a_commitment_gains_nothing_and_harms_nobody(
    world: World, copier: int
) -> None:
    """Commitments are on chain before any payload can be had; a payload's header names its own."""
    world.owner = key(0, 1)
    world.peers.give_payload(GOOD)
    copy = wanted(GOOD, key=key(0, copier), size=len(GOOD) + 1)
    own = wanted(GOOD, size=len(GOOD))
    for _ in range(2):  # in slot order, as the chain shows them
        world.fetcher.want(sorted([copy, own], key=lambda one: one.key.slot))
        await bring(world, GOOD, key=key(0, copier), size=len(GOOD) + 1)
        await bring(world, GOOD, size=len(GOOD))

    assert world.fetcher.good(GOOD_HASH, key(0, 1))
    assert not world.fetcher.good(GOOD_HASH, key(0, copier))


async def test_a_payload_of_another_length_than_its_trainer_says_is_not_good(world: World) -> None:
    world.peers.give_payload(GOOD)
    await bring(world, GOOD, size=len(GOOD) + 1)
    assert world.fetcher.holds(GOOD_HASH)
    assert not world.fetcher.good(GOOD_HASH, key(0, 1))


async def test_a_payload_is_asked_for_and_checked_once(world: World) -> None:
    world.peers.give_payload(GOOD)
    for _ in range(3):
        world.fetcher.want([wanted(GOOD, size=len(GOOD))] * 2)
    await bring(world, GOOD, size=len(GOOD))
    world.fetcher.want([wanted(GOOD, size=len(GOOD))])
    await bring(world, GOOD, size=len(GOOD))
    assert world.peers.asked == [(Kind.PAYLOAD, GOOD_HASH)]
    assert world.checked == [GOOD]


async def test_the_trainer_is_asked_first(world: World) -> None:
    world.peers.give_payload(GOOD)
    await bring(world, GOOD, size=len(GOOD), trainer=b"t" * 32)
    assert world.peers.hints == [b"t" * 32]


async def test_a_payload_on_disk_is_not_fetched_but_still_checked(world: World) -> None:
    world.store.put_payload(0, 0, 1, BAD)
    await bring(world, BAD)
    assert world.peers.asked == []
    assert world.fetcher.holds(BAD_HASH)
    assert not world.fetcher.good(BAD_HASH, key(0, 1))


async def test_what_nobody_has_fails_by_name_and_is_asked_for_again(world: World) -> None:
    with pytest.raises(FetchFailed, match=GOOD_HASH.hex()[:8]):
        await bring(world, GOOD)
    world.peers.give_payload(GOOD)
    await bring(world, GOOD)
    assert world.fetcher.good(GOOD_HASH, key(0, 1))


async def test_bytes_of_another_payload_or_over_the_limit_are_refused(world: World) -> None:
    long = b"x" * 101
    world.peers.give(Kind.PAYLOAD, GOOD_HASH, BAD)
    world.peers.give_payload(long)
    for payload in (GOOD, long):
        for size in (None, len(payload)):
            with pytest.raises(FetchFailed):
                await bring(world, payload, size=size)
    assert not list(world.store.payloads.iterdir())


async def test_ones_own_payload_is_on_disk_and_good_without_a_fetch(world: World) -> None:
    commitment = world.fetcher.keep_own(key(0, 1), GOOD)
    world.fetcher.want([wanted(GOOD)])
    assert commitment == GOOD_HASH
    assert world.store.payload(commitment) == GOOD
    assert world.fetcher.good(commitment, key(0, 1))
    assert world.peers.asked == []


async def test_a_disk_that_refuses_a_payload_is_told_and_it_is_not_held(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bytes:
        raise StoreError("no space left")

    monkeypatch.setattr(world.store, "put_payload", full)
    world.peers.give_payload(GOOD)
    with pytest.raises(FetchFailed):
        await bring(world, GOOD)
    assert not world.fetcher.holds(GOOD_HASH)
    messages = [event.get("message") for event in tail(world.log.path)]
    assert "no space left" in messages
    assert world.peers.announced == []


async def test_close_ends_what_is_under_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def endless(*_: object, **__: object) -> bytes:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return b""

    monkeypatch.setattr(world.peers, "fetch", endless)
    world.fetcher.want([wanted(GOOD, size=len(GOOD))])
    await asked.wait()
    await world.fetcher.close()
    assert ended.is_set()
    assert not world.fetcher.holds(GOOD_HASH)
