"""Payloads that witnesses attested and nobody has: clients go on without them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from solders.pubkey import Pubkey

from psyche_client import node
from psyche_client.decide import Me, Standing, Step, decide
from psyche_client.network import Kind
from psyche_client.seen import Sight, view
from psyche_client.sighting import Turns, read_sight
from psyche_client.store import SettledRound, Store
from psyche_client.trainer import Trainer
from psyche_sdk._accounts import AccountData
from psyche_sdk.coordinator import Snapshot
from psyche_sdk.instructions import MissingArgs
from psyche_sdk.pda import PROGRAM_ID
from psyche_sdk.views import Phase as RunPhase
from support.actors import Actor, crowd
from support.client import START, key, record, settled, tiny_trainer, tokens
from support.node_world import World
from support.program import World as Chain
from support.program import world_at

PLACES = (None, None, None)


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return tiny_trainer()


@pytest.fixture
async def world(tmp_path: Path, trainer: Trainer) -> AsyncIterator[World]:
    trainer.load_initial()
    made = World(tmp_path, trainer, keep_all=True)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def payloads(trainer: Trainer) -> dict[int, bytes]:
    trainer.load_initial()
    return {slot: trainer.train(tokens(slot), key(0, slot)).payload for slot in (1, 2)}


async def test_a_client_says_what_never_came_and_goes_on_with_the_rest(
    world: World, payloads: dict[int, bytes]
) -> None:
    both, rest = settled(0, payloads), settled(0, {1: payloads[1]})
    world.peers.give_payload(payloads[1])
    chain, late = world.chain, {"round": 1, "missing_late": True}
    now = record(both, payloads, complaints=PLACES, complaint_openers=bytes(1))
    here = {"rounds": (now,), "chain_hash": both.chain_hash}
    chain.now = world.sight(round=1, **here)
    after = world.sight(rounds=(record(rest, payloads),), chain_hash=rest.chain_hash, **late)
    chain.on("missing", chain.to(after))

    def applied() -> None:
        if world.fetcher.holds(both.members[0][2]) and chain.names() == []:
            chain.now = world.sight(**here, **late)
        if world.replica.chain_hash == rest.chain_hash:
            chain.now = world.finished(chain_hash=rest.chain_hash)

    chain.on("sight", applied)
    await world.run()

    assert chain.names() == ["missing"]
    assert chain.sent[[name for name, _ in chain.sent].index("missing")][1] == (both, 2)
    assert world.store.round_after(START) == rest


async def test_who_applied_what_was_taken_out_comes_back_without_it(
    world: World, payloads: dict[int, bytes]
) -> None:
    both, rest = settled(0, payloads), settled(0, {1: payloads[1]})
    for payload in payloads.values():
        world.peers.give_payload(payload)
    chain = world.chain
    chain.now = world.sight(rounds=(record(both, payloads),), chain_hash=both.chain_hash, round=1)
    seen = {"rounds": (record(rest, payloads),), "chain_hash": rest.chain_hash, "round": 1}
    behind = world.sight(standing=Standing.BEHIND, **seen)
    chain.on("ready", chain.to(world.finished(chain_hash=rest.chain_hash)))
    written: list[SettledRound | None] = []

    def went_behind() -> None:
        written.append(world.store.round_after(START))
        chain.now = behind

    chain.on("behind", went_behind)
    held: list[bytes] = []

    def taken_out() -> None:
        if world.replica.chain_hash == both.chain_hash and not held:
            held.append(world.trainer.digest(1))
            chain.now = world.sight(**seen)

    chain.on("sight", taken_out)
    await world.run()

    assert chain.names() == ["behind", "ready"]
    assert world.replica.chain_hash == rest.chain_hash
    assert world.trainer.digest(1) != held[0]
    assert written == [rest]  # peers that ask get the new one, too
    assert world.store.round_after(START) == rest
    assert Store(world.store.home).round_after(START) == rest


async def test_a_history_on_disk_that_leads_nowhere_gives_way_to_the_peers(
    world: World, payloads: dict[int, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that was away while a payload was taken out has the round of before on its disk."""
    monkeypatch.setattr(node, "RETRY_SECONDS", 0.01)
    both, rest = settled(0, payloads), settled(0, {1: payloads[1]})
    for slot, payload in payloads.items():
        world.store.put_payload(0, 0, slot, payload)
        world.peers.give_payload(payload)
    world.store.append_round(both)
    world.peers.give(Kind.HISTORY, START, rest.to_json().encode())
    chain = world.chain
    chain.now = world.sight(chain_hash=rest.chain_hash, round=5, standing=Standing.BEHIND)
    chain.on("ready", chain.to(world.finished(chain_hash=rest.chain_hash)))

    await world.run()

    assert world.replica.chain_hash == rest.chain_hash
    assert world.store.round_after(START) == rest


# With the real program: a trainer commits, colluding witnesses attest, and nobody gets it.

START_SECONDS = 1.0


def account(chain: Chain, address: Pubkey) -> AccountData:
    """An account as the SDK reads it."""
    data = chain.data(address)
    return AccountData(address=address, owner=PROGRAM_ID, lamports=1, data=data, chain_slot=1)


def seen(chain: Chain, actor: Actor) -> Sight:
    """What a member's client sees."""
    time, slot = chain.moment
    keys = {"run": chain.run_key, "roster": chain.roster_key, "rounds": chain.rounds_key}
    accounts = {name: account(chain, one) for name, one in keys.items()}
    shot = Snapshot(chain_slot=slot, unix_seconds=time, **accounts)
    return read_sight(shot, bytes(actor.wallet), Turns(lambda: 0.0), now=float(time))


def next_step(sight: Sight, before: bytes, withheld: set[int]) -> tuple[Step, int | None]:
    """What a client does that holds the history of before, and all payloads but these."""
    following = sight.next_settled(before)
    assert following is not None
    lacking = [slot for slot, _, _ in following.members if slot in withheld]
    missing = sight.complaint(following.key, lacking)
    return decide(view(sight), Me(missing=missing, can_apply=not lacking)), missing


@pytest.mark.parametrize("overlap", [0, 1])
def test_members_take_out_what_colluders_withhold_and_follow_the_same_history(overlap: int) -> None:
    members = crowd(6)
    chain = world_at(RunPhase.TRAIN, members=members, overlap=overlap, init_min_members=6)
    before = chain.run.chain_hash
    while not (chain.record(0).settled and chain.run.phase is RunPhase.TRAIN):
        chain.step()  # everybody attests to everything: so do those who have not got it
    cheat, honest = members[-1], members[:-1]
    slot = chain.member(cheat).slot
    steps = [next_step(seen(chain, one), before, {slot})[0] for one in honest]
    assert Step.SAY_MISSING not in steps
    chain.pass_seconds(chain.config.train_seconds // 4 + 1)

    said = 0
    for one in honest:
        step, target = next_step(seen(chain, one), before, {slot})
        if step is Step.SAY_MISSING:
            args = MissingArgs(epoch=0, round=0, slot=chain.member(one).slot, target=target or 0)
            chain.do("missing", one, args)
            said += 1

    assert said == 4  # of six: then it is gone
    for one in members:
        sight = seen(chain, one)
        following = sight.next_settled(before)
        assert following is not None
        assert slot not in [place for place, _, _ in following.members]
        assert next_step(sight, before, {slot})[0] is Step.APPLY
        while (after := sight.next_settled(following.chain_hash)) is not None:
            following = after
        assert following.chain_hash == sight.chain_hash
