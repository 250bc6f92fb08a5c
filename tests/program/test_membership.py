"""Joining, leaving, coming back, and what a member says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from psyche_sdk._generated import layouts
from psyche_sdk.program_errors import (
    AddressTooLong,
    AlreadyAMember,
    NodeKeyZero,
    NotAMember,
    SlotTaken,
    UnknownChainHash,
    UnknownDigest,
    WrongAccount,
    WrongMemberState,
)
from psyche_sdk.views import MemberState, Phase
from support.actors import BOB, CAROL, DAVE, ERIN, MALLORY, TRIO, crowd
from support.program import World, build, sha, world_at

ADDRESS_OFFSET = 8 + layouts.PARTICIPANT.fields["address"][1]


def node_address(world: World) -> bytes:
    """Bob's node address, without the zeros after it."""
    data = world.data(world.participant_key(BOB))
    return data[ADDRESS_OFFSET : ADDRESS_OFFSET + 96].rstrip(b"\0")


def test_who_joins_holds_the_slot_that_it_named() -> None:
    world = world_at(Phase.PAUSED)

    world.join(BOB, slot=5, weight=1_000, address="a" * 96)

    member = world.member(BOB)
    assert (member.slot, member.member_id, member.state) == (5, 1, MemberState.JOINED)
    assert (member.declared_weight, member.weight) == (1_000, 0)
    assert member.node_key == BOB.node_key
    assert node_address(world) == b"a" * 96
    assert world.run.joined == 1


def test_a_taken_slot_cannot_be_taken() -> None:
    world = world_at(Phase.PAUSED)
    world.join(BOB)
    before = world.state()

    with pytest.raises(SlotTaken):
        world.join(CAROL, slot=world.member(BOB).slot)

    assert world.state() == before


@pytest.mark.parametrize("slot", [0, 3])
def test_a_wallet_cannot_join_twice(slot: int) -> None:
    world = world_at(Phase.PAUSED)
    world.join(BOB)

    with pytest.raises(AlreadyAMember):
        world.join(BOB, slot=slot)


def test_a_full_run_takes_nobody() -> None:
    world = world_at(Phase.PAUSED, members=crowd(8))
    world.join_all()

    for slot in range(8):
        with pytest.raises(SlotTaken):
            world.join(MALLORY, slot=slot)


def test_who_comes_back_gets_a_new_member_id() -> None:
    world = world_at(Phase.WAITING_FOR_MEMBERS)
    world.join(BOB)
    world.join(CAROL)
    world.leave(BOB)

    world.join(BOB, slot=4)

    member = world.member(BOB)
    assert (member.slot, member.member_id) == (4, 3)
    assert world.roster.member(0).state is MemberState.LEFT


def test_a_slot_that_the_oldest_kept_record_names_is_not_free_in_cooldown() -> None:
    world = world_at(Phase.TRAIN, epoch_rounds=5, total_steps=50)
    world.finish_round()
    world.leave(BOB)  # after this round only the records of rounds 0 and 1 name it
    while world.run.phase is not Phase.COOLDOWN:
        world.step()
    assert world.rounds[0].round == 1

    with pytest.raises(SlotTaken):
        world.join(ERIN, slot=0)


def test_who_comes_back_may_have_its_own_slot_before_it_was_ever_named() -> None:
    world = world_at(Phase.WAITING_FOR_MEMBERS)
    world.join(BOB)
    world.leave(BOB)

    world.join(BOB, slot=0)

    assert world.member(BOB).member_id == 2


def test_a_slot_that_a_record_names_is_not_given_away() -> None:
    world = world_at(Phase.TRAIN, members=(*TRIO, ERIN), init_min_members=4)
    slot = world.member(ERIN).slot
    world.leave(ERIN)

    for _ in range(4):
        with pytest.raises(SlotTaken):
            world.join(MALLORY, slot=slot)
        world.finish_round()
    world.join(MALLORY, slot=slot)

    assert world.run.round == 4
    assert world.member(MALLORY).slot == slot
    assert all(int(record.member_ids[slot]) == 0 for record in world.rounds)


def test_a_slot_is_free_again_when_the_epoch_has_ended() -> None:
    world = world_at(Phase.TRAIN, epoch_rounds=1)
    slot = world.member(BOB).slot
    world.leave(BOB)
    world.to_phase(Phase.WAITING_FOR_MEMBERS)

    world.join(ERIN, slot=slot)

    assert world.member(ERIN).slot == slot


def test_a_returned_member_does_not_inherit_the_roles_of_its_former_self() -> None:
    world = world_at(Phase.TRAIN)
    world.commit(BOB)
    world.leave(BOB)
    world.join(BOB, slot=6)

    world.commit_all(but=[BOB])
    world.finish_round()

    back = world.member(BOB)
    assert (back.state, back.misses, back.weight) == (MemberState.JOINED, 0, 0)


def test_set_weight_lowers_the_effective_weight_at_once_and_raises_it_never() -> None:
    world = world_at(Phase.TRAIN)
    slot = world.member(BOB).slot

    world.do("set_weight", BOB, build.SetWeightArgs(slot=slot, weight=30))
    assert (world.member(BOB).declared_weight, world.member(BOB).weight) == (30, 30)
    world.do("set_weight", BOB, build.SetWeightArgs(slot=slot, weight=900))
    assert (world.member(BOB).declared_weight, world.member(BOB).weight) == (900, 30)


def test_set_endpoint_changes_key_and_address() -> None:
    world = world_at(Phase.TRAIN)
    args = build.SetEndpointArgs(slot=0, node_key=sha(b"new"), address="new:1")

    world.do("set_endpoint", BOB, args)

    assert world.member(BOB).node_key == sha(b"new")
    assert node_address(world) == b"new:1"


@pytest.mark.parametrize(
    ("node_key", "address", "refusal"),
    [(bytes(32), "", NodeKeyZero), (sha(b"new"), "a" * 97, AddressTooLong)],
)
def test_an_impossible_endpoint_is_refused(node_key: bytes, address: str, refusal: type) -> None:
    world = world_at(Phase.TRAIN)

    args = build.SetEndpointArgs(slot=0, node_key=node_key, address=address)
    with pytest.raises(refusal):
        world.do("set_endpoint", BOB, args)


def test_the_participant_of_another_cannot_be_changed() -> None:
    world = world_at(Phase.TRAIN)
    args = build.SetEndpointArgs(slot=0, node_key=sha(b"new"), address="new:1")

    with pytest.raises(WrongAccount):
        world.do("set_endpoint", BOB, args, participant=world.participant_key(CAROL))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"digest": sha(b"other")}, UnknownDigest),
        ({"digest_epoch": 1}, UnknownDigest),
        ({"digest_round": 1}, UnknownDigest),
        ({"chain_hash": sha(b"other")}, UnknownChainHash),
        ({"chain_hash": bytes(32)}, UnknownChainHash),
    ],
)
def test_ready_needs_a_digest_and_a_chain_hash_that_the_run_knows(
    changes: dict[str, Any], refusal: type
) -> None:
    world = world_at(Phase.WARMUP)

    with pytest.raises(refusal):
        world.ready(BOB, **changes)


def test_ready_may_name_the_chain_hash_of_a_kept_round_but_of_no_older_one() -> None:
    world = world_at(Phase.TRAIN)
    world.join(ERIN)
    first = world.record(0).chain_hash_before
    for _ in range(3):
        world.finish_round()
    assert world.run.chain_hash != first

    world.ready(ERIN, chain_hash=first)
    world.behind(ERIN)
    world.finish_round()

    with pytest.raises(UnknownChainHash):
        world.ready(ERIN, chain_hash=first)


def test_only_the_joined_and_the_behind_can_be_ready() -> None:
    world = world_at(Phase.WARMUP)
    world.ready(BOB)
    with pytest.raises(WrongMemberState):
        world.ready(BOB)
    world.to_phase(Phase.TRAIN)

    with pytest.raises(WrongMemberState):
        world.ready(CAROL)


def test_only_the_ready_and_the_active_can_fall_behind() -> None:
    world = world_at(Phase.WARMUP)
    with pytest.raises(WrongMemberState):
        world.behind(BOB)
    world.ready(BOB)
    world.behind(BOB)

    with pytest.raises(WrongMemberState):
        world.behind(BOB)


def test_nobody_leaves_twice() -> None:
    world = world_at(Phase.WARMUP)
    world.leave(BOB)

    with pytest.raises(NotAMember):
        world.leave(BOB)


def test_the_counts_of_the_run_follow_its_roster() -> None:
    world = world_at(Phase.TRAIN, members=(*TRIO, ERIN))
    world.behind(BOB)
    world.leave(CAROL)
    world.join(MALLORY)

    run = world.run
    assert (run.joined, run.ready, run.active, run.behind) == (1, 0, 2, 1)
    assert world.roster.slots(MemberState.ACTIVE) == [
        world.member(DAVE).slot,
        world.member(ERIN).slot,
    ]
