"""The client's loop in a round: applying, catching up, attesting, voting, clearing up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psyche_client import lookout, node
from psyche_client.chain import ChainError
from psyche_client.custody import custody_leaf
from psyche_client.decide import Phase, Standing, VoteStage
from psyche_client.events import tail
from psyche_client.model.digest import parse_manifest, read_piece
from psyche_client.model.errors import CheckpointError
from psyche_client.network import Kind
from psyche_client.seen import CheckpointSeen, Offer, Sight, StateVoteSeen
from psyche_client.trainer import Trainer
from psyche_sdk.views import drawn_piece, node_uri
from support.client import (
    START,
    agreed,
    key,
    record,
    seat,
    settled,
    tokens,
)
from support.node_world import BAD, WALLET, World, share


@pytest.fixture
async def world(
    tmp_path: Path, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    for module in (node, lookout):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.002)
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.002)
    trainer.load_initial()
    made = World(tmp_path, trainer, keep_all=False)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def payload(trainer: Trainer) -> bytes:
    trainer.load_initial()
    return trainer.train(tokens(5), key(0, 1)).payload


async def test_a_settled_round_is_fetched_written_down_and_applied(
    world: World, payload: bytes
) -> None:
    chain, of = world.chain, settled(0, {1: payload})
    world.peers.give_payload(payload)
    chain.now = world.sight(
        phase=Phase.COOLDOWN,
        rounds=(record(of, {1: payload}),),
        chain_hash=of.chain_hash,
        round=1,
    )

    def applied() -> None:
        if world.replica.chain_hash == of.chain_hash:
            chain.now = world.finished(chain_hash=of.chain_hash)

    chain.on("sight", applied)
    await world.run()
    assert world.trainer.digest(1) != world.initial.digest
    assert world.store.round_after(START) == of
    (event,) = [one for one in tail(world.log.path) if one["event"] == "round"]
    assert (event["step"], event["accepted"], event["loss"]) == (0, 1, 4.0)


async def test_nothing_is_applied_while_a_share_is_being_trained(
    world: World, payload: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, of = world.chain, settled(0, {1: payload})
    world.peers.give_payload(payload)
    training, go_on = asyncio.Event(), asyncio.Event()
    train = world.replica.train

    async def slow(*arguments: Any) -> Any:
        training.set()
        await go_on.wait()
        return await train(*arguments)

    monkeypatch.setattr(world.replica, "train", slow)
    chain.now = share(world)
    rounds = (*share(world).rounds, record(of, {1: payload}))
    ahead = share(world, rounds=rounds, chain_hash=of.chain_hash)
    held: list[bytes] = []

    def look() -> None:
        if training.is_set() and not go_on.is_set():
            chain.now = ahead
            held.extend([world.replica.chain_hash] * world.fetcher.holds(of.members[0][2]))
            if len(held) > 3:  # several looks at a payload that could be applied
                go_on.set()

    chain.on("sight", look)
    chain.on("commit", chain.to(world.finished(chain_hash=of.chain_hash)))
    await world.run()
    assert set(held) == {START}
    assert world.replica.chain_hash == of.chain_hash


async def test_the_next_share_is_fetched_while_this_one_is_trained(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, looks = world.chain, 0
    training, go_on = asyncio.Event(), asyncio.Event()
    train = world.replica.train

    async def slow(*arguments: Any) -> Any:
        assert world.work.prefetched == []  # what is trained now is read first
        training.set()
        await go_on.wait()
        return await train(*arguments)

    def look() -> None:
        nonlocal looks
        looks += training.is_set()
        if looks == 3:  # what is known of the next round changes: the rest is fetched, too
            chain.now = share(world, ahead=np.arange(20, 24, dtype=np.uint64))
        if looks == 6:
            go_on.set()

    monkeypatch.setattr(world.replica, "train", slow)
    chain.now = share(world, ahead=np.arange(10, 14, dtype=np.uint64))
    chain.on("sight", look)
    chain.on("commit", chain.to(world.finished()))
    await world.run()
    assert world.work.prefetched == [[10, 11, 12, 13], [20, 21, 22, 23]]


async def test_a_client_that_lost_the_thread_says_so_and_catches_up_from_peers(
    world: World, payload: bytes
) -> None:
    chain, of = world.chain, settled(0, {1: payload})
    world.peers.give(Kind.HISTORY, START, of.to_json().encode())
    world.peers.give_payload(payload)
    chain.now = world.sight(chain_hash=of.chain_hash, round=5)
    behind = world.sight(chain_hash=of.chain_hash, round=5, standing=Standing.BEHIND)
    chain.on("behind", chain.to(behind))
    chain.on("ready", chain.to(world.finished(chain_hash=of.chain_hash)))
    await world.run()
    assert chain.names() == ["behind", "ready"]
    assert chain.sent[-2][1][1] == of.chain_hash


async def test_a_history_that_no_peer_has_yet_is_asked_for_again(
    world: World, payload: bytes
) -> None:
    chain, of = world.chain, settled(0, {1: payload})
    chain.now = world.sight(chain_hash=of.chain_hash, round=5, standing=Standing.BEHIND)
    looks = 0

    def peer_comes() -> None:
        nonlocal looks
        looks += 1
        if any("cannot catch up" in message for message in world.errors()):
            world.peers.give(Kind.HISTORY, START, of.to_json().encode())
            world.peers.give_payload(payload)

    chain.on("sight", peer_comes)
    chain.on("ready", chain.to(world.finished(chain_hash=of.chain_hash)))
    await world.run()
    assert world.replica.chain_hash == of.chain_hash


async def test_a_witness_attests_only_payloads_of_the_right_form(
    world: World, payload: bytes
) -> None:
    chain, both = world.chain, {1: payload, 2: BAD}
    for one in both.values():
        world.peers.give_payload(one)
    target = record(
        settled(0, both), both, settled=False, accepted=(), witness=0, attested=False, unattested=1
    )

    def late() -> None:
        if all(world.fetcher.holds(sha256(one).digest()) for one in both.values()):
            chain.now = world.sight(phase=Phase.WITNESS, rounds=(target,), attest_late=True)

    chain.now = world.sight(phase=Phase.WITNESS, rounds=(target,))
    chain.on("sight", late)

    def attested() -> None:
        chain.on("sight", None)
        chain.now = world.finished()

    chain.on("attest", attested)
    await world.run()
    ((_, (_, slots, root)),) = [one for one in chain.sent if one[0] == "attest"]
    assert slots == {1}
    assert root == custody_leaf(target.entropy, chain.wallet, both[1])


async def test_a_vote_is_hidden_first_and_then_opened(world: World) -> None:
    chain = world.chain

    def at(stage: VoteStage, *, voted: bool) -> Sight:
        vote = StateVoteSeen(
            epoch=0, round=0, step=0, chain_hash=START, stage=stage, voted=voted, revealed=False
        )
        return world.sight(phase=Phase.COOLDOWN, vote=vote)

    chain.now = at(VoteStage.COMMIT, voted=False)
    chain.on("attest_state", chain.to(at(VoteStage.REVEAL, voted=True)))
    chain.on("reveal_state", chain.to(world.finished()))
    await world.run()
    assert chain.names() == ["attest_state", "reveal_state"]
    sent = dict(chain.sent)
    digest = world.initial.digest
    assert sent["attest_state"][1] == sha256(digest + WALLET).digest()
    assert sent["reveal_state"][1] == digest


async def test_what_was_agreed_is_published_once_peers_can_fetch_it(world: World) -> None:
    chain = world.chain
    seen = CheckpointSeen(digest=world.initial.digest, publish=True, offers=())
    chain.now = world.sight(phase=Phase.COOLDOWN, checkpoint=seen)
    chain.on("publish_checkpoint", chain.to(world.finished()))
    await world.run()
    assert ("publish_checkpoint", (node_uri(seat().node_key),)) in chain.sent
    assert chain.names() == ["publish_checkpoint"]


async def test_what_another_published_is_fetched_and_then_confirmed(world: World) -> None:
    chain, raw = world.chain, world.trainer.manifest(0)
    pieces = [
        (name, index, piece)
        for name, entry in parse_manifest(raw).entries.items()
        for index, piece in enumerate(entry.pieces)
    ]
    seed, node_key = b"s" * 32, b"n" * 32
    name, index, piece = pieces[drawn_piece(seed, WALLET, len(pieces))]
    world.peers.give(Kind.MANIFEST, world.initial.digest, raw)
    world.peers.give(Kind.PIECE, piece, read_piece(world.trainer.parameters(), name, index))
    offer = Offer(epoch=0, place=1, node_key=node_key, digest=world.initial.digest, seed=seed)
    seen = CheckpointSeen(digest=world.initial.digest, publish=False, offers=(offer,))
    chain.now = world.sight(phase=Phase.COOLDOWN, checkpoint=seen)
    chain.on("confirm_checkpoint", chain.to(world.finished()))
    await world.run()
    assert [one for one in chain.sent if one[0] != "sight"] == [("confirm_checkpoint", (1,))]
    assert world.peers.only == [node_key] * 2
    assert world.errors() == []


async def test_a_tick_that_somebody_else_made_first_is_no_harm(world: World) -> None:
    chain = world.chain
    chain.now = world.sight(due=True, my_turn=True)

    def too_early() -> None:
        chain.now = world.finished()
        raise ChainError("TooEarly")

    chain.on("tick", too_early)
    await world.run()
    assert chain.names() == ["tick"]


async def test_a_disk_that_refuses_a_state_does_not_end_the_client(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise CheckpointError("the disk is full")

    monkeypatch.setattr(world.keeper, "keep", full)
    world.chain.now = world.finished()
    await world.run()
    assert "the disk is full" in world.errors()


async def test_a_disk_that_refuses_the_momentum_does_not_hold_back_the_state(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise CheckpointError("the disk is full")

    monkeypatch.setattr(world.keeper, "keep", lambda _: [world.initial])
    monkeypatch.setattr(world.keeper, "keep_momenta", full)
    world.chain.now = world.finished()
    await world.run()
    assert world.peers.announced == [world.initial.digest]
    assert any("the disk is full" in message for message in world.errors())


@pytest.mark.parametrize(("older", "deleted"), [(False, True), (True, False)])
async def test_payloads_are_deleted_once_no_agreed_state_needs_them(
    world: World, older: bool, deleted: bool
) -> None:
    old = world.store.put_payload(0, 0, 1, b"old")
    young = world.store.put_payload(0, 5, 1, b"young")
    newest = agreed(6, b"d" * 32)
    # The client starts from the initial state and is in step: nothing was accepted since.
    first = world.sight()
    later = world.finished(states=(world.initial, newest) if older else (newest,))
    world.chain.on("sight", world.chain.to(first), world.chain.to(later))
    await world.run()
    assert world.store.holds(old) is not deleted
    assert world.store.holds(young)


async def test_payloads_that_this_client_has_not_applied_yet_are_not_deleted(
    world: World,
) -> None:
    old = world.store.put_payload(0, 0, 1, b"old")
    state = agreed(6, b"d" * 32, b"h" * 32)
    ahead = world.sight(states=(state,), chain_hash=b"h" * 32, standing=Standing.BEHIND)
    world.chain.now = ahead
    world.chain.on("sight", None, world.node.stop)
    world.chain.on("leave", world.chain.to(world.finished(states=(state,), chain_hash=b"h" * 32)))
    await world.run()
    assert world.store.holds(old)
