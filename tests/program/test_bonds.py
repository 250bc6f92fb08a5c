"""Bonds: who pays one, to whom it goes, and that no lamport is lost on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from solders.pubkey import Pubkey

from psyche_sdk._generated import layouts
from psyche_sdk._generated import types as events
from psyche_sdk.errors import AnchorError, PsycheError
from psyche_sdk.program_errors import (
    Barred,
    BondAboveLimit,
    BondsRemain,
    ConfigBondLamports,
    NothingToCollect,
    NotTheHolder,
    PayeeCannotTake,
    PointsRemain,
    SlotRemains,
    SlotTaken,
    UnknownSlot,
    WrongAccount,
)
from psyche_sdk.views import MemberState, Participant, Phase, decode_participant
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN, MALLORY, OLIVIA, TRIO, Actor
from support.instruction_table import CLOCK, NOBODY
from support.program import World, build, world_at
from support.program_chain import PROGRAM_FILE, Sent

BOND = 2_000_000
MOST = 1 << 48
#: Too little to keep an account without data alive.
LITTLE = 1_000
SYSTEM = Pubkey.default()
CONSTRAINT_MUT = 2_000
HEAD = 8


def lamports(world: World, key: Pubkey) -> int:
    """What lies at an address."""
    return world.svm.get_balance(key) or 0


def rent(world: World, key: Pubkey) -> int:
    """What an account must hold."""
    return int(world.svm.minimum_balance_for_rent_exemption(len(world.data(key))))


def check_books(world: World) -> None:
    """The run holds its rent, the bonds of the roster, and what is forfeited."""
    run = world.run
    bonds = sum(world.roster.member(slot).bond_lamports for slot in range(world.capacity))
    above = lamports(world, world.run_key) - rent(world, world.run_key)
    assert run.bonds_lamports == bonds
    assert above == bonds + run.forfeited_lamports


def given(bond: int = BOND, phase: Phase = Phase.PAUSED, **changes: Any) -> World:
    """A run whose members pay a bond."""
    return world_at(phase, bond_lamports=bond, **changes)


def participant(world: World, actor: Actor) -> Participant:
    """What the run keeps about an actor."""
    return decode_participant(world.data(world.participant_key(actor)))


def write(world: World, slot: int, **fields: int) -> None:
    """Sets fields of a roster's entry, as what is not built yet would."""
    data = bytearray(world.data(world.roster_key))
    start = HEAD + layouts.ROSTER_HEADER.itemsize + slot * layouts.ROSTER_ENTRY.itemsize
    entry = np.frombuffer(data, layouts.ROSTER_ENTRY, 1, start)
    for name, value in fields.items():
        entry[name][0] = value
    world.poke(world.roster_key, bytes(data))


def eject(world: World, actor: Actor) -> int:
    """A member was thrown out for cheating; its slot."""
    slot = world.member(actor).slot
    world.leave(actor)
    write(world, slot, state=MemberState.EJECTED, strikes=2)
    return slot


def set_payee(world: World, actor: Actor, payee: Pubkey) -> None:
    """Points and bond of an actor go elsewhere."""
    world.do("set_payee", actor, build.SetPayeeArgs(payee=payee))


def told(sent: Sent) -> events.Collected:
    """What a collect says."""
    (event,) = [one for one in sent.events if isinstance(one, events.Collected)]
    return event


# Paying


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


# Returning


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


# Who collects what


def test_nobody_collects_into_the_account_or_purse_of_another() -> None:
    world = given()
    for actor in (BOB, CAROL, MALLORY):
        world.join(actor)
    world.leave(BOB)
    before = world.state()

    for other in (CAROL, MALLORY):
        with pytest.raises(NotTheHolder):
            world.collect(0, other)
    with pytest.raises(WrongAccount):
        world.collect(0, BOB, payee=MALLORY.wallet)
    for slot in (world.capacity, 2**16 - 1):
        with pytest.raises(UnknownSlot):
            world.collect(slot, BOB)
    for slot in (5, 7):
        with pytest.raises(NothingToCollect):
            world.collect(slot, BOB)

    assert world.state() == before


def test_an_account_of_the_same_wallet_in_another_run_is_none() -> None:
    world = given()
    world.join(BOB)
    world.leave(BOB)
    world.name_run("other")
    world.given_run()
    world.join(BOB)
    other = world.participant_key(BOB)
    world.name_run("demo")

    with pytest.raises(WrongAccount):
        world.collect(0, BOB, participant=other)


def test_points_of_a_member_are_collected_and_its_slot_stays() -> None:
    world = world_at(Phase.TRAIN)
    write(world, 0, points=70, points_slashed=30)

    sent = world.collect(0, BOB)

    held = participant(world, BOB)
    assert (held.points_earned, held.points_slashed) == (70, 30)
    assert (told(sent).points, told(sent).points_slashed, told(sent).freed) == (70, 30, 0)
    assert world.member(BOB).state is MemberState.ACTIVE
    write(world, 0, points=5)
    world.collect(0, BOB)
    assert participant(world, BOB).points_earned == 75


def test_points_that_are_earned_are_those_that_are_collected() -> None:
    world = world_at(Phase.TRAIN, epoch_rounds=2, points_per_sequence=3)
    world.to_phase(Phase.WAITING_FOR_MEMBERS)
    on_roster = {actor: world.member(actor).points for actor in TRIO}
    assert sum(on_roster.values()) == 2 * 30 * 3

    for actor in TRIO:
        world.collect(world.member(actor).slot, actor)

    assert {actor: participant(world, actor).points_earned for actor in TRIO} == on_roster


def test_points_stay_at_the_end_of_their_type_and_stop_nobody() -> None:
    world = world_at(Phase.TRAIN)
    for points in (2**64 - 1, 1):
        write(world, 0, points=points)
        world.collect(0, BOB)

    assert participant(world, BOB).points_earned == 2**64 - 1
    assert world.member(BOB).points == 0


# Payees that cannot take


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
    world.do("close_run", ALICE)
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


# Forfeiting


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
    world.do("close_run", ALICE)
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
    world.do("close_run", ALICE)
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


# Closing


def test_a_run_with_bonds_on_its_roster_cannot_be_closed() -> None:
    world = given()
    world.join(BOB)
    world.leave(BOB)

    with pytest.raises(BondsRemain):
        world.do("close_run", ALICE)
    world.collect(0, BOB)
    world.do("close_run", ALICE)

    assert lamports(world, world.run_key) == 0


@pytest.mark.parametrize("field", ["points", "points_slashed"])
def test_a_run_with_points_on_its_roster_cannot_be_closed(field: str) -> None:
    world = given(0)
    world.join(BOB)
    world.leave(BOB)
    write(world, 0, **{field: 1})

    with pytest.raises(PointsRemain):
        world.do("close_run", ALICE)


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
    world.do("close_run", ALICE)
    for actor in (BOB, CAROL):
        world.do("close_participant", actor)

    assert not world.data(world.participant_key(BOB))


def test_an_account_of_a_run_that_was_made_again_is_closed() -> None:
    world = given()
    world.join(BOB)
    world.leave(BOB)
    world.collect(0, BOB)
    world.do("close_run", ALICE)
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
