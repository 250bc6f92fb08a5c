"""A checkpoint counts for a client only if the very node that published served the right bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psyche_client.decide import Phase
from psyche_client.events import EventLog, tail
from psyche_client.model.digest import digest, manifest, parse_manifest
from psyche_client.network import FetchFailed, Kind
from psyche_client.publishing import Publishing, fetch_drawn
from psyche_client.seen import CheckpointSeen, Offer, Sight
from psyche_sdk.views import drawn_piece, node_uri
from support.client import Peers, seat, sight
from support.node_world import WALLET, FakeChain

PARAMETERS = {name: np.full(7, index, np.float32) for index, name in enumerate("abcdef")}
MANIFEST = manifest(PARAMETERS, 7)
PIECES = [parse_manifest(MANIFEST).pieces(name)[0] for name in PARAMETERS]
NODE = b"n" * 32
OFFER = Offer(epoch=2, place=0, node_key=NODE, digest=digest(MANIFEST), seed=b"s" * 32)
DRAWN = drawn_piece(OFFER.seed, WALLET, len(PIECES))


class World:
    """A client in a Cooldown, its peers, and the chain."""

    def __init__(self, home: Path) -> None:
        self.peers, self.log = Peers(), EventLog(home / "events.jsonl")
        self.chain, self.changed = FakeChain(sight()), asyncio.Event()
        chain: Any = self.chain
        peers: Any = self.peers
        self.publishing = Publishing(chain, peers, self.log, self.changed.set)

    def serve(self, *, manifests: bytes = MANIFEST, piece: bytes | None = None) -> None:
        """The node gives these, by default the right bytes."""
        right = list(PARAMETERS.values())[DRAWN].tobytes()
        self.peers.give(Kind.MANIFEST, OFFER.digest, manifests)
        self.peers.give(Kind.PIECE, PIECES[DRAWN], right if piece is None else piece)

    def events(self, name: str) -> list[dict[str, Any]]:
        """What was written down under a name."""
        return [event for event in tail(self.log.path) if event["event"] == name]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.publishing.close()
    made.log.close()


def offered(*offers: Offer) -> Sight:
    """A Cooldown in which this was published."""
    seen = CheckpointSeen(digest=OFFER.digest, publish=True, offers=offers)
    return sight(phase=Phase.COOLDOWN, epoch=2, checkpoint=seen)


async def checked(world: World, seen: Sight) -> frozenset[int]:
    """What is found right."""
    await world.publishing.check(seen)
    async with asyncio.timeout(5):
        while world.publishing.checking(seen):
            await world.changed.wait()
            world.changed.clear()
    return world.publishing.checked(seen)


async def test_manifest_and_drawn_piece_alone_are_fetched_from_who_published(world: World) -> None:
    world.serve()

    assert await checked(world, offered(OFFER)) == {0}

    assert world.peers.asked == [(Kind.MANIFEST, OFFER.digest), (Kind.PIECE, PIECES[DRAWN])]
    assert world.peers.only == [NODE, NODE]


def test_wallets_draw_pieces_of_their_own() -> None:
    drawn = {drawn_piece(OFFER.seed, bytes([number]) * 32, 6) for number in range(60)}

    assert drawn == set(range(6))


@pytest.mark.parametrize(
    "served",
    [
        {"manifests": manifest(PARAMETERS, 8)},
        {"manifests": b""},
        {"piece": b""},
        {"piece": bytes(28)},
        {"piece": list(PARAMETERS.values())[DRAWN].tobytes() + b"\0"},
    ],
    ids=["another state", "no manifest", "no piece", "another piece", "a longer piece"],
)
async def test_a_node_that_serves_other_bytes_is_not_confirmed(
    world: World, served: dict[str, bytes]
) -> None:
    world.serve(**served)

    assert await checked(world, offered(OFFER)) == frozenset()
    (event,) = world.events("error")
    assert "cannot be confirmed" in event["message"]


async def test_a_check_that_failed_may_be_tried_again(world: World) -> None:
    assert await checked(world, offered(OFFER)) == frozenset()
    world.serve()

    assert await checked(world, offered(OFFER)) == {0}


async def test_a_dead_node_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = world.peers.fetch_blob

    async def slow(*arguments: Any, **more: Any) -> bytes:
        if more["only"] == b"dead" * 8:
            await asyncio.Event().wait()
        return await answer(*arguments, **more)

    monkeypatch.setattr(world.peers, "fetch_blob", slow)
    world.serve()
    dead = Offer(epoch=2, place=1, node_key=b"dead" * 8, digest=OFFER.digest, seed=OFFER.seed)
    both = offered(dead, OFFER)
    await world.publishing.check(both)
    async with asyncio.timeout(5):
        await world.changed.wait()

    assert world.publishing.checked(both) == {0}
    assert world.publishing.checking(both) == {1}


async def test_what_is_no_longer_offered_is_given_up(world: World) -> None:
    stopped = asyncio.Event()

    async def never(*_: Any, **__: Any) -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return b""

    world.peers.fetch_blob = never  # type: ignore[method-assign]
    await world.publishing.check(offered(OFFER))
    await asyncio.sleep(0)

    world.publishing.look(sight())

    async with asyncio.timeout(5):
        await stopped.wait()
    assert world.publishing.checking(offered(OFFER)) == frozenset()
    assert world.events("error") == []


async def test_a_confirmation_names_the_place_that_was_found_right(world: World) -> None:
    world.serve()
    seen = offered(Offer(epoch=2, place=1, node_key=NODE, digest=OFFER.digest, seed=OFFER.seed))
    await checked(world, seen)

    await world.publishing.confirm(seen)

    assert world.chain.sent == [("confirm_checkpoint", (1,))]
    assert [event["place"] for event in world.events("confirmed")] == [1]


async def test_a_client_publishes_the_node_that_stands_in_the_roster(world: World) -> None:
    await world.publishing.publish(offered())

    uri = node_uri(seat().node_key)
    assert world.chain.sent == [("publish_checkpoint", (uri,))]
    assert [event["uri"] for event in world.events("published")] == [uri]


async def test_a_manifest_of_no_form_is_a_typed_error() -> None:
    peers: Any = Peers()
    odd = Offer(epoch=2, place=0, node_key=NODE, digest=digest(b"odd"), seed=b"s" * 32)
    peers.give(Kind.MANIFEST, odd.digest, b"odd")

    with pytest.raises(ValueError, match="manifest"):
        await fetch_drawn(peers, odd, WALLET)
    with pytest.raises(FetchFailed):
        await fetch_drawn(peers, OFFER, WALLET)
