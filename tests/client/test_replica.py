"""Parameters in step with the chain: written down first, rebuilt from disk or peers, voted on."""

import asyncio
import threading
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from psyche_client.events import EventLog
from psyche_client.fetching import Fetcher
from psyche_client.keeper import Keeper
from psyche_client.model.checkpoint import save
from psyche_client.model.digest import parse_manifest, read_piece
from psyche_client.network import Kind
from psyche_client.replica import LostHistoryError, Replica
from psyche_client.resync import Resync, state_path
from psyche_client.seen import AgreedState
from psyche_client.store import SettledRound, Store, StoreError
from psyche_client.trainer import Trainer
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

BAD = b"a payload of no form"


class World:
    """One client with a real store and trainer, its peers, and three rounds of a history."""

    def __init__(self, home: Path, trainer: Trainer, payloads: list[bytes]) -> None:
        self.home, self.trainer, self.payloads = home, trainer, payloads
        self.store, self.peers = Store(home), Peers()
        self.log = EventLog(home / "events.jsonl")
        self.keeper = Keeper(self.store)
        self.replica = Replica(trainer, self.store, self.keeper, self.log)
        self.fetcher = Fetcher(
            self.peers,  # type: ignore[arg-type]
            self.store,
            self.log,
            check=lambda data, of: trainer.read(data, of) is not None,
            changed=lambda: None,
            bytes_max=PAYLOAD_BYTES_MAX,
        )
        self.resync = Resync(
            self.peers,  # type: ignore[arg-type]
            self.store,
            self.fetcher,
            self.log,
            tiny_document().architecture.parameter_shapes(),
        )
        self.rounds: list[SettledRound] = []
        last = START
        for number, payload in enumerate(payloads):
            self.rounds.append(settled(number, {1: payload}, last))
            last = self.rounds[-1].chain_hash
        self.initial = agreed(0, trainer.digest(0))

    def put(self, *numbers: int) -> None:
        """Payloads of these rounds are on disk."""
        for number in numbers:
            self.store.put_payload(0, number, 1, self.payloads[number])

    def give(self, number: int, *, payload: bool = True) -> None:
        """A peer has this round."""
        of = self.rounds[number]
        self.peers.give(Kind.HISTORY, of.previous, of.to_json().encode())
        if payload:
            self.peers.give_payload(self.payloads[number])

    async def apply(self, *numbers: int) -> None:
        for number in numbers:
            self.put(number)
            await self.replica.apply(self.rounds[number], None, loss=None)

    async def close(self) -> None:
        await self.fetcher.close()
        self.replica.close()
        self.log.close()


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return tiny_trainer()


@pytest.fixture(scope="module")
def payloads(trainer: Trainer) -> list[bytes]:
    trainer.load_initial()
    return [trainer.train(tokens(number), key(number, 1)).payload for number in range(3)]


@pytest.fixture(scope="module")
def digests(trainer: Trainer, payloads: list[bytes]) -> list[bytes]:
    """Digest before each round and after the last, each as its step has it."""
    trainer.load_initial()
    found = [trainer.digest(0)]
    for number, payload in enumerate(payloads):
        trainer.settle((0, number), number, [(key(number, 1), payload)], None)
        found.append(trainer.digest(number + 1))
    return found


@pytest.fixture
async def world(tmp_path: Path, trainer: Trainer, payloads: list[bytes]) -> AsyncIterator[World]:
    trainer.load_initial()
    made = World(tmp_path, trainer, payloads)
    yield made
    await made.close()


async def opened(world: World) -> World:
    await world.replica.open(sight(states=(world.initial,)))
    return world


async def test_a_settled_round_is_on_disk_before_the_parameters_change(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(world)
    on_disk: list[SettledRound | None] = []
    monkeypatch.setattr(
        world.trainer,
        "settle",
        lambda *_: on_disk.append(Store(world.home).round_after(START)),
    )
    await world.apply(0)
    assert on_disk == [world.rounds[0]]


async def test_a_disk_that_refuses_a_round_leaves_the_parameters_as_they_were(
    world: World, monkeypatch: pytest.MonkeyPatch, digests: list[bytes]
) -> None:
    def full(_: object) -> None:
        raise StoreError("no space left")

    await opened(world)
    monkeypatch.setattr(world.store, "append_round", full)
    with pytest.raises(StoreError):
        await world.apply(0)
    assert world.trainer.digest(0) == digests[0]
    assert world.replica.chain_hash == START


async def test_a_round_without_its_payload_on_disk_is_not_applied(
    world: World, digests: list[bytes]
) -> None:
    await opened(world)
    with pytest.raises(StoreError):
        await world.replica.apply(world.rounds[0], None, loss=None)
    assert world.trainer.digest(0) == digests[0]
    assert world.store.history() == []


async def test_an_accepted_payload_of_the_wrong_form_is_applied_as_nothing(
    world: World, digests: list[bytes]
) -> None:
    await opened(world)
    world.store.put_payload(0, 0, 1, BAD)
    of = settled(0, {1: BAD})
    await world.replica.apply(of, None, loss=None)
    assert world.trainer.digest(0) == digests[0]
    assert world.replica.chain_hash == of.chain_hash
    assert world.store.round_after(START) == of


async def test_rounds_move_the_parameters_and_the_place_in_history(
    world: World, digests: list[bytes]
) -> None:
    await opened(world)
    await world.apply(0, 1)
    assert world.trainer.digest(2) == digests[2]
    assert (world.replica.chain_hash, world.replica.step) == (world.rounds[1].chain_hash, 2)


async def test_a_new_client_starts_from_the_initial_state_and_serves_it(world: World) -> None:
    await opened(world)
    assert (world.replica.chain_hash, world.replica.step) == (START, 0)
    assert world.keeper.load(Kind.MANIFEST, world.initial.digest) is not None


async def test_an_initial_state_with_another_digest_is_not_taken(world: World) -> None:
    await world.replica.open(sight(states=(agreed(0, b"d" * 32),)))
    assert world.replica.chain_hash == b""
    assert world.keeper.load(Kind.MANIFEST, b"d" * 32) is None


async def test_a_later_state_that_is_not_on_disk_leaves_the_client_without_history(
    world: World,
) -> None:
    await world.replica.open(sight(states=(agreed(5, b"d" * 32),)))
    assert world.replica.chain_hash == b""


async def test_a_restart_takes_the_newest_agreed_state_on_disk(
    world: World, digests: list[bytes]
) -> None:
    await opened(world)
    await world.apply(0, 1)
    newest = agreed(2, digests[2], world.rounds[1].chain_hash)
    path = state_path(world.store, newest.digest)
    save(path, world.trainer.parameters(), step=2, chain_hash=newest.chain_hash)
    world.store.forget_payloads((0, 2))  # no replay can lead there
    world.trainer.load_initial()
    await world.replica.open(sight(states=(world.initial, newest)))
    assert (world.replica.chain_hash, world.replica.step) == (newest.chain_hash, 2)
    assert world.trainer.digest(2) == digests[2]
    assert world.keeper.load(Kind.MANIFEST, newest.digest) is not None


async def test_a_restart_replays_what_was_settled_since(world: World, digests: list[bytes]) -> None:
    await opened(world)
    await world.apply(0, 1, 2)
    world.trainer.load_initial()
    await opened(world)
    assert world.replica.chain_hash == world.rounds[2].chain_hash
    assert world.trainer.digest(3) == digests[3]


async def test_a_replay_stops_at_a_payload_that_is_missing(
    world: World, digests: list[bytes]
) -> None:
    for of in world.rounds:
        world.store.append_round(of)
    world.put(0, 2)
    await opened(world)
    assert world.replica.chain_hash == world.rounds[0].chain_hash
    assert world.trainer.digest(1) == digests[1]


async def test_a_vote_is_for_exactly_the_history_that_is_held(
    world: World, digests: list[bytes]
) -> None:
    await opened(world)
    after = world.rounds[0].chain_hash
    assert await world.replica.vote_digest(after, 1) is None
    await world.apply(0)
    assert await world.replica.vote_digest(after, 1) == digests[1]
    assert await world.replica.vote_digest(START, 0) is None


async def test_a_digest_under_vote_stays_known_when_the_parameters_have_moved_on(
    world: World, digests: list[bytes]
) -> None:
    await opened(world)
    await world.apply(0)
    after = world.rounds[0].chain_hash
    await world.replica.vote_digest(after, 1)
    await world.apply(1)
    assert await world.replica.vote_digest(after, 1) == digests[1]
    state = agreed(1, digests[1], after)
    assert world.keeper.keep([state]) == [state]


async def test_a_vote_never_names_parameters_that_a_round_is_changing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(world)
    world.put(0)
    settling, go_on = threading.Event(), threading.Event()
    settle = world.trainer.settle

    def slow(*arguments: Any) -> None:
        settling.set()
        assert go_on.wait(30)
        settle(*arguments)

    monkeypatch.setattr(world.trainer, "settle", slow)
    applying = asyncio.create_task(world.replica.apply(world.rounds[0], None, loss=None))
    await asyncio.to_thread(settling.wait, 30)
    voting = asyncio.create_task(world.replica.vote_digest(START, 0))
    await asyncio.sleep(0)  # it waits for its turn now
    go_on.set()
    await applying
    assert await voting in (None, world.initial.digest)


def state_at_peer(world: World, number: int, digests: list[bytes]) -> AgreedState:
    """Peers have the state before round `number`; the client is left without any."""
    for done in range(number):
        payload = (key(done, 1), world.payloads[done])
        world.trainer.settle((0, done), done, [payload], None)
    raw = world.trainer.manifest(number)
    assert sha256(raw).digest() == digests[number]
    world.peers.give(Kind.MANIFEST, digests[number], raw)
    parameters = world.trainer.parameters()
    manifest = parse_manifest(raw)
    for name in manifest.entries:
        for index, piece in enumerate(manifest.pieces(name)):
            world.peers.give(Kind.PIECE, piece, read_piece(parameters, name, index))
    world.trainer.load_initial()
    return agreed(number, digests[number], world.rounds[number - 1].chain_hash)


async def test_a_client_that_is_behind_replays_rounds_from_its_peers(
    world: World, digests: list[bytes]
) -> None:
    await opened(world)
    for number in range(3):
        world.give(number)
    now = sight(states=(world.initial,), chain_hash=world.rounds[2].chain_hash)
    await world.replica.rebuild(world.resync, lambda: now)
    assert world.replica.chain_hash == world.rounds[2].chain_hash
    assert world.trainer.digest(3) == digests[3]
    assert [of.round for of in Store(world.home).history()] == [0, 1, 2]


async def test_a_client_without_history_loads_a_state_from_its_peers_and_replays(
    world: World, digests: list[bytes]
) -> None:
    state = state_at_peer(world, 1, digests)
    world.give(1)
    world.give(2)
    now = sight(states=(state,), chain_hash=world.rounds[2].chain_hash)
    await world.replica.rebuild(world.resync, lambda: now)
    assert world.trainer.digest(3) == digests[3]
    assert world.keeper.load(Kind.MANIFEST, state.digest) is not None


async def test_a_round_whose_payload_is_lost_is_jumped_over_with_a_newer_state(
    world: World, digests: list[bytes]
) -> None:
    state = state_at_peer(world, 2, digests)
    await opened(world)
    world.give(0)
    world.give(1, payload=False)
    world.give(2)
    now = sight(states=(world.initial, state), chain_hash=world.rounds[2].chain_hash)
    await world.replica.rebuild(world.resync, lambda: now)
    assert world.replica.chain_hash == world.rounds[2].chain_hash
    assert world.trainer.digest(3) == digests[3]


async def test_a_replay_ends_where_the_records_on_chain_lead_on(
    world: World, digests: list[bytes]
) -> None:
    await opened(world)
    world.give(0)
    kept = record(world.rounds[1], {1: world.payloads[1]})
    now = sight(
        states=(world.initial,), chain_hash=world.rounds[1].chain_hash, rounds=(kept,), round=2
    )
    await world.replica.rebuild(world.resync, lambda: now)
    assert world.replica.chain_hash == world.rounds[0].chain_hash
    assert world.trainer.digest(1) == digests[1]


async def test_a_history_that_no_peer_has_is_told(world: World, digests: list[bytes]) -> None:
    state = state_at_peer(world, 1, digests)
    now = sight(states=(state,), chain_hash=world.rounds[2].chain_hash)
    with pytest.raises(LostHistoryError):
        await world.replica.rebuild(world.resync, lambda: now)
    assert world.replica.chain_hash == state.chain_hash


async def test_states_that_no_peer_has_are_told(world: World) -> None:
    now = sight(states=(agreed(4, b"d" * 32),), chain_hash=b"h" * 32)
    with pytest.raises(LostHistoryError):
        await world.replica.rebuild(world.resync, lambda: now)
    assert world.replica.chain_hash == b""


async def test_parameters_that_the_members_did_not_agree_on_are_let_go(
    world: World, digests: list[bytes]
) -> None:
    world.put(0, 1, 2)
    await world.replica.open(sight(states=(world.initial,)))
    await world.replica.apply(world.rounds[0], None, loss=None)
    held = await world.replica.vote_digest(world.rounds[0].chain_hash, 1)
    assert held == digests[1]
    theirs = agreed(1, digests[2], chain_hash=world.rounds[0].chain_hash)
    ours = agreed(1, digests[1], chain_hash=world.rounds[0].chain_hash)
    assert not world.replica.give_up_if_outvoted([world.initial, ours])
    assert world.replica.give_up_if_outvoted([world.initial, theirs])
    assert world.replica.chain_hash == b""


async def test_a_fresh_client_does_not_start_from_the_initial_state_of_an_older_run(
    world: World,
) -> None:
    later = agreed(5, b"d" * 32)
    await world.replica.open(sight(states=(world.initial, later)))
    assert world.replica.chain_hash == b""


async def test_the_initial_state_needs_no_peer(world: World, digests: list[bytes]) -> None:
    later = agreed(5, b"d" * 32)
    now = sight(states=(world.initial, later), chain_hash=START)
    await world.replica.rebuild(world.resync, lambda: now)
    assert (world.replica.chain_hash, world.trainer.digest(0)) == (START, digests[0])
