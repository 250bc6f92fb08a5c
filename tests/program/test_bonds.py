"""Bonds: who pays one, when it comes back, and that no lamport is lost on the way."""

from __future__ import annotations

import pytest

from psyche_sdk._generated import types as events
from psyche_sdk.errors import PsycheError
from psyche_sdk.program_errors import (
    BondAboveLimit,
    ConfigBondLamports,
    NothingToCollect,
    SlotTaken,
)
from psyche_sdk.views import MemberState, Phase
from support.actors import BOB, CAROL, DAVE, ERIN, OLIVIA, TRIO
from support.bonds import (
    BOND,
    MOST,
    check_books,
    given,
    lamports,
    set_payee,
    told,
    write,
)
from support.program import World, build


@pytest.mark.parametrize("bond", [0, 1, BOND, 10**11])
def test_who_joins_pays_the_bond_into_the_run(bond: int) -> None:
    world = given(bond)
    before = lamports(world, world.run_key)
    world.svm.airdrop(DAVE.wallet, 10**12)

    sent = world.send(
        world.instruction(
            "join",
            BOB,
            build.JoinArgs(
                slot=0, weight=1, node_key=BOB.node_key, address="", bond_lamports_max=bond
            ),
            payer=DAVE.wallet,
        ),
        signers=[DAVE, BOB],
    )

    assert lamports(world, world.run_key) == before + bond
    assert world.member(BOB).bond_lamports == world.run.bonds_lamports == bond
    (joined,) = [one for one in sent.events if isinstance(one, events.Joined)]
    assert joined.bond_lamports == bond
    check_books(world)


@pytest.mark.parametrize("limit", [0, BOND - 1])
def test_a_wallet_that_accepts_a_smaller_bond_does_not_join(limit: int) -> None:
    world = given()
    before = world.state()

    with pytest.raises(BondAboveLimit):
        world.join(BOB, bond_lamports_max=limit)

    assert world.state() == before
    assert not world.data(world.participant_key(BOB))


def test_an_owner_cannot_raise_the_bond_under_somebody_who_joins() -> None:
    world = given()
    world.update_config(bond_lamports=BOND + 1)

    with pytest.raises(BondAboveLimit):
        world.join(BOB, bond_lamports_max=BOND)
    world.join(BOB, bond_lamports_max=BOND + 1)

    check_books(world)


def test_who_cannot_pay_the_bond_does_not_join() -> None:
    world = given(MOST)
    before = world.state()

    with pytest.raises(PsycheError):
        world.join(BOB)

    assert world.state() == before


@pytest.mark.parametrize("bond", [MOST + 1, 2**64 - 1])
def test_a_bond_above_its_bound_is_refused(bond: int) -> None:
    world = World()
    with pytest.raises(ConfigBondLamports):
        world.given_run(bond_lamports=bond)
    world.given_run()

    with pytest.raises(ConfigBondLamports):
        world.update_config(bond_lamports=bond)
    world.update_config(bond_lamports=MOST)

    assert world.run.config.bond_lamports == MOST


def test_who_is_a_member_keeps_the_bond_that_it_paid() -> None:
    world = given()
    world.join(BOB)
    world.update_config(bond_lamports=5 * BOND)
    world.join(CAROL)
    world.leave(BOB)

    sent = world.collect(0, BOB)

    assert told(sent).bond_lamports == BOND
    assert world.run.bonds_lamports == 5 * BOND
    check_books(world)


def test_who_left_gets_its_bond_back_at_its_payee() -> None:
    world = given()
    world.join(BOB)
    set_payee(world, BOB, OLIVIA.wallet)
    world.leave(BOB)
    check_books(world)

    sent = world.collect(0, BOB, payee=OLIVIA.wallet)

    assert lamports(world, OLIVIA.wallet) == BOND
    assert (told(sent).bond_to, told(sent).freed, told(sent).payee) == (1, 1, OLIVIA.wallet)
    assert world.roster.member(0).state is MemberState.EMPTY
    assert world.roster.member(0).wallet == bytes(32)
    check_books(world)


def test_who_was_dropped_gets_its_bond_back() -> None:
    world = given(ready_seconds=40)
    world.join(BOB)
    world.pass_seconds(40)
    world.tick()
    assert world.roster.member(0).state is MemberState.DROPPED
    before = lamports(world, BOB.wallet)

    world.collect(0, BOB)

    assert lamports(world, BOB.wallet) == before + BOND
    check_books(world)


def test_a_bond_is_returned_once() -> None:
    world = given()
    world.join(BOB)
    world.leave(BOB)
    world.collect(0, BOB)
    before = world.state()

    with pytest.raises(NothingToCollect):
        world.collect(0, BOB)

    assert world.state() == before


def test_a_member_keeps_its_bond_in_the_run() -> None:
    world = given()
    world.join(BOB)

    with pytest.raises(NothingToCollect):
        world.collect(0, BOB)

    check_books(world)


def test_a_bond_is_not_returned_while_a_record_names_the_slot() -> None:
    world = given(phase=Phase.TRAIN, members=(*TRIO, ERIN), init_min_members=4)
    slot = world.member(ERIN).slot
    world.leave(ERIN)

    for _ in range(4):
        with pytest.raises(NothingToCollect):
            world.collect(slot, ERIN)
        world.finish_round()
    world.collect(slot, ERIN)

    assert world.run.round == 4
    check_books(world)


def test_the_rest_of_an_epoch_is_not_waited_for_once_it_is_over() -> None:
    world = given(phase=Phase.TRAIN, epoch_rounds=1)
    world.leave(BOB)
    world.to_phase(Phase.COOLDOWN)
    with pytest.raises(NothingToCollect):
        world.collect(0, BOB)
    world.to_phase(Phase.WAITING_FOR_MEMBERS)

    world.collect(0, BOB)

    check_books(world)


def test_a_slot_with_a_bond_on_it_is_not_free() -> None:
    world = given()
    world.join(BOB)
    world.leave(BOB)

    with pytest.raises(SlotTaken):
        world.join(CAROL, slot=0)
    with pytest.raises(SlotTaken):
        world.join(BOB, slot=0)
    world.collect(0, BOB)
    world.join(CAROL, slot=0)

    check_books(world)


@pytest.mark.parametrize(
    "fields", [{"points": 1}, {"points_slashed": 1}, {"strikes": 1}, {"state": MemberState.EJECTED}]
)
def test_a_slot_with_anything_left_on_it_is_not_free(fields: dict[str, int]) -> None:
    world = given(0)
    world.join(BOB)
    world.leave(BOB)
    write(world, 0, **fields)

    with pytest.raises(SlotTaken):
        world.join(CAROL, slot=0)
    world.collect(0, BOB)
    world.join(CAROL, slot=0)
