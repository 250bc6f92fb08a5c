"""Passes: who may join a run that has a join authority, until when, and whose the rent is."""

from __future__ import annotations

import pytest
from solders.pubkey import Pubkey

from psyche_sdk._generated import types as events
from psyche_sdk.errors import AnchorError
from psyche_sdk.program_errors import (
    JoinAuthorityRequired,
    PassExpired,
    Unauthorized,
    WrongAccount,
)
from psyche_sdk.views import MemberState, Pass, Phase, decode_pass
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN, MALLORY, OLIVIA, Actor
from support.program import World, build, sha, world_at

YEAR = 365 * 24 * 3_600
#: Anchor's error for an address that does not follow from its seeds.
WRONG_SEEDS = 2006


def given(phase: Phase = Phase.PAUSED) -> World:
    """A run of alice's whose members need passes of olivia's."""
    world = world_at(phase)
    set_authority(world, OLIVIA)
    return world


def set_authority(world: World, actor: Actor | None) -> None:
    """Passes of somebody are needed from now on, or nobody's."""
    args = build.SetJoinAuthorityArgs(join_authority=actor.wallet if actor else None)
    world.do("set_join_authority", ALICE, args)


def pass_of(world: World, actor: Actor) -> Pass:
    """An actor's pass."""
    return decode_pass(world.data(world.pass_key(actor)))


def again(world: World) -> None:
    """Alice's run is closed, and another made at the same address, with olivia again."""
    world.close_run()
    world.pass_time(slots=1)
    world.given_run(join_authority=OLIVIA.wallet)


@pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.TRAIN, Phase.COOLDOWN])
def test_who_has_a_pass_joins(phase: Phase) -> None:
    world = given(phase)
    world.issue_pass(ERIN, OLIVIA)

    world.join(ERIN, slot=7)

    assert world.member(ERIN).state is MemberState.JOINED


def test_nobody_joins_without_a_pass() -> None:
    world = given()
    before = world.state()

    for actor in (BOB, ALICE, OLIVIA):
        with pytest.raises(JoinAuthorityRequired):
            world.join(actor, slot=0)

    assert world.state() == before


def test_a_run_without_a_join_authority_takes_everybody() -> None:
    world = given()
    set_authority(world, None)

    world.join(BOB)

    assert world.member(BOB).state is MemberState.JOINED


def test_the_pass_of_another_wallet_or_run_admits_nobody() -> None:
    world = given()
    world.issue_pass(CAROL, OLIVIA)
    world.name_run("other")
    world.given_run(join_authority=OLIVIA.wallet)
    world.issue_pass(BOB, OLIVIA)
    other = world.pass_key(BOB)
    world.name_run("demo")

    for wrong in (world.pass_key(CAROL), other, BOB.wallet):
        args = build.JoinArgs(
            slot=0, weight=1, node_key=BOB.node_key, address="", bond_lamports_max=0
        )
        with pytest.raises(AnchorError) as caught:
            world.do("join", BOB, args, pass_=wrong)
        assert caught.value.code == WRONG_SEEDS


@pytest.mark.parametrize(("late", "admitted"), [(-1, True), (0, False), (YEAR, False)])
def test_a_pass_admits_until_its_expiry(late: int, admitted: bool) -> None:
    world = given()
    world.issue_pass(BOB, OLIVIA, seconds=100)
    world.pass_seconds(100 + late)

    if admitted:
        world.join(BOB)
        return
    with pytest.raises(PassExpired):
        world.join(BOB)


def test_a_renewed_pass_admits_again_and_costs_nothing_more() -> None:
    world = given()
    world.issue_pass(BOB, OLIVIA, seconds=1)
    rent = world.svm.get_balance(world.pass_key(BOB))
    first = pass_of(world, BOB).expiry
    world.pass_seconds(10)

    (told,) = world.issue_pass(BOB, OLIVIA, seconds=50).events
    world.join(BOB)

    assert world.svm.get_balance(world.pass_key(BOB)) == rent
    assert isinstance(told, events.PassIssued)
    assert (told.wallet, told.issuer) == (BOB.wallet, OLIVIA.wallet)
    assert (told.expiry_before, told.expiry_after) == (first, world.moment.time + 50)


def test_a_pass_may_be_good_for_ever() -> None:
    world = given()
    world.do("issue_pass", OLIVIA, build.IssuePassArgs(wallet=BOB.wallet, expiry=2**63 - 1))
    world.pass_seconds(100 * YEAR)

    world.join(BOB)


def test_only_the_present_join_authority_issues() -> None:
    world = given()

    for actor in (ALICE, BOB, MALLORY):
        with pytest.raises(Unauthorized):
            world.issue_pass(BOB, actor)
    set_authority(world, DAVE)
    with pytest.raises(Unauthorized):
        world.issue_pass(BOB, OLIVIA)
    world.issue_pass(BOB, DAVE)

    assert pass_of(world, BOB).issuer == bytes(DAVE.wallet)


def test_passes_of_a_former_join_authority_are_none() -> None:
    world = given()
    world.issue_pass(BOB, OLIVIA)
    set_authority(world, DAVE)

    with pytest.raises(JoinAuthorityRequired):
        world.join(BOB)
    world.issue_pass(BOB, DAVE)
    world.join(BOB)

    assert world.member(BOB).state is MemberState.JOINED


def test_a_run_without_a_join_authority_has_nobody_who_issues() -> None:
    world = world_at(Phase.PAUSED)

    for actor in (ALICE, OLIVIA):
        with pytest.raises(Unauthorized):
            world.issue_pass(BOB, actor)


def test_a_pass_is_good_for_more_than_one_membership() -> None:
    world = given()
    world.issue_pass(BOB, OLIVIA)
    world.join(BOB)
    world.leave(BOB)

    world.join(BOB, slot=3)

    assert world.member(BOB).slot == 3


def test_who_has_no_pass_any_more_stays_a_member_and_cannot_come_back() -> None:
    world = given()
    world.issue_pass(BOB, OLIVIA)
    world.join(BOB)

    world.revoke_pass(BOB, OLIVIA)

    assert world.member(BOB).state is MemberState.JOINED
    world.leave(BOB)
    with pytest.raises(JoinAuthorityRequired):
        world.join(BOB, slot=3)


def test_the_rent_of_a_revoked_pass_goes_to_who_paid() -> None:
    world = given()
    args = build.IssuePassArgs(wallet=BOB.wallet, expiry=world.moment.time + 10)
    issue = world.instruction("issue_pass", OLIVIA, args, payer=DAVE.wallet)
    world.send(issue, signers=[DAVE, OLIVIA])
    rent = world.svm.get_balance(world.pass_key(BOB))
    before = world.svm.get_balance(DAVE.wallet)

    with pytest.raises(WrongAccount):
        world.revoke_pass(BOB, OLIVIA)
    (told,) = world.revoke_pass(BOB, OLIVIA, rent_payer=DAVE.wallet).events

    assert before is not None
    assert rent is not None
    assert world.svm.get_balance(DAVE.wallet) == before + rent
    assert isinstance(told, events.PassRevoked)
    assert (told.wallet, told.revoker, told.expiry) == (BOB.wallet, OLIVIA.wallet, args.expiry)


def paid_by_dave(world: World) -> None:
    """Bob has a pass for 100 seconds that dave paid for."""
    args = build.IssuePassArgs(wallet=BOB.wallet, expiry=world.moment.time + 100)
    issue = world.instruction("issue_pass", OLIVIA, args, payer=DAVE.wallet)
    world.send(issue, signers=[DAVE, OLIVIA])


def test_who_paid_revokes_a_pass_that_is_over_and_no_other() -> None:
    world = given()
    paid_by_dave(world)
    world.pass_seconds(99)

    for actor in (DAVE, BOB, ALICE, MALLORY):
        with pytest.raises(Unauthorized):
            world.revoke_pass(BOB, actor, rent_payer=DAVE.wallet)
    world.pass_seconds(1)
    with pytest.raises(Unauthorized):
        world.revoke_pass(BOB, MALLORY, rent_payer=DAVE.wallet)
    world.revoke_pass(BOB, DAVE)

    assert not world.data(world.pass_key(BOB))


def test_who_paid_revokes_a_pass_of_a_closed_run() -> None:
    world = given()
    paid_by_dave(world)
    world.close_run()

    with pytest.raises(Unauthorized):
        world.revoke_pass(BOB, OLIVIA, rent_payer=DAVE.wallet)
    world.revoke_pass(BOB, DAVE)

    assert not world.data(world.pass_key(BOB))


def test_a_pass_of_a_closed_run_is_none_of_the_next_one_at_its_address() -> None:
    world = given()
    paid_by_dave(world)
    again(world)

    with pytest.raises(JoinAuthorityRequired):
        world.join(BOB)
    (told,) = world.issue_pass(BOB, OLIVIA).events
    world.join(BOB)

    assert isinstance(told, events.PassIssued)
    assert told.expiry_before == 0
    assert pass_of(world, BOB).instance == world.run.instance
    assert pass_of(world, BOB).rent_payer == bytes(DAVE.wallet)


def test_who_paid_revokes_a_pass_of_an_earlier_instance() -> None:
    world = given()
    paid_by_dave(world)
    again(world)

    world.revoke_pass(BOB, DAVE)

    assert not world.data(world.pass_key(BOB))


def test_a_pass_of_another_kind_of_account_admits_nobody() -> None:
    world = given()
    world.issue_pass(BOB, OLIVIA)
    data = world.data(world.pass_key(BOB))

    for wrong in (bytes(len(data)), b"\xff" * 8 + data[8:], data[:-8], data + bytes(8), data[:8]):
        world.poke(world.pass_key(BOB), wrong)
        with pytest.raises((JoinAuthorityRequired, AnchorError)):
            world.join(BOB)


def test_passes_are_found_by_seeds_that_anybody_can_compute() -> None:
    world = given()
    seeds = [b"pass", bytes(world.run_key), bytes(BOB.wallet)]

    found, _ = Pubkey.find_program_address(seeds, build.join.__kwdefaults__["program_id"])

    assert found == world.pass_key(BOB)


def test_a_pass_decodes_to_what_was_issued() -> None:
    world = given()
    world.issue_pass(BOB, OLIVIA, seconds=7)

    found = pass_of(world, BOB)

    assert found == Pass(
        run=bytes(world.run_key),
        wallet=bytes(BOB.wallet),
        issuer=bytes(OLIVIA.wallet),
        rent_payer=bytes(OLIVIA.wallet),
        instance=world.run.instance,
        expiry=world.moment.time + 7,
    )
    assert found.admits(world.run, world.moment.time + 6)
    assert not found.admits(world.run, world.moment.time + 7)
    assert sha(found.instance) != found.instance
