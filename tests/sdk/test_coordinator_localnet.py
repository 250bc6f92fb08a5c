"""A run is created, joined, watched and closed through `Coordinator` over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from solders.keypair import Keypair

from psyche_sdk import Coordinator, SendOptions, pda, program_errors
from psyche_sdk._generated import layouts
from psyche_sdk.errors import AccountMissing, InsufficientFunds
from psyche_sdk.instructions import MemberArgs
from psyche_sdk.localnet import Localnet, packaged_program
from support.founding import create_args, join_args, ready_args

OWNER = Keypair.from_seed(bytes([1]) * 32)
ALICE = Keypair.from_seed(bytes([2]) * 32)
BOB = Keypair.from_seed(bytes([3]) * 32)
RUN = pda.run_address(OWNER.pubkey(), "tiny")
SOL = 1_000_000_000
QUICK = SendOptions(poll_seconds=0.005)


class World:
    """A chain with one run on it; members are made on demand."""

    def __init__(self, chain: Localnet) -> None:
        self.chain = chain
        self.owner = self.member(OWNER)

    def member(self, wallet: Keypair, *, payer: Keypair | None = None) -> Coordinator:
        return Coordinator(
            self.chain.url,
            RUN,
            payer=payer or wallet,
            signer=wallet,
            options=QUICK,
            measure=True,
        )


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Localnet(slot_ms=20, programs=packaged_program()) as chain:
        world = World(chain)
        await world.owner.airdrop(100 * SOL)
        for wallet in (ALICE, BOB):
            await world.owner.airdrop(SOL, wallet.pubkey())
        yield world
        await world.owner.close()


def phase(data: bytes) -> int:
    return int(layouts.decode_run(data)["phase"])


@pytest.mark.parametrize("capacity", [8, 256])
async def test_a_run_is_created_whole(world: World, capacity: int) -> None:
    await world.owner.create_run(create_args(capacity=capacity))
    snapshot = await world.owner.snapshot()
    run = layouts.decode_run(snapshot.run.data)
    assert (run["complete"], run["capacity"]) == (1, capacity)
    assert world.owner.capacity == capacity


async def test_members_join_get_ready_and_the_run_warms_up(world: World) -> None:
    await world.owner.create_run(create_args())
    await world.owner.resume()
    async with world.member(ALICE) as alice, world.member(BOB) as bob:
        await alice.join(join_args(0))
        await bob.join(join_args(1))
        for slot, member in enumerate((alice, bob)):
            await member.ready(ready_args(await member.snapshot(), slot))
        run = layouts.decode_run((await bob.run()).data)
        participant = layouts.decode_participant((await bob.participant()).data)
    assert (run["joined"], run["ready"]) == (0, 2)
    assert bytes(participant["wallet"]) == bytes(BOB.pubkey())


async def test_another_key_may_pay_for_a_member(world: World) -> None:
    await world.owner.create_run(create_args())
    async with world.member(Keypair(), payer=ALICE) as member:
        await member.join(join_args(3))
        assert (await member.participant()).lamports > 0


async def test_the_programs_refusals_arrive_as_its_own_errors(world: World) -> None:
    await world.owner.create_run(create_args())
    async with world.member(ALICE) as alice:
        with pytest.raises(program_errors.TooEarly):
            await alice.tick()
        with pytest.raises(program_errors.Unauthorized):
            await alice.resume()
        await alice.join(join_args(0))
        with pytest.raises(program_errors.AlreadyAMember):
            await alice.join(join_args(1))
        with pytest.raises(program_errors.WrongRound):
            await alice.leave(MemberArgs(epoch=9, round=9, slot=0))


async def test_what_fails_in_a_block_has_the_same_class(world: World) -> None:
    await world.owner.create_run(create_args())
    options = SendOptions(preflight=False, poll_seconds=0.005)
    async with Coordinator(world.chain.url, RUN, payer=ALICE, options=options) as alice:
        with pytest.raises(program_errors.TooEarly) as caught:
            await alice.tick()
    assert caught.value.landed


async def test_a_wallet_without_lamports_cannot_pay(world: World) -> None:
    async with world.member(Keypair()) as pauper:
        with pytest.raises(InsufficientFunds):
            await pauper.tick()


async def test_a_watcher_is_told_of_each_change_without_polling(world: World) -> None:
    await world.owner.create_run(create_args())
    watch = world.owner.watch(poll_seconds=60, blind_poll_seconds=0.01)
    before = await anext(watch)
    await world.owner.resume()
    after = await asyncio.wait_for(anext(watch), 5)
    assert phase(before.run.data) != phase(after.run.data)
    assert after.chain_slot >= before.chain_slot
    assert after.unix_seconds is not None
    await watch.aclose()


async def test_a_closed_run_gives_its_rent_back_and_is_missing(world: World) -> None:
    await world.owner.create_run(create_args())
    snapshot = await world.owner.snapshot()
    created = snapshot.chain_slot
    while snapshot.chain_slot == created:  # no run is closed in the slot of its creation
        snapshot = await world.owner.snapshot()
    before = await world.owner.balance()
    await world.owner.close_run()
    assert await world.owner.balance() == before + snapshot.lamports - 5000
    with pytest.raises(AccountMissing):
        await world.owner.run()


async def test_costs_are_counted_by_instruction(world: World) -> None:
    before = await world.owner.balance()
    await world.owner.create_run(create_args())
    rent = (await world.owner.snapshot()).lamports
    usage = await world.owner.settle_usage()
    assert usage.lamports_fees == before - rent - await world.owner.balance()
    assert set(usage.units_max()) == {"create_run", "allocate"}
    assert usage.units["create_run"].count == 1
