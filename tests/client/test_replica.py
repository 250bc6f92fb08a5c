"""Parameters in step with the chain: written down first, rebuilt from disk or peers, voted on."""

import asyncio
import threading
from typing import Any

import pytest

from psyche_client.model.checkpoint import save
from psyche_client.network import Kind
from psyche_client.resync import state_path
from psyche_client.store import SettledRound, Store, StoreError
from support.client import (
    START,
    agreed,
    settled,
    sight,
)
from support.replica import World, opened

BAD = b"a payload of no form"


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
        await world.replica.apply(world.rounds[0], loss=None)
    assert world.trainer.digest(0) == digests[0]
    assert world.store.history() == []


async def test_an_accepted_payload_of_the_wrong_form_is_applied_as_nothing(
    world: World, digests: list[bytes]
) -> None:
    await opened(world)
    world.store.put_payload(0, 0, 1, BAD)
    of = settled(0, {1: BAD})
    await world.replica.apply(of, loss=None)
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
    applying = asyncio.create_task(world.replica.apply(world.rounds[0], loss=None))
    await asyncio.to_thread(settling.wait, 30)
    voting = asyncio.create_task(world.replica.vote_digest(START, 0))
    await asyncio.sleep(0)  # it waits for its turn now
    go_on.set()
    await applying
    assert await voting in (None, world.initial.digest)
