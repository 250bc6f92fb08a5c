"""Payees that cannot take a bond stop nobody: it waits."""

from __future__ import annotations

import pytest
from solders.pubkey import Pubkey

from psyche_sdk.errors import AnchorError
from psyche_sdk.program_errors import (
    PayeeCannotTake,
    WrongAccount,
)
from support.actors import BOB, OLIVIA
from support.bonds import (
    BOND,
    CONSTRAINT_MUT,
    LITTLE,
    SYSTEM,
    check_books,
    given,
    lamports,
    participant,
    set_payee,
    told,
)
from support.instruction_table import CLOCK, NOBODY
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
