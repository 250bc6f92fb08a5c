"""The client's loop against a chain that a test plays: what it does, and what it survives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from psyche_client import lookout, node
from psyche_client.chain import ChainError
from psyche_client.data.errors import DataError
from psyche_client.decide import Phase, Standing
from psyche_client.events import tail
from psyche_client.seen import Sight
from psyche_client.trainer import Trainer
from psyche_sdk.errors import InsufficientFunds
from support.client import (
    START,
    key,
    tokens,
)
from support.node_world import World, share


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


async def test_a_chain_that_does_not_answer_is_waited_out(world: World) -> None:
    down = ChainError("nobody answers")
    world.chain.on("sight", down, down, world.chain.to(world.finished()))
    assert (await world.run()).phase is Phase.FINISHED
    assert world.errors() == ["nobody answers"], "an outage is one line, however long"


async def test_a_run_that_is_gone_for_a_while_is_watched_again_when_it_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = 0

    async def changes() -> AsyncIterator[None]:
        nonlocal watched
        watched += 1
        if watched == 1:
            raise ChainError("the run does not exist")
        world.chain.now = world.finished()
        yield

    monkeypatch.setattr(world.chain, "changes", changes)
    gone = ChainError("the run does not exist")
    world.chain.on("sight", gone, lambda: None)
    await world.run()
    assert watched > 1
    told = [event["event"] for event in tail(world.log.path)]
    assert told[:2] == ["error", "recovered"]


async def test_a_newcomer_takes_a_slot_and_names_the_state_that_it_holds(world: World) -> None:
    chain = world.chain
    chain.now = world.sight(standing=Standing.NONE, seat=None, phase=Phase.WAITING_FOR_MEMBERS)
    joined = world.sight(standing=Standing.JOINED, phase=Phase.WARMUP)
    chain.on("join", chain.to(joined))
    chain.on("ready", chain.to(world.finished()))
    await world.run()
    assert chain.names() == ["join", "ready"]
    assert chain.sent[-2] == ("ready", (world.initial, START))


async def test_a_newcomer_that_lost_the_race_for_a_slot_takes_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = [None, (4, 1)]

    async def join(_: Sight) -> tuple[int, int] | None:
        if taken[0] is not None:
            world.chain.now = world.finished()
        return taken.pop(0)

    monkeypatch.setattr(world.chain, "join", join)
    world.chain.now = world.sight(
        standing=Standing.NONE, seat=None, phase=Phase.WAITING_FOR_MEMBERS
    )
    await world.run()
    told = [event for event in tail(world.log.path) if event["event"] in ("joined", "error")]
    assert [(event["event"], event["slot"]) for event in told] == [("joined", 4)]


async def test_a_refused_commit_makes_it_look_again_and_commit_once_more(world: World) -> None:
    chain = world.chain
    chain.now = share(world)
    chain.on("commit", ChainError("WrongPhase"), chain.to(world.finished()))
    await world.run()
    assert chain.names() == ["commit", "commit"]
    sent = [name for name, _ in chain.sent]
    first = sent.index("commit")
    assert "sight" in sent[first + 1 : sent.index("commit", first + 1)]
    assert any("WrongPhase" in message for message in world.errors())


async def test_a_commit_that_came_too_late_is_given_up(world: World) -> None:
    chain = world.chain
    chain.now = share(world)

    def late() -> None:
        chain.now = world.finished()
        raise ChainError("WrongPhase")

    chain.on("commit", late)
    await world.run()
    assert chain.names() == ["commit"]


async def test_what_is_committed_is_on_disk_and_is_the_payload_trained(world: World) -> None:
    chain = world.chain
    chain.now = share(world)
    chain.on("commit", chain.to(world.finished()))
    await world.run()
    ((_, (commitment, trained)),) = [one for one in chain.sent if one[0] == "commit"]
    assert commitment == sha256(trained.payload).digest()
    assert world.store.payload(commitment) == trained.payload
    assert world.trainer.read(trained.payload, key(0, 0)) is not None


async def test_ones_own_payload_is_served_only_after_train_has_closed(world: World) -> None:
    chain, served = world.chain, []
    chain.now = share(world)

    def own() -> bytes:
        (path,) = world.store.payloads.glob("*.bin")
        return sha256(path.read_bytes()).digest()

    def committed() -> None:
        served.append(world.keeper.may_serve(own()))
        chain.now = world.sight(phase=Phase.WITNESS, due=True, my_turn=True)

    def ticked() -> None:
        served.append(world.keeper.may_serve(own()))
        chain.now = world.finished()

    chain.on("commit", committed)
    chain.on("tick", ticked)
    await world.run()
    assert served == [False, True]


async def test_data_that_cannot_be_read_is_tried_again(world: World) -> None:
    chain = world.chain
    world.work.errors = [DataError("the disk is away")] * 2
    chain.now = share(world)
    chain.on("commit", chain.to(world.finished()))
    await world.run()
    assert world.errors() == ["cannot train: the disk is away"] * 2


async def test_a_failure_that_nobody_foresaw_ends_the_client(world: World) -> None:
    world.work.errors = [RuntimeError("out of memory")]
    world.chain.now = share(world)
    with pytest.raises(RuntimeError, match="out of memory"):
        await world.run()


async def test_lack_of_money_ends_the_client(world: World) -> None:
    world.chain.now = share(world)
    world.chain.on("commit", InsufficientFunds("wallet", "it holds nothing"))
    with pytest.raises(InsufficientFunds):
        await world.run()


async def test_stop_hands_the_slot_back(world: World) -> None:
    chain = world.chain
    chain.on("sight", world.node.stop)
    chain.on("leave", chain.to(world.sight(standing=Standing.NONE, seat=None)))
    last = await world.run()
    assert chain.names() == ["leave"]
    assert last.standing is Standing.NONE


async def test_a_refused_leave_is_tried_again(world: World) -> None:
    chain = world.chain
    chain.on("sight", world.node.stop)
    gone = chain.to(world.sight(standing=Standing.NONE, seat=None))
    chain.on("leave", ChainError("no answer"), gone)
    await world.run()
    assert chain.names() == ["leave", "leave"]


async def test_a_member_that_was_thrown_out_stops(world: World) -> None:
    world.chain.now = world.sight(standing=Standing.EJECTED, seat=None)
    assert (await world.run()).standing is Standing.EJECTED
