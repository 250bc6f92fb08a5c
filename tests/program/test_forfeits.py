"""Strikes go with the wallet, bonds of the ejected stay; what is closed once all is settled."""

from __future__ import annotations

import pytest

from psyche_sdk._generated import types as events
from psyche_sdk.errors import AnchorError
from psyche_sdk.program_errors import (
    Barred,
    BondsRemain,
    PointsRemain,
    SlotRemains,
    WrongAccount,
)
from psyche_sdk.views import MemberState
from support.actors import ALICE, BOB, CAROL, DAVE, MALLORY
from support.bonds import (
    BOND,
    check_books,
    eject,
    given,
    lamports,
    participant,
    told,
    write,
)
from support.program import build


def test_the_bond_of_an_ejected_member_stays_until_the_run_is_closed() -> None:
    world = given()
    for actor in (BOB, CAROL):
        world.join(actor)
    slot = eject(world, BOB)

    sent = world.collect(slot, BOB)

    assert (told(sent).bond_to, told(sent).bond_lamports) == (3, BOND)
    assert participant(world, BOB).barred
    assert participant(world, BOB).bond_lamports == 0
    assert (world.run.forfeited_lamports, world.run.bonds_lamports) == (BOND, BOND)
    check_books(world)
    world.leave(CAROL)
    world.collect(1, CAROL)
    held = sum(lamports(world, key) for key in (world.run_key, world.roster_key, world.rounds_key))
    before = lamports(world, ALICE.wallet)
    world.close_run()
    assert lamports(world, ALICE.wallet) == before + held - 5_000


def test_an_ejected_wallet_does_not_join_again_collected_or_not() -> None:
    world = given()
    world.join(BOB)
    slot = eject(world, BOB)

    for _ in range(2):
        with pytest.raises(Barred):
            world.join(BOB, slot=5)
        if world.roster.member(slot).state is MemberState.EJECTED:
            world.collect(slot, BOB)
    world.join(CAROL, slot=slot)

    assert world.member(CAROL).slot == slot


def test_an_ejected_wallet_may_join_the_next_run_at_the_address() -> None:
    world = given()
    world.join(BOB)
    world.collect(eject(world, BOB), BOB)
    world.close_run()
    world.pass_time(slots=1)
    world.given_run()

    world.join(BOB)

    assert not participant(world, BOB).barred
    assert participant(world, BOB).strikes == 0


def test_a_strike_goes_with_the_wallet_from_membership_to_membership() -> None:
    world = given()
    world.join(BOB, slot=0)
    write(world, 0, strikes=1)
    world.leave(BOB)
    world.join(BOB, slot=1)
    assert (world.roster.member(1).strikes, world.roster.member(1).strikes_collected) == (1, 1)
    world.collect(0, BOB)
    assert participant(world, BOB).strikes == 1
    world.leave(BOB)
    world.collect(1, BOB)
    assert participant(world, BOB).strikes == 1

    world.join(BOB, slot=2)

    assert world.roster.member(2).strikes == 1


def test_strikes_of_two_memberships_add_up() -> None:
    world = given()
    for slot in (0, 1):
        world.join(BOB, slot=slot)
        world.leave(BOB)
    for slot in (0, 1):
        write(world, slot, strikes=1)

    with pytest.raises(Barred):
        world.join(BOB, slot=2)
    for slot in (0, 1):
        world.collect(slot, BOB)

    assert participant(world, BOB).strikes == 2
    with pytest.raises(Barred):
        world.join(BOB, slot=2)


def test_a_run_with_bonds_on_its_roster_cannot_be_closed() -> None:
    world = given()
    world.join(BOB)
    world.leave(BOB)

    with pytest.raises(BondsRemain):
        world.close_run()
    world.collect(0, BOB)
    world.close_run()

    assert lamports(world, world.run_key) == 0


@pytest.mark.parametrize("field", ["points", "points_slashed"])
def test_a_run_with_points_on_its_roster_cannot_be_closed(field: str) -> None:
    world = given(0)
    world.join(BOB)
    world.leave(BOB)
    write(world, 0, **{field: 1})

    with pytest.raises(PointsRemain):
        world.close_run()


def test_a_closed_account_gives_its_rent_to_who_paid() -> None:
    world = given(0)
    args = build.JoinArgs(slot=0, weight=1, node_key=BOB.node_key, address="", bond_lamports_max=0)
    join = world.instruction("join", BOB, args, payer=DAVE.wallet)
    world.send(join, signers=[DAVE, BOB])
    world.leave(BOB)
    world.collect(0, BOB)
    held, before = (lamports(world, key) for key in (world.participant_key(BOB), DAVE.wallet))

    with pytest.raises(WrongAccount):
        world.do("close_participant", BOB)
    sent = world.do("close_participant", BOB, rent_payer=DAVE.wallet)

    assert lamports(world, DAVE.wallet) == before + held
    (closed,) = [one for one in sent.events if isinstance(one, events.ParticipantClosed)]
    assert (closed.wallet, closed.bond_lamports) == (BOB.wallet, 0)


@pytest.mark.parametrize("left", [False, True])
def test_an_account_with_a_slot_is_not_closed(left: bool) -> None:
    world = given()
    world.join(BOB)
    if left:
        world.leave(BOB)

    with pytest.raises(SlotRemains):
        world.do("close_participant", BOB)


def test_strikes_are_not_forgotten_by_closing_the_account_while_the_run_stands() -> None:
    world = given()
    world.join(BOB)
    write(world, 0, strikes=1)
    world.leave(BOB)
    world.collect(0, BOB)
    world.join(CAROL, slot=1)
    world.collect(eject(world, CAROL), CAROL)

    for actor in (BOB, CAROL):
        with pytest.raises(Barred):
            world.do("close_participant", actor)
    world.close_run()
    for actor in (BOB, CAROL):
        world.do("close_participant", actor)

    assert not world.data(world.participant_key(BOB))


def test_an_account_of_a_run_that_was_made_again_is_closed() -> None:
    world = given()
    world.join(BOB)
    world.leave(BOB)
    world.collect(0, BOB)
    world.close_run()
    world.pass_time(slots=1)
    world.given_run()

    world.do("close_participant", BOB)

    assert not world.data(world.participant_key(BOB))


def test_nobody_closes_the_account_of_another() -> None:
    world = given(0)
    world.join(BOB)
    world.leave(BOB)
    world.collect(0, BOB)

    for actor in (MALLORY, ALICE):
        with pytest.raises((WrongAccount, AnchorError)):
            world.do("close_participant", actor, participant=world.participant_key(BOB))


def test_who_closed_its_account_may_join_again() -> None:
    world = given()
    world.join(BOB)
    world.leave(BOB)
    world.collect(0, BOB)
    world.do("close_participant", BOB)

    world.join(BOB)

    assert participant(world, BOB).joins == 1
    check_books(world)
