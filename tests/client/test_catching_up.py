"""A client that lost its history, or never had it, comes back into step with its peers' help."""

from dataclasses import replace
from hashlib import sha256

import pytest

from psyche_client.model.digest import parse_manifest, read_piece
from psyche_client.network import Kind
from psyche_client.replica import LostHistoryError
from psyche_client.seen import AgreedState
from psyche_client.store import Store, next_chain_hash
from support.client import (
    START,
    agreed,
    key,
    record,
    settled,
    sight,
)
from support.replica import World, opened


def state_at_peer(world: World, number: int, digests: list[bytes]) -> AgreedState:
    """Peers have the state before round `number`; the client is left without any."""
    for done in range(number):
        payload = (key(done, 1), world.payloads[done])
        world.trainer.settle((0, done), done, [payload])
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


async def test_a_false_step_in_a_peers_record_does_not_reach_the_parameters(
    world: World, digests: list[bytes]
) -> None:
    await opened(world)
    for number, of in enumerate(world.rounds[:3]):
        lie = replace(of, step=of.step + 5)
        world.peers.give(Kind.HISTORY, of.previous, lie.to_json().encode(), of.to_json().encode())
        world.peers.give_payload(world.payloads[number])
    now = sight(states=(world.initial,), chain_hash=world.rounds[2].chain_hash)
    await world.replica.rebuild(world.resync, lambda: now)
    assert world.trainer.digest(3) == digests[3]
    assert Store(world.home).history() == world.rounds[:3]


@pytest.mark.parametrize(
    ("step", "shown", "taken"),
    [(6, False, True), (7, False, False), (7, True, True), (6, True, False)],
)
async def test_the_first_step_of_an_epoch_is_what_the_chain_shows_or_what_follows_at_once(
    world: World, step: int, shown: bool, taken: bool
) -> None:
    """After an abort it is higher; then a record is believed only if the chain shows its epoch."""
    payload = world.payloads[0]
    first = replace(settled(0, {1: payload}), epoch=1, step=step)
    first = replace(first, chain_hash=next_chain_hash(first))
    world.peers.give(Kind.HISTORY, START, first.to_json().encode())
    world.peers.give_payload(payload)
    await opened(world)
    world.replica.step = 6
    later = replace(first, round=4, step=11, previous=bytes(32))
    rounds = (record(later, {1: payload}),) if shown else ()
    now = sight(states=(), rounds=rounds, chain_hash=first.chain_hash, epoch=1)
    if taken:
        await world.replica.rebuild(world.resync, lambda: now)
    else:
        with pytest.raises(LostHistoryError):
            await world.replica.rebuild(world.resync, lambda: now)
    assert (world.replica.chain_hash == first.chain_hash) is taken


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


async def test_the_owners_checkpoint_is_loaded_from_this_disk_if_it_lies_there(
    world: World, digests: list[bytes]
) -> None:
    await opened(world)
    world.give(0)
    now = sight(states=(world.initial,), chain_hash=world.rounds[0].chain_hash)
    await world.replica.rebuild(world.resync, lambda: now)
    before = agreed(1, digests[1], world.rounds[0].chain_hash)
    world.keeper.adopt(before, world.trainer.parameters())
    state = agreed(1, digests[1], b"reset".ljust(32, b"."))
    now = sight(states=(state,), chain_hash=state.chain_hash)

    await world.replica.rebuild(world.resync, lambda: now)

    assert world.replica.chain_hash == state.chain_hash
    assert world.trainer.digest(1) == digests[1]
    assert {kind for kind, _ in world.peers.asked} <= {Kind.HISTORY, Kind.PAYLOAD}


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
    await world.replica.apply(world.rounds[0], loss=None)
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
