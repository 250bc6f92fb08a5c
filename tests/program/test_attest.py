"""Attestations: by elected witnesses, after the draw, about what was committed."""

from __future__ import annotations

import pytest

from psyche_sdk.program_errors import (
    BitNotCommitted,
    EntropyNotStored,
    NotAWitness,
    NothingToAttest,
    WrongPhase,
    WrongRound,
)
from psyche_sdk.views import Phase, accepted, attested_by, committed, my_role
from support.actors import BOB, CAROL, DAVE, ERIN, TRIO
from support.call_worlds import attestable
from support.program import World, world_at


def overlapping() -> World:
    """Round 1 trains; what round 0 committed can be attested, overlap 1."""
    world = world_at(Phase.TRAIN, overlap=1)
    world.commit_all()
    world.store_entropy()
    assert (world.run.phase, world.run.round) == (Phase.TRAIN, 1)
    return world


def test_the_bit_of_an_uncommitted_slot_is_refused() -> None:
    world = world_at(Phase.TRAIN)
    world.commit_all(but=[DAVE])
    world.pass_seconds(world.config.train_seconds)
    world.tick()
    world.store_entropy()
    before = world.state()

    for slots in ([world.member(DAVE).slot], [0, 1, 2], [7], list(range(8))):
        with pytest.raises(BitNotCommitted):
            world.attest(BOB, slots)

    assert world.state() == before


def test_an_attestation_before_the_entropy_is_stored_is_refused() -> None:
    world = world_at(Phase.WITNESS)
    world.pass_time(slots=2)
    before = world.state()

    for transition in (False, True):
        with pytest.raises(EntropyNotStored):
            world.attest(BOB, transition=transition)

    assert world.state() == before


def test_an_attestation_stores_the_entropy_that_is_due() -> None:
    world = world_at(Phase.WITNESS)
    world.pass_time(slots=3)

    world.attest(BOB)

    assert world.record().entropy is not None
    assert attested_by(world.record(), witness_of(world)) == [0, 1, 2]


def witness_of(world: World) -> int:
    """Bob's place among the witnesses."""
    place = my_role(world.record(world.target), world.member(BOB)).witness
    assert place is not None
    return place


def test_a_repeat_only_adds() -> None:
    world = attestable()
    world.attest(BOB, [0])
    world.attest(BOB, [1])
    world.attest(BOB, [])

    assert attested_by(world.record(), witness_of(world)) == [0, 1]


def test_the_same_attestation_again_changes_no_vote() -> None:
    world = attestable()
    world.attest(BOB)
    before = world.state()

    world.attest(BOB)

    assert world.state() == before


def test_who_was_not_elected_cannot_attest() -> None:
    world = world_at(Phase.WITNESS, witness_count=1)
    world.store_entropy()
    (elected,) = world.witnesses()

    for actor in TRIO:
        if actor is not elected:
            with pytest.raises(NotAWitness):
                world.attest(actor)
    world.attest(elected)
    assert world.run.round == 1


def test_who_joined_after_the_draw_cannot_attest() -> None:
    world = attestable()
    world.join(ERIN)

    with pytest.raises(NotAWitness):
        world.attest(ERIN)


def test_an_elected_witness_that_fell_behind_cannot_attest() -> None:
    world = attestable()
    world.behind(BOB)

    with pytest.raises(NotAWitness):
        world.attest(BOB)


def test_an_attestation_after_the_round_settled_is_refused() -> None:
    world = attestable()
    late = world.attest_args(BOB)
    world.attest_all()
    assert world.run.round == 1

    with pytest.raises(WrongPhase):
        world.do("attest", BOB, late)
    world.commit_all()
    world.store_entropy()
    with pytest.raises(WrongRound):
        world.do("attest", BOB, late)


def test_with_overlap_an_attestation_after_the_target_settled_is_refused() -> None:
    world = overlapping()
    late = world.attest_args(BOB)
    world.finish_round()
    assert world.run.round == 2

    with pytest.raises(WrongRound):
        world.do("attest", BOB, late)


def test_with_overlap_the_round_before_is_attested_while_the_next_trains() -> None:
    world = overlapping()

    for actor in TRIO:
        world.attest(actor)
    world.commit_all()
    world.store_entropy()

    assert world.run.round == 2
    assert accepted(world.record(0)) == committed(world.record(0)) == [0, 1, 2]


def test_without_overlap_nothing_is_attested_while_a_round_trains() -> None:
    world = world_at(Phase.TRAIN)
    world.commit(BOB)

    with pytest.raises(WrongPhase):
        world.attest(BOB)


def test_with_overlap_the_present_round_cannot_be_attested() -> None:
    world = overlapping()
    world.commit(BOB)

    with pytest.raises(WrongRound):
        world.attest(BOB, round=1)


def test_a_round_without_commitments_has_nothing_to_attest() -> None:
    world = world_at(Phase.TRAIN, overlap=1)
    world.pass_seconds(world.config.train_seconds)
    world.tick()
    world.pass_time(slots=3)
    assert (world.run.phase, world.run.round) == (Phase.TRAIN, 1)

    with pytest.raises(NothingToAttest):
        world.attest(CAROL)


def test_until_somebody_settles_a_late_attestation_counts() -> None:
    world = attestable()
    for actor in (BOB, CAROL):
        world.attest(actor)
    world.pass_seconds(10 * world.config.witness_seconds)

    world.attest(DAVE, transition=False)

    assert world.record().attested.bit_count() == 3
