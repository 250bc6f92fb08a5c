"""Who owns a run, what it says about itself, and what it pays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from solders.pubkey import Pubkey

from psyche_sdk._generated import types as events
from psyche_sdk._generated.types import RUN_CONFIG_CODEC
from psyche_sdk.program_errors import (
    Unauthorized,
    WrongAccount,
)
from psyche_sdk.views import Phase, decode_participant
from support.actors import ALICE, BOB, CAROL, ERIN, MALLORY, OLIVIA, Actor
from support.call_worlds import paused, proposed
from support.program import World, build, sha, world_at
from support.program_chain import Sent

NOBODY = Pubkey.default()
RATES = build.SetRatesArgs(points_per_sequence=7, points_per_attestation=8, points_per_verdict=9)


def propose(world: World, actor: Actor | None, by: Actor = ALICE) -> Sent:
    """Somebody shall own the run."""
    args = build.SetAuthorityArgs(proposed=actor.wallet if actor else NOBODY)
    return world.do("set_authority", by, args)


def rates(world: World) -> tuple[int, int, int]:
    """Points for a sequence, an attestation and a verdict."""
    config = world.run.config
    return config.points_per_sequence, config.points_per_attestation, config.points_per_verdict


def test_a_run_changes_hands_when_who_was_proposed_accepts() -> None:
    world = paused()

    (told,) = propose(world, ERIN).events
    assert world.run.authority == bytes(ALICE.wallet)
    (done,) = world.do("accept_authority", ERIN).events

    assert world.run.authority == bytes(ERIN.wallet)
    assert world.run.proposed_authority is None
    assert isinstance(told, events.AuthorityProposed)
    assert (told.proposed_before, told.proposed_after) == (NOBODY, ERIN.wallet)
    assert isinstance(done, events.AuthorityChanged)
    assert (done.authority_before, done.authority_after) == (ALICE.wallet, ERIN.wallet)


def test_the_former_owner_owns_nothing_any_more() -> None:
    world = proposed()
    world.do("accept_authority", ERIN)

    with pytest.raises(Unauthorized):
        world.do("resume", ALICE)
    world.do("resume", ERIN)

    assert world.run.phase is Phase.WAITING_FOR_MEMBERS


@pytest.mark.parametrize("other", [None, MALLORY])
def test_a_proposal_that_was_withdrawn_or_replaced_cannot_be_accepted(other: Actor | None) -> None:
    world = proposed()
    propose(world, other)

    with pytest.raises(Unauthorized):
        world.do("accept_authority", ERIN)


def test_a_proposal_is_accepted_once() -> None:
    world = proposed()
    world.do("accept_authority", ERIN)
    propose(world, ALICE, by=ERIN)
    world.do("accept_authority", ALICE)

    with pytest.raises(Unauthorized):
        world.do("accept_authority", ERIN)


def test_update_config_leaves_the_join_authority_alone() -> None:
    world = World()
    world.given_run(join_authority=OLIVIA.wallet)

    world.update_config(train_seconds=21)

    assert world.run.join_authority == bytes(OLIVIA.wallet)


def test_the_join_authority_is_set_and_taken_away_by_name() -> None:
    world = paused()

    args = build.SetJoinAuthorityArgs(join_authority=OLIVIA.wallet)
    (told,) = world.do("set_join_authority", ALICE, args).events
    assert world.run.join_authority == bytes(OLIVIA.wallet)
    world.do("set_join_authority", ALICE, build.SetJoinAuthorityArgs(join_authority=None))

    assert world.run.join_authority is None
    assert isinstance(told, events.JoinAuthorityChanged)
    assert (told.join_authority_before, told.join_authority_after) == (NOBODY, OLIVIA.wallet)


def test_rates_change_with_the_next_epoch_and_not_before() -> None:
    world = world_at(Phase.TRAIN, epoch_rounds=1, points_per_sequence=1)
    (told,) = world.do("set_rates", ALICE, RATES).events
    world.to_phase(Phase.COOLDOWN)
    assert (rates(world), world.run.next_rates) == ((1, 0, 0), (7, 8, 9))

    world.to_phase(Phase.WAITING_FOR_MEMBERS)

    assert (rates(world), world.run.next_rates) == ((7, 8, 9), None)
    assert isinstance(told, events.RatesProposed)
    assert (told.epoch, list(told.before), list(told.after)) == (1, [1, 0, 0], [7, 8, 9])


def test_the_end_of_an_epoch_tells_which_rates_are_in_force() -> None:
    world = world_at(Phase.TRAIN, epoch_rounds=1)
    world.do("set_rates", ALICE, RATES)
    world.to_phase(Phase.COOLDOWN)
    world.pass_seconds(world.config.cooldown_seconds)

    told = [one for one in world.tick().events if isinstance(one, events.RatesChanged)]

    assert [(one.epoch, list(one.before), list(one.after)) for one in told] == [
        (1, [0, 0, 0], [7, 8, 9])
    ]


def test_the_last_of_two_words_about_rates_counts() -> None:
    world = world_at(Phase.TRAIN)
    world.do("set_rates", ALICE, RATES)

    (told,) = world.do("set_rates", ALICE, replace(RATES, points_per_sequence=1)).events

    assert world.run.next_rates == (1, 8, 9)
    assert isinstance(told, events.RatesProposed)
    assert list(told.before) == [7, 8, 9]


def test_a_new_configuration_drops_rates_that_wait() -> None:
    world = paused()
    world.do("set_rates", ALICE, RATES)

    world.update_config(points_per_sequence=5)

    assert (rates(world), world.run.next_rates) == ((5, 0, 0), None)


def test_an_abort_brings_rates_into_force_too() -> None:
    world = world_at(Phase.TRAIN)
    world.do("set_rates", ALICE, RATES)
    world.pass_seconds(11 * world.config.train_seconds)

    world.do("abort", ALICE)

    assert rates(world) == (7, 8, 9)


@pytest.mark.parametrize("text", ["", "a", "\u00e9" * 128, "a" * 256])
def test_a_run_says_of_itself_at_most_256_bytes(text: str) -> None:
    world = world_at(Phase.TRAIN)
    world.do("update_metadata", ALICE, build.UpdateMetadataArgs(metadata="b" * 256))

    (told,) = world.do("update_metadata", ALICE, build.UpdateMetadataArgs(metadata=text)).events

    assert world.run.metadata == text
    assert isinstance(told, events.RunChanged)
    assert (told.what, told.before, told.after) == (2, sha(b"b" * 256), sha(text.encode()))


def test_a_change_of_the_configuration_is_told_by_its_hashes() -> None:
    world = paused()
    before = RUN_CONFIG_CODEC.encode(world.config)

    (told,) = world.update_config(train_seconds=21).events

    assert isinstance(told, events.RunChanged)
    after = RUN_CONFIG_CODEC.encode(world.config)
    assert (told.what, told.before, told.after) == (0, sha(before), sha(after))


def test_the_end_of_an_epoch_tells_whose_state_changed() -> None:
    world = world_at(Phase.COOLDOWN, total_steps=1)
    world.pass_seconds(world.config.cooldown_seconds)

    told = [one for one in world.tick().events if isinstance(one, events.MembersChanged)]

    assert [(one.state_after, one.slots) for one in told] == [(1, b"\x07")]


def test_an_abort_tells_whose_state_changed() -> None:
    world = world_at(Phase.TRAIN)
    world.pass_seconds(11 * world.config.train_seconds)

    found = world.do("abort", ALICE).events

    told = [one for one in found if isinstance(one, events.MembersChanged)]
    assert [(one.state_after, one.slots) for one in told] == [(1, b"\x07")]


def test_who_said_another_digest_is_told_to_be_joined() -> None:
    world = world_at(Phase.COOLDOWN, total_steps=1)
    digests = [sha(b"yes"), sha(b"yes"), sha(b"no")]
    members = list(zip(world.members, digests, strict=True))
    for actor, digest in members:
        world.seal(actor, digest)

    found = [one for actor, digest in members[::-1] for one in world.reveal(actor, digest).events]

    told = [one for one in found if isinstance(one, events.MembersChanged)]
    assert [(one.state_after, one.slots) for one in told] == [(1, b"\x04")]


def test_a_participant_names_its_payee() -> None:
    world = world_at(Phase.TRAIN)
    assert decode_participant(world.data(world.participant_key(BOB))).payee == bytes(BOB.wallet)

    (told,) = world.do("set_payee", BOB, build.SetPayeeArgs(payee=OLIVIA.wallet)).events

    assert decode_participant(world.data(world.participant_key(BOB))).payee == bytes(OLIVIA.wallet)
    assert isinstance(told, events.PayeeChanged)
    assert (told.payee_before, told.payee_after) == (BOB.wallet, OLIVIA.wallet)


def test_nobody_changes_the_payee_of_another() -> None:
    world = world_at(Phase.TRAIN)
    args = build.SetPayeeArgs(payee=MALLORY.wallet)

    with pytest.raises(WrongAccount):
        world.do("set_payee", MALLORY, args, participant=world.participant_key(BOB))
    with pytest.raises(WrongAccount):
        world.do("set_payee", CAROL, args, participant=world.participant_key(BOB))


def test_a_run_created_again_takes_nothing_from_the_old_one() -> None:
    world = World()
    world.given_run(capacity=64)
    world.join(BOB, slot=40)
    world.join(CAROL, slot=0)
    world.leave(CAROL)
    world.leave(BOB)
    world.close_run()
    world.pass_time(slots=1)
    world.given_run(capacity=8)
    world.join(ERIN, slot=0)

    for slot, actor in enumerate((BOB, CAROL), 1):
        world.join(actor, slot=slot)
        kept = decode_participant(world.data(world.participant_key(actor)))
        assert (kept.instance, kept.joins, kept.slot) == (world.run.instance, 1, slot)
        assert kept.member_id == world.member(actor).member_id == slot + 1
