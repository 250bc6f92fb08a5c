"""Accounts of layout version 1 take on version 2: once, whole, and the run goes on."""

from __future__ import annotations

import pytest

from psyche_sdk._generated import layouts
from psyche_sdk.program_errors import (
    AlreadyMigrated,
    LayoutMismatch,
    WrongAccount,
    WrongVersion,
)
from psyche_sdk.views import MemberState, Phase, decode_participant
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN, FAUCET, Actor
from support.older import old_accounts, old_world, set_clock
from support.program import World

RUNS = ("training", "paused")
HEAD = 8
#: Fields of version 2 in the room that version 1 had left free, in each kind of account.
NEW_IN_A_RECORD = (
    "redraw_target_slot", "redraw_entropy", "auditors", "targets_drawn", "verdicts", "cases",
    "cases_undrawn", "seats", "finalised", "judged", "custody_roots",
)  # fmt: skip


def migrated(which: str) -> World:
    world = old_world(which)
    world.do("migrate", FAUCET)
    set_clock(world)
    return world


def trio(world: World) -> tuple[bytes, ...]:
    return tuple(world.data(key) for key in (world.run_key, world.roster_key, world.rounds_key))


@pytest.mark.parametrize("which", RUNS)
def test_nothing_but_the_version_changes(which: str) -> None:
    world = old_world(which)
    before = trio(world)

    (event,) = world.do("migrate", FAUCET).events

    assert (event.before, event.after) == (1, 2)
    for old, new in zip(before, trio(world), strict=True):
        assert old[HEAD] == 1
        assert new == old[:HEAD] + b"\x02" + old[HEAD + 1 :]


def test_an_old_run_is_refused_until_it_is_migrated() -> None:
    world = old_world("paused")
    with pytest.raises(WrongVersion):
        world.do("resume", ALICE)

    world.do("migrate", FAUCET)
    world.do("resume", ALICE)


@pytest.mark.parametrize("which", RUNS)
def test_a_run_is_migrated_once(which: str) -> None:
    world = migrated(which)
    before = trio(world)

    with pytest.raises(AlreadyMigrated):
        world.do("migrate", FAUCET)

    assert trio(world) == before


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(("version", "refusal"), [(2, AlreadyMigrated), (0, WrongVersion)])
def test_all_three_accounts_must_be_of_the_version_before(
    place: int, version: int, refusal: type[Exception]
) -> None:
    world = old_world("paused")
    key = (world.run_key, world.roster_key, world.rounds_key)[place]
    data = bytearray(world.data(key))
    data[HEAD] = version
    world.poke(key, bytes(data))
    before = trio(world)

    with pytest.raises(refusal):
        world.do("migrate", FAUCET)

    assert trio(world) == before


@pytest.mark.parametrize("record", range(4))
@pytest.mark.parametrize("field", NEW_IN_A_RECORD)
def test_a_record_that_is_not_blank_where_the_new_fields_lie_is_refused(
    record: int, field: str
) -> None:
    world = old_world("training")
    records = HEAD + layouts.ROUNDS.fields["records"][1]
    place = records + record * layouts.ROUND_HEADER.itemsize + layouts.ROUND_HEADER.fields[field][1]
    data = bytearray(world.data(world.rounds_key))
    data[place] = 1
    world.poke(world.rounds_key, bytes(data))

    with pytest.raises(LayoutMismatch):
        world.do("migrate", FAUCET)


def test_an_entry_with_slashed_points_is_no_old_one() -> None:
    world = old_world("training")
    last = HEAD + layouts.ROSTER_HEADER.itemsize + 7 * layouts.ROSTER_ENTRY.itemsize
    data = bytearray(world.data(world.roster_key))
    data[last + layouts.ROSTER_ENTRY.fields["points_slashed"][1]] = 1
    world.poke(world.roster_key, bytes(data))

    with pytest.raises(LayoutMismatch):
        world.do("migrate", FAUCET)


@pytest.mark.parametrize(
    "field",
    ["cooldown_entropy_slot", "cooldown_entropy", "publishers", "publisher_slots"],
)
def test_a_run_with_a_draw_of_publishers_is_no_old_one(field: str) -> None:
    world = old_world("training")
    data = bytearray(world.data(world.run_key))
    data[HEAD + layouts.RUN.fields[field][1]] = 1
    world.poke(world.run_key, bytes(data))

    with pytest.raises(LayoutMismatch):
        world.do("migrate", FAUCET)


def test_a_run_that_trained_goes_on_where_it_stood() -> None:
    world = migrated("training")
    for actor in world.members:
        migrate_participant(world, actor)
    run = world.run
    assert run.phase is Phase.TRAIN

    world.to_phase(Phase.COOLDOWN)

    assert world.run.accepted > run.accepted
    world.to_phase(Phase.TRAIN)
    assert world.run.epoch == run.epoch + 1
    assert world.run.step == run.step + 1


def test_a_paused_run_is_resumed_and_its_members_kept() -> None:
    world = migrated("paused")
    members = world.roster.slots(MemberState.JOINED, MemberState.READY, MemberState.BEHIND)

    world.do("resume", ALICE)
    world.to_phase(Phase.TRAIN)

    assert len(members) == 3
    assert world.run.active == 3


def participant(world: World, actor: Actor) -> bytes:
    return world.data(world.participant_key(actor))


def migrate_participant(world: World, actor: Actor) -> None:
    world.do("migrate_participant", FAUCET, participant=world.participant_key(actor))


@pytest.mark.parametrize("actor", [BOB, CAROL, DAVE, ERIN], ids=str)
def test_a_participant_gets_the_instance_that_its_slot_belongs_to(actor: Actor) -> None:
    world = migrated("training")
    before = participant(world, actor)

    migrate_participant(world, actor)

    after = participant(world, actor)
    start = HEAD + layouts.PARTICIPANT.fields["instance"][1]
    expected = bytearray(before)
    expected[HEAD] = 2
    expected[start : start + 32] = world.run.instance
    assert after == bytes(expected)


def test_a_participant_whose_slot_another_member_holds_belongs_to_no_instance() -> None:
    world = migrated("training")
    place = HEAD + layouts.PARTICIPANT.fields["member_id"][1]
    data = bytearray(participant(world, BOB))
    data[place] += 1
    world.poke(world.participant_key(BOB), bytes(data))

    migrate_participant(world, BOB)

    assert decode_participant(participant(world, BOB)).instance == bytes(32)


def test_a_closed_runs_participant_belongs_to_no_instance() -> None:
    world = old_world("paused")
    for key in (world.run_key, world.roster_key, world.rounds_key):
        world.svm.set_account(key, type(world.svm.get_account(key)).default())

    migrate_participant(world, BOB)

    assert decode_participant(participant(world, BOB)).instance == bytes(32)


def test_a_participant_belongs_to_no_run_that_is_not_complete() -> None:
    world = old_world("paused")
    for key in (world.run_key, world.roster_key, world.rounds_key):
        world.svm.set_account(key, type(world.svm.get_account(key)).default())
    world.do("create_run", ALICE, world.create_args(capacity=64))
    assert not world.run.complete

    migrate_participant(world, BOB)

    assert decode_participant(participant(world, BOB)).instance == bytes(32)


def test_a_participant_follows_its_run_and_is_migrated_once() -> None:
    world = old_world("training")
    with pytest.raises(WrongVersion):
        migrate_participant(world, BOB)
    world.do("migrate", FAUCET)
    migrate_participant(world, BOB)

    with pytest.raises(AlreadyMigrated):
        migrate_participant(world, BOB)


def test_a_participant_is_not_migrated_with_another_runs_accounts() -> None:
    world = migrated("training")
    for address, account in old_accounts("paused").items():
        world.svm.set_account(address, account)
    other = old_world("paused")

    with pytest.raises(WrongAccount):
        world.do(
            "migrate_participant",
            FAUCET,
            participant=world.participant_key(BOB),
            run=other.run_key,
            roster=other.roster_key,
        )
    with pytest.raises(WrongAccount):
        world.do(
            "migrate_participant",
            FAUCET,
            participant=world.participant_key(BOB),
            roster=other.roster_key,
        )
