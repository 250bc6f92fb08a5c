"""Checkpoints: who publishes, and who confirms."""

from __future__ import annotations

import pytest

from psyche_sdk._generated.types import (
    CheckpointConfirmed,
    CheckpointPublished,
    PublishersDrawn,
)
from psyche_sdk._rules.hashing import Purpose, draw_seed
from psyche_sdk.program_errors import (
    CheckpointNotAgreed,
    DigestNotSaid,
    NotAMember,
    NotAPublisher,
    OwnPublication,
    PublicationDiffers,
    PublicationsFull,
    TooEarly,
)
from psyche_sdk.views import (
    Phase,
    confirmations_needed,
    due_transition,
    may_publish,
    node_uri,
    to_confirm,
)
from support.actors import BOB, CAROL, DAVE, ERIN, TRIO, crowd
from support.agreed import NO, YES, agreed, third
from support.model.draws import Words
from support.program import world_at
from support.program_chain import slot_hash
from support.program_checkpoints import (
    confirm,
    confirm_all,
    end_cooldown,
    publish,
    publishers,
)


def test_publishers_are_the_draw_of_the_page() -> None:
    world = agreed()

    run = world.run
    assert run.cooldown_entropy == bytes(slot_hash(run.cooldown_entropy_slot))
    purpose = Purpose.CHECKPOINT_PUBLISHERS
    seed = draw_seed(run.instance, run.epoch, run.round, purpose, run.cooldown_entropy)
    assert [slot for slot, _ in run.publishers] == Words(seed).shuffle([0, 1, 2], 2)
    ids = [world.member(actor).member_id for actor in publishers(world)]
    assert [member for _, member in run.publishers] == ids


def test_publishers_are_not_known_before_the_noted_slot_is_past() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    assert world.run.cooldown_entropy_slot == world.moment.chain_slot + 2
    world.pass_time(slots=2)
    with pytest.raises(TooEarly):
        world.tick()
    world.pass_time(slots=1)

    sent = world.tick()

    (drawn,) = [one for one in sent.events if isinstance(one, PublishersDrawn)]
    assert list(drawn.slots) == [slot for slot, _ in world.run.publishers]


def test_who_leaves_does_not_choose_among_draws() -> None:
    world, other = (world_at(Phase.COOLDOWN, epoch_rounds=1) for _ in range(2))
    for one in (world, other):
        one.pass_time(slots=3)
    world.do("leave", BOB, world.here(BOB), transition=False)
    other.tick()

    assert world.run.publishers == other.run.publishers


def test_a_hash_that_is_lost_is_noted_anew() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.pass_time(slots=600)

    world.tick()

    assert world.run.cooldown_entropy is None
    assert world.run.cooldown_entropy_slot == world.moment.chain_slot + 2
    assert world.run.publishers == ()


def test_an_agreed_digest_alone_does_not_end_cooldown() -> None:
    world = agreed()

    with pytest.raises(TooEarly):
        world.tick()

    assert world.run.phase is Phase.COOLDOWN


def test_cooldown_ends_early_with_a_confirmed_checkpoint() -> None:
    world = agreed()

    end_cooldown(world)

    run = world.run
    assert run.phase is Phase.WAITING_FOR_MEMBERS
    assert run.pending_checkpoint is None
    (kept,) = run.checkpoints
    assert (kept.digest, kept.step, kept.epoch) == (YES, 1, 0)
    nodes = {node_uri(actor.node_key) for actor in TRIO}
    assert {one.uri for one in kept.publications} < nodes


def test_two_others_must_confirm() -> None:
    world = agreed()
    first, second = publishers(world)
    publish(world, first)
    assert confirmations_needed(world.run, world.roster) == 2
    confirm(world, second)
    with pytest.raises(TooEarly):
        world.tick()

    sent = confirm(world, third(world))

    (event,) = [one for one in sent.events if isinstance(one, CheckpointConfirmed)]
    assert (event.place, event.confirmations_before, event.confirmations_after) == (0, 1, 2)
    world.tick()
    assert world.run.checkpoints[-1].confirmations == 2


def test_who_confirms_twice_counts_once() -> None:
    world = agreed()
    first, second = publishers(world)
    publish(world, first)
    confirm(world, second)
    before = world.state()

    confirm(world, second)

    assert world.state() == before
    with pytest.raises(TooEarly):
        world.tick()


def test_a_third_confirmation_changes_nothing() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1, members=crowd(5), init_min_members=5)
    world.vote_all(YES)
    world.store_entropy()
    first = publishers(world)[0]
    publish(world, first)
    others = [actor for actor in world.members if actor != first]
    for actor in others[:2]:
        confirm(world, actor)
    before = world.state()

    confirm(world, others[2])

    assert world.state() == before


@pytest.mark.parametrize(("members", "needed"), [(1, 0), (2, 1), (3, 2), (4, 2)])
def test_as_many_confirm_as_there_are_others_but_at_most_two(members: int, needed: int) -> None:
    everybody = crowd(members)
    world = world_at(Phase.COOLDOWN, members=everybody, init_min_members=members, epoch_rounds=1)
    world.vote_all(YES)
    world.store_entropy()
    first = publishers(world)[0]
    publish(world, first)
    assert confirmations_needed(world.run, world.roster) == needed
    for actor in [one for one in everybody if one != first][:needed]:
        with pytest.raises(TooEarly):
            world.tick()
        confirm(world, actor)

    world.tick()

    assert world.run.phase is Phase.WAITING_FOR_MEMBERS
    assert world.run.checkpoints[-1].confirmations == needed


def test_who_sealed_the_agreed_digest_and_did_not_open_it_may_confirm() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    for actor in TRIO:
        world.seal(actor, YES)
    world.reveal(BOB, YES)
    world.reveal(CAROL, YES)
    world.store_entropy()
    assert confirmations_needed(world.run, world.roster) == 2

    end_cooldown(world)

    assert world.run.checkpoints[-1].digest == YES


def test_who_said_another_digest_neither_publishes_nor_confirms_nor_is_waited_for() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    words = {BOB: YES, CAROL: YES, DAVE: NO}
    for actor, word in words.items():
        world.seal(actor, word)
    for actor, word in words.items():
        world.reveal(actor, word)
    world.pass_seconds(world.config.cooldown_seconds // 2)
    world.tick()
    with pytest.raises(DigestNotSaid):
        publish(world, DAVE)
    publish(world, BOB)
    with pytest.raises(DigestNotSaid):
        confirm(world, DAVE)
    assert confirmations_needed(world.run, world.roster) == 1

    confirm(world, CAROL)
    world.tick()

    assert world.run.phase is Phase.WAITING_FOR_MEMBERS


def test_who_joined_in_cooldown_cannot_confirm() -> None:
    world = agreed()
    world.join(ERIN)
    publish(world, publishers(world)[0])

    with pytest.raises(DigestNotSaid):
        confirm(world, ERIN)


def test_who_left_cannot_confirm() -> None:
    world = agreed()
    first, second = publishers(world)
    publish(world, first)
    world.leave(second)

    with pytest.raises(NotAMember):
        confirm(world, second)


def test_nothing_is_published_before_a_digest_is_agreed() -> None:
    world = world_at(Phase.COOLDOWN, epoch_rounds=1)
    world.store_entropy()

    for actor in TRIO:
        with pytest.raises(CheckpointNotAgreed):
            publish(world, actor)
        with pytest.raises(CheckpointNotAgreed):
            confirm(world, actor)


def test_others_than_the_drawn_publish_after_half_of_cooldown() -> None:
    world = agreed()
    other = third(world)
    began = world.run.phase_started
    world.pass_time(seconds=began.time + 5 - world.moment.time, slots=40)
    with pytest.raises(NotAPublisher):
        publish(world, other)
    world.pass_time(seconds=1)

    sent = publish(world, other)

    (event,) = [one for one in sent.events if isinstance(one, CheckpointPublished)]
    assert (event.drawn, event.place, event.uri) == (0, 0, node_uri(other.node_key))


def test_a_publisher_says_one_uri_and_may_say_it_again() -> None:
    world = agreed()
    first = publishers(world)[0]
    publish(world, first)
    before = world.state()

    publish(world, first)
    assert world.state() == before
    with pytest.raises(PublicationDiffers):
        publish(world, first, uri="file:///elsewhere")
    assert world.state() == before


def test_two_uris_are_taken_and_no_third() -> None:
    world = agreed()
    for actor in publishers(world):
        publish(world, actor)
    world.pass_seconds(6)

    with pytest.raises(PublicationsFull):
        publish(world, third(world))


@pytest.mark.parametrize("uri", ["a", "!", "~", "a" * 96])
def test_the_shortest_and_the_longest_uri_are_kept_as_they_are(uri: str) -> None:
    world = agreed()
    publish(world, publishers(world)[0], uri=uri)

    confirm_all(world)
    world.tick()

    assert world.run.checkpoints[-1].publications[0].uri == uri


def test_nobody_confirms_its_own_uri() -> None:
    world = agreed()
    first = publishers(world)[0]
    publish(world, first)

    with pytest.raises(OwnPublication):
        confirm(world, first)


def test_the_views_foretell_what_the_program_takes() -> None:
    world = agreed()
    for seconds in (0, 3, 3):
        world.pass_seconds(seconds)
        for member in world.roster.members():
            may = may_publish(world.run, member, world.moment)
            try:
                publish(world, world.actors([member.slot])[0])
            except (NotAPublisher, PublicationsFull):
                assert not may
            else:
                mine = [member.member_id]
                pending = world.run.pending_checkpoint
                assert pending is not None
                assert may or mine[0] in [one.publisher for one in pending.publications]
    for member in world.roster.members():
        for published in to_confirm(world.run, member):
            confirm(world, world.actors([member.slot])[0], place=published.place)
    assert all(not to_confirm(world.run, member) for member in world.roster.members())
    assert due_transition(world.run, world.roster, world.rounds, world.moment) is not None
    world.tick()
