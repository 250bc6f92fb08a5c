"""The client's loop against a chain that a test plays: what it does, and what it survives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psyche_client import node as loop
from psyche_client.chain import ChainError
from psyche_client.data.errors import DataError
from psyche_client.decide import Phase, Standing, VoteStage
from psyche_client.events import EventLog, tail
from psyche_client.fetching import Fetcher
from psyche_client.keeper import Keeper
from psyche_client.model.errors import CheckpointError
from psyche_client.network import Kind
from psyche_client.node import Node
from psyche_client.replica import Replica
from psyche_client.resync import Resync, history_key
from psyche_client.seen import Sight, StateVoteSeen
from psyche_client.store import Store
from psyche_client.trainer import Trainer
from psyche_sdk.errors import InsufficientFunds
from support.client import (
    PAYLOAD_BYTES_MAX,
    START,
    Peers,
    agreed,
    key,
    record,
    settled,
    sight,
    tiny_document,
    tiny_trainer,
    tokens,
)

WALLET = bytes([1]) * 32
SECONDS_MAX = 30.0
BAD = b"a payload of no form"


class FakeChain:
    """A chain that stands still until an instruction, or a look, moves it as the test says.

    Attributes:
        now: what the next look sees.
        moves: by instruction, what happens when it is sent: an error, or a function.
        sent: (instruction, arguments after the sight), in order; `sight` stands for a look.
    """

    wallet = WALLET

    def __init__(self, now: Sight) -> None:
        self.now = now
        self.moves: dict[str, list[Any]] = {}
        self.sent: list[tuple[str, tuple[Any, ...]]] = []

    def on(self, name: str, *moves: Any) -> None:
        """What happens at the next times; the last one at all that follow."""
        self.moves[name] = list(moves)

    def to(self, now: Sight) -> Callable[[], None]:
        """A move to what is seen from then on."""

        def move() -> None:
            self.now = now

        return move

    def names(self) -> list[str]:
        """Instructions in order, looks left out."""
        return [name for name, _ in self.sent if name != "sight"]

    async def sight(self) -> Sight:
        await self._do("sight")
        return self.now

    async def members(self, _: Sight) -> dict[bytes, Any]:
        return {}

    async def changes(self) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    async def join(self, _: Sight) -> tuple[int, int]:
        await self._do("join")
        return 0, 1

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def send(_: Sight, *arguments: Any) -> None:
            await self._do(name, *arguments)

        return send

    async def _do(self, name: str, *arguments: Any) -> None:
        await asyncio.sleep(0)
        self.sent.append((name, arguments))
        moves = self.moves.get(name, [])
        move = (moves.pop(0) if len(moves) > 1 else moves[0]) if moves else None
        if isinstance(move, Exception):
            raise move
        if move is not None:
            move()


class Work:
    """Sequences for any positions; an error first, where a test says so."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def sequences(self, positions: Any) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        return tokens(1, len(positions))


class World:
    """One client's parts around a node."""

    def __init__(self, home: Path, trainer: Trainer, *, keep_all: bool) -> None:
        self.trainer, self.store, self.peers, self.work = trainer, Store(home), Peers(), Work()
        self.log = EventLog(home / "events.jsonl")
        self.keeper, changed = Keeper(self.store), asyncio.Event()
        self.replica = Replica(trainer, self.store, self.keeper, self.log)
        self.initial = agreed(0, trainer.digest(0))
        self.chain = FakeChain(self.sight())
        peers: Any = self.peers
        self.fetcher = Fetcher(
            peers,
            self.store,
            self.log,
            check=lambda data, of: trainer.read(data, of) is not None,
            changed=changed.set,
            bytes_max=PAYLOAD_BYTES_MAX,
        )
        shapes = tiny_document().architecture.parameter_shapes()
        self.node = Node(
            chain=self.chain,  # type: ignore[arg-type]
            exchange=peers,
            fetcher=self.fetcher,
            replica=self.replica,
            resync=Resync(peers, self.store, self.fetcher, self.log, shapes),
            keeper=self.keeper,
            workload=self.work,  # type: ignore[arg-type]
            log=self.log,
            changed=changed,
            keep_all=keep_all,
        )

    def sight(self, **changes: Any) -> Sight:
        """What is seen; the initial state is agreed."""
        return sight(**({"states": (self.initial,)} | changes))

    def finished(self, **changes: Any) -> Sight:
        """A run that is over."""
        over = {"phase": Phase.FINISHED, "standing": Standing.NONE, "seat": None}
        return self.sight(**(over | changes))

    async def run(self) -> Sight:
        async with asyncio.timeout(SECONDS_MAX):
            return await self.node.run()

    def errors(self) -> list[str]:
        return [event["message"] for event in tail(self.log.path) if event["event"] == "error"]

    async def close(self) -> None:
        await self.fetcher.close()
        self.replica.close()
        self.log.close()


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return tiny_trainer()


@pytest.fixture
async def world(
    tmp_path: Path, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setattr(loop, "LOOK_SECONDS", 0.002)
    monkeypatch.setattr(loop, "RETRY_SECONDS", 0.002)
    trainer.load_initial()
    made = World(tmp_path, trainer, keep_all=False)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def payload(trainer: Trainer) -> bytes:
    trainer.load_initial()
    return trainer.train(tokens(5), key(0, 1)).payload


def share(world: World, **changes: Any) -> Sight:
    """Train of round 0, where this client has a share and has not committed."""
    values: dict[str, Any] = {
        "settled": False, "accepted": (), "train_closed": False,
        "positions": np.arange(2, dtype=np.uint64), "awaited": 1,
    }  # fmt: skip
    mine = record(settled(0, {}), {}, **values)
    return world.sight(**({"rounds": (mine,)} | changes))


async def test_a_chain_that_does_not_answer_is_waited_out(world: World) -> None:
    down = ChainError("nobody answers")
    world.chain.on("sight", down, down, world.chain.to(world.finished()))
    assert (await world.run()).phase is Phase.FINISHED
    assert world.errors() == ["nobody answers"] * 2


async def test_a_newcomer_takes_a_slot_and_names_the_state_that_it_holds(world: World) -> None:
    chain = world.chain
    chain.now = world.sight(standing=Standing.NONE, seat=None, phase=Phase.WAITING_FOR_MEMBERS)
    joined = world.sight(standing=Standing.JOINED, phase=Phase.WARMUP)
    chain.on("join", chain.to(joined))
    chain.on("ready", chain.to(world.finished()))
    await world.run()
    assert chain.names() == ["join", "ready"]
    assert chain.sent[-2] == ("ready", (world.initial, START))


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


async def test_a_client_that_lost_the_thread_says_so_and_catches_up_from_peers(
    world: World, payload: bytes
) -> None:
    chain, of = world.chain, settled(0, {1: payload})
    world.peers.give(Kind.HISTORY, history_key(START), of.to_json().encode())
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
            world.peers.give(Kind.HISTORY, history_key(START), of.to_json().encode())
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
    ((_, (_, slots)),) = [one for one in chain.sent if one[0] == "attest"]
    assert slots == {1}


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
