"""The momentum outlives the process: saved with an agreed state, taken back at a restart."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from psyche_client.events import tail
from psyche_client.momentum_file import momentum_path, save_momentum
from psyche_client.network import Kind
from psyche_client.optim.errors import LayoutError
from psyche_client.resync import state_path
from psyche_client.seen import AgreedState
from psyche_client.store import SettledRound
from psyche_client.trainer import Trainer
from support.client import START, agreed, key, settled, sight, tiny_trainer, tokens
from support.replica import World

OWN, OTHER = 1, 2
SLOTS = {"own accepted": OWN, "own refused": OTHER}


@dataclass
class Life:
    """One client from its start on: what it trains is settled a round later, as with overlap 1."""

    world: World
    last: bytes = START

    @property
    def trainer(self) -> Trainer:
        return self.world.trainer

    async def train(self, number: int, slot: int = OWN) -> bytes:
        return (await self.world.replica.train(tokens(number), key(number, slot))).payload

    async def settle(self, number: int, payload: bytes | None, slot: int = OWN) -> SettledRound:
        """Settles a round with this payload alone, or with none."""
        payloads = {} if payload is None else {slot: payload}
        for data in payloads.values():
            self.world.store.put_payload(0, number, slot, data)
        of = settled(number, payloads, self.last)
        await self.world.replica.apply(of, loss=None)
        self.last = of.chain_hash
        return of

    async def agree(self, step: int) -> AgreedState:
        """The members agree on the present parameters."""
        found = await self.world.replica.vote_digest(self.last, step)
        assert found is not None
        state = agreed(step, found, self.last)
        self.world.keeper.keep([state])
        self.world.keeper.keep_momenta()
        return state


@asynccontextmanager
async def life(home: Path, state: AgreedState | None = None) -> AsyncIterator[Life]:
    """A client that starts over this folder, from `state` or from the initial one."""
    world = World(home, tiny_trainer(), [])
    try:
        await world.replica.open(sight(states=(state or world.initial,)))
        yield Life(world, world.replica.chain_hash)
    finally:
        await world.close()


@pytest.fixture
async def first(tmp_path: Path) -> AsyncIterator[Life]:
    async with life(tmp_path) as begun:
        yield begun


@pytest.fixture(scope="module")
def others() -> list[bytes]:
    """Payloads of another member for the first rounds."""
    other = tiny_trainer()
    return [other.train(tokens(50 + n), key(n, OTHER)).payload for n in range(4)]


def momentum(of: Life) -> torch.Tensor:
    return of.trainer.optimizer.momentum


def events(of: Life, name: str) -> list[dict[str, object]]:
    return [event for event in tail(of.world.log.path) if event["event"] == name]


async def assert_go_on_alike(one: Life, other: Life, number: int) -> None:
    assert torch.equal(momentum(one), momentum(other))
    assert momentum(one).any()
    assert one.trainer.optimizer.in_flight == other.trainer.optimizer.in_flight
    assert one.trainer.digest(number) == other.trainer.digest(number)
    assert await one.train(number) == await other.train(number)
    assert torch.equal(momentum(one), momentum(other))


async def test_a_restart_right_after_a_state_was_agreed_changes_no_bit(first: Life) -> None:
    await first.settle(0, await first.train(0))
    await first.settle(1, await first.train(1))
    state = await first.agree(2)
    async with life(first.world.home, state) as second:
        assert [event["step"] for event in events(second, "momentum")] == [2]
        await assert_go_on_alike(first, second, 2)


@pytest.mark.parametrize("slot", SLOTS.values(), ids=SLOTS.keys())
async def test_what_was_in_flight_at_the_state_is_settled_by_the_replay(
    first: Life, others: list[bytes], slot: int
) -> None:
    payloads = [await first.train(0), await first.train(1)]
    await first.settle(0, payloads[0])
    state = await first.agree(1)
    await first.settle(1, payloads[1] if slot == OWN else others[1], slot)
    async with life(first.world.home, state) as second:
        assert second.last == first.last
        assert second.trainer.optimizer.in_flight == ()
        await assert_go_on_alike(first, second, 2)


@pytest.mark.parametrize("slot", SLOTS.values(), ids=SLOTS.keys())
async def test_what_is_in_flight_after_the_restart_is_settled_as_without_it(
    first: Life, others: list[bytes], slot: int
) -> None:
    await first.train(0)
    await first.settle(0, None)
    payload = await first.train(1)
    state = await first.agree(1)
    async with life(first.world.home, state) as second:
        assert second.trainer.optimizer.in_flight == ((0, 1),)
        for one in (first, second):
            await one.settle(1, payload if slot == OWN else others[1], slot)
        await assert_go_on_alike(first, second, 2)


async def test_the_saved_momentum_is_that_of_the_moment_of_the_state(first: Life) -> None:
    await first.settle(0, await first.train(0))
    found = await first.world.replica.vote_digest(first.last, 1)
    assert found is not None
    then = momentum(first).clone()
    await first.train(1)
    state = await first.agree(1)
    async with life(first.world.home, state) as second:
        assert torch.equal(momentum(second), then)
        assert second.trainer.optimizer.in_flight == ()


@pytest.mark.parametrize("slot", SLOTS.values(), ids=SLOTS.keys())
async def test_rounds_trained_since_the_state_leave_the_momentum_alone(
    first: Life, others: list[bytes], slot: int
) -> None:
    await first.settle(0, await first.train(0))
    state = await first.agree(1)
    then = momentum(first).clone()
    own = await first.train(1)
    await first.settle(1, own if slot == OWN else others[1], slot)
    async with life(first.world.home, state) as second:
        assert second.last == first.last
        assert second.trainer.digest(2) == first.trainer.digest(2)
        assert torch.equal(momentum(second), then)


async def test_a_second_restart_from_the_same_state_begins_alike(first: Life) -> None:
    await first.settle(0, await first.train(0))
    state = await first.agree(1)
    async with life(first.world.home, state) as second:
        await second.train(1)
    async with life(first.world.home, state) as third:
        await assert_go_on_alike(first, third, 1)


def flip(data: bytes) -> bytes:
    """One bit of the momentum itself, which is by far the longest part."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a flipped bit": flip,
    "cut": lambda data: data[:-100],
    "cut in its header": lambda data: data[:20],
    "empty": lambda _: b"",
    "no safetensors": lambda _: b"\xff" * 200,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
async def test_a_damaged_momentum_is_told_and_starts_at_zero(
    first: Life, damage: Callable[[bytes], bytes]
) -> None:
    await first.settle(0, await first.train(0))
    state = await first.agree(1)
    path = momentum_path(first.world.store, state.digest)
    path.write_bytes(damage(path.read_bytes()))
    async with life(first.world.home, state) as second:
        assert_starts_at_zero(second, state)


def assert_starts_at_zero(of: Life, state: AgreedState) -> None:
    (error,) = events(of, "error")
    assert "the momentum saved with step 1 is of no use, it starts at zero" in str(error["message"])
    assert not momentum(of).any()
    assert of.trainer.optimizer.in_flight == ()
    assert (of.last, of.trainer.digest(1)) == (state.chain_hash, state.digest)
    assert events(of, "momentum") == []


async def test_a_momentum_of_another_history_is_not_taken(first: Life) -> None:
    await first.settle(0, await first.train(0))
    state = await first.agree(1)
    saved = first.trainer.momentum_state()
    save_momentum(first.world.store, state.digest, START, saved)
    async with life(first.world.home, state) as second:
        assert_starts_at_zero(second, state)


async def test_a_momentum_of_another_layout_is_not_taken(first: Life) -> None:
    await first.settle(0, await first.train(0))
    state = await first.agree(1)
    saved = first.trainer.momentum_state() | {"layout_digest": np.zeros(32, np.uint8)}
    save_momentum(first.world.store, state.digest, state.chain_hash, saved)
    async with life(first.world.home, state) as second:
        assert_starts_at_zero(second, state)


async def test_a_state_without_a_momentum_beside_it_starts_at_zero_without_a_word(
    first: Life,
) -> None:
    await first.settle(0, await first.train(0))
    state = await first.agree(1)
    momentum_path(first.world.store, state.digest).unlink()
    async with life(first.world.home, state) as second:
        assert not momentum(second).any()
        assert events(second, "error") == events(second, "momentum") == []


async def test_a_state_from_peers_brings_no_momentum(first: Life) -> None:
    await first.settle(0, await first.train(0))
    state = await first.agree(1)
    manifest = first.world.keeper.load(Kind.MANIFEST, state.digest)
    assert manifest is not None
    state_path(first.world.store, state.digest).write_bytes(b"torn")
    async with life(first.world.home, state) as second:
        assert second.last == b""
        second.world.peers.give(Kind.MANIFEST, state.digest, manifest)
        for served in first.world.keeper._served.values():
            for piece in served.places:
                data = first.world.keeper.load(Kind.PIECE, piece)
                assert data is not None
                second.world.peers.give(Kind.PIECE, piece, data)
        now = sight(states=(state,), chain_hash=state.chain_hash)
        await second.world.replica.rebuild(second.world.resync, lambda: now)
        assert second.trainer.digest(1) == state.digest
        assert not momentum(second).any()
    async with life(first.world.home, state) as third:
        assert not momentum(third).any()


async def test_catching_up_by_peers_keeps_what_was_accepted(first: Life) -> None:
    payload = await first.train(0)
    left = momentum(first).clone()
    of = settled(0, {OWN: payload})
    first.world.peers.give(Kind.HISTORY, START, of.to_json().encode())
    first.world.peers.give_payload(payload)
    now = sight(states=(first.world.initial,), chain_hash=of.chain_hash)
    await first.world.replica.rebuild(first.world.resync, lambda: now)
    assert first.trainer.optimizer.in_flight == ()
    assert torch.equal(momentum(first), left)


async def test_a_round_that_was_given_up_returns_once_a_later_one_is_settled(
    first: Life,
) -> None:
    plain = tiny_trainer()
    plain.train(tokens(0), key(0, OWN))
    plain.optimizer.give_back((0, 0))
    await first.train(0)
    await first.settle(1, None)
    assert first.trainer.optimizer.in_flight == ()
    assert torch.equal(momentum(first), plain.optimizer.momentum)


async def test_anothers_copy_of_a_payload_does_not_settle_it(first: Life) -> None:
    payload = await first.train(0)
    taken = momentum(first).clone()
    await first.settle(0, payload, OTHER)
    assert first.trainer.optimizer.in_flight == ()
    assert not torch.equal(momentum(first), taken)


@pytest.mark.parametrize(
    "commitments",
    [None, np.zeros((0, 32), np.uint8), np.zeros((1, 32), np.int8), np.zeros((1, 31), np.uint8)],
)
def test_a_saved_momentum_whose_commitments_do_not_fit_is_refused(
    commitments: np.ndarray | None,
) -> None:
    trainer = tiny_trainer()
    trainer.train(tokens(0), key(0, OWN))
    saved = trainer.momentum_state()
    if commitments is None:
        del saved["in_flight.commitments"]
    else:
        saved["in_flight.commitments"] = commitments
    with pytest.raises(LayoutError, match="commitment"):
        trainer.take_momentum(saved)
    assert not trainer.optimizer.momentum.any()
    assert trainer.optimizer.in_flight == ()


async def test_a_momentum_is_copied_on_the_thread_that_trains(first: Life) -> None:
    await first.settle(0, None)
    training = asyncio.create_task(first.train(1))
    await asyncio.sleep(0)  # it has its place before the vote's
    state = await first.agree(1)
    await training
    async with life(first.world.home, state) as second:
        assert second.trainer.optimizer.in_flight == ((0, 1),)
        assert torch.equal(momentum(second), momentum(first))
