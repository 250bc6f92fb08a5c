"""Payees that cannot take a bond stop nobody: it waits."""

from __future__ import annotations

import pytest
from solders.pubkey import Pubkey

from psyche_sdk._generated import types as events
from psyche_sdk.errors import AnchorError
from psyche_sdk.program_errors import (
    Barred,
    NothingToCollect,
    NotTheHolder,
    PayeeCannotTake,
    WrongAccount,
)
from support.actors import BOB, CAROL, OLIVIA
from support.bonds import (
    BOND,
    CONSTRAINT_MUT,
    LITTLE,
    SYSTEM,
    check_books,
    given,
    lamports,
    participant,
    rent,
    set_payee,
    told,
    write,
)
from support.broken_calls import CLOCK, NOBODY
from support.program import World
from support.program_chain import PROGRAM_FILE


def executable(world: World) -> Pubkey:
    """A program."""
    key = Pubkey.new_unique()
    world.svm.add_program_from_file(key, PROGRAM_FILE)
    return key


@pytest.mark.parametrize("kind", ["program", "poor", "run", "roster", "participant", "left out"])
def test_a_bond_that_the_payee_cannot_take_waits_in_the_participants_account(kind: str) -> None:
    world = given(LITTLE if kind == "poor" else BOND)
    world.join(BOB)
    payee = {
        "program": executable(world),
        "poor": NOBODY,
        "run": world.run_key,
        "roster": world.roster_key,
        "participant": world.participant_key(BOB),
        "left out": OLIVIA.wallet,
    }[kind]
    set_payee(world, BOB, payee)
    world.leave(BOB)
    mine = world.participant_key(BOB)
    before = lamports(world, mine)

    sent = world.collect(0, BOB, payee=payee, unpaid=kind == "left out")

    bond = told(sent).bond_lamports
    assert told(sent).bond_to == 2
    assert participant(world, BOB).bond_lamports == bond > 0
    assert lamports(world, mine) == before + bond
    check_books(world)


@pytest.mark.parametrize("reserved", [CLOCK, SYSTEM])
def test_a_payee_that_no_transaction_writes_stops_nobody(reserved: Pubkey) -> None:
    world = given()
    world.join(BOB)
    if reserved == SYSTEM:
        reserved = Pubkey.from_string("Vote111111111111111111111111111111111111111")
    set_payee(world, BOB, reserved)
    world.leave(BOB)

    with pytest.raises(AnchorError) as caught:
        world.collect(0, BOB, payee=reserved)
    assert caught.value.code == CONSTRAINT_MUT
    sent = world.collect(0, BOB, unpaid=True)

    assert told(sent).bond_to == 2
    check_books(world)


def test_a_small_bond_goes_to_a_payee_that_lives_already() -> None:
    world = given(LITTLE)
    world.join(BOB)
    world.leave(BOB)
    before = lamports(world, BOB.wallet)

    world.collect(0, BOB)

    assert lamports(world, BOB.wallet) == before + LITTLE


def test_what_waits_in_the_account_comes_with_its_closing_to_the_payee_of_then() -> None:
    world = given()
    world.join(BOB)
    world.leave(BOB)
    world.collect(0, BOB, unpaid=True)
    set_payee(world, BOB, OLIVIA.wallet)

    for wrong, refusal in ((None, PayeeCannotTake), (BOB.wallet, WrongAccount)):
        with pytest.raises(refusal):
            world.do("close_participant", BOB, payee=wrong)
    world.do("close_participant", BOB, payee=OLIVIA.wallet)

    assert lamports(world, OLIVIA.wallet) == BOND
    assert not world.data(world.participant_key(BOB))
    assert lamports(world, world.participant_key(BOB)) == 0


@pytest.mark.parametrize("slot", [0, 1, 7], ids=["its own, free", "another's", "nobody's"])
def test_a_bond_that_a_stranger_made_wait_comes_back_without_closing(slot: int) -> None:
    world = given()
    world.join(BOB)
    write(world, 0, strikes=1)
    world.leave(BOB)
    world.collect(0, BOB, unpaid=True)  # by anybody: bob, with a strike, cannot close its account
    with pytest.raises(Barred):
        world.do("close_participant", BOB, payee=BOB.wallet)
    world.join(CAROL, slot=1)
    before = lamports(world, BOB.wallet)

    (told,) = world.collect(slot, BOB).events

    assert isinstance(told, events.BondPaid)
    assert (told.wallet, told.payee, told.bond_lamports) == (BOB.wallet, BOB.wallet, BOND)
    assert lamports(world, BOB.wallet) == before + BOND
    mine = world.participant_key(BOB)
    assert lamports(world, mine) == rent(world, mine)
    assert (participant(world, BOB).bond_lamports, participant(world, BOB).strikes) == (0, 1)
    check_books(world)
    with pytest.raises((NothingToCollect, NotTheHolder)):
        world.collect(slot, BOB)


def test_a_bond_goes_on_waiting_while_the_payee_cannot_take_it() -> None:
    world = given()
    world.join(BOB)
    set_payee(world, BOB, world.run_key)
    world.leave(BOB)
    world.collect(0, BOB, payee=world.run_key)
    before = world.state()

    for payee, refusal in ((world.run_key, NothingToCollect), (OLIVIA.wallet, WrongAccount)):
        with pytest.raises(refusal):
            world.collect(0, BOB, payee=payee)
    with pytest.raises(NothingToCollect):
        world.collect(0, BOB, unpaid=True)

    assert world.state() == before


def test_a_bond_that_waits_and_one_on_the_slot_are_paid_at_once() -> None:
    world = given()
    for _ in range(2):
        world.join(BOB, slot=0)
        world.leave(BOB)
        if participant(world, BOB).joins == 1:
            world.collect(0, BOB, unpaid=True)
    before = lamports(world, BOB.wallet)

    paid, collected = world.collect(0, BOB).events

    assert isinstance(paid, events.BondPaid)
    assert isinstance(collected, events.Collected)
    assert (paid.bond_lamports, collected.bond_lamports, collected.bond_to) == (BOND, BOND, 1)
    assert lamports(world, BOB.wallet) == before + 2 * BOND
    check_books(world)


def test_a_bond_that_waits_survives_the_run_and_its_successor() -> None:
    world = given()
    world.join(BOB)
    world.leave(BOB)
    world.collect(0, BOB, unpaid=True)
    world.close_run()
    world.pass_time(slots=1)
    world.given_run(bond_lamports=BOND)
    world.join(BOB)
    world.leave(BOB)
    world.collect(0, BOB, unpaid=True)
    assert participant(world, BOB).bond_lamports == 2 * BOND
    before = lamports(world, BOB.wallet)
    kept = lamports(world, world.participant_key(BOB))

    world.do("close_participant", BOB, payee=BOB.wallet)

    fee = 5_000
    assert lamports(world, BOB.wallet) == before + kept - fee
