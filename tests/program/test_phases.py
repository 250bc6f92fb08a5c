"""Each instruction in each phase: taken where it may be sent, refused by name elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from psyche_sdk.errors import PsycheError
from psyche_sdk.views import MemberState, Phase
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN, FAUCET, MALLORY, OLIVIA, Actor
from support.bonds import write
from support.call_args import endpoint_args, pass_args, payee_args, rates_args, weight_args
from support.instruction_table import CALLS, EVERY_PHASE, Call
from support.program import World, build, world_at

each_phase = pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.name.lower())
#: They begin a run, do only what is due, or take accounts along that are of no phase's making
#: (tests/program/test_migration.py).
APART = {"create_run", "allocate", "tick", "migrate", "migrate_participant"}


def points_of_dave(world: World) -> build.CollectArgs:
    """Dave's slot."""
    return build.CollectArgs(slot=world.member(DAVE).slot)


def join_of_mallory(_: World) -> build.JoinArgs:
    """A slot that nobody holds."""
    return build.JoinArgs(
        slot=5, weight=1, node_key=MALLORY.node_key, address="", bond_lamports_max=0
    )


def nothing(_: World) -> None:
    """No arguments."""


#: What every phase takes: who sends it in `standing`, and with what.
ANYTIME: dict[str, tuple[Actor, Callable[[World], Any]]] = {
    "update_metadata": (ALICE, lambda _: build.UpdateMetadataArgs(metadata="text")),
    "set_rates": (ALICE, rates_args),
    "set_authority": (ALICE, lambda _: build.SetAuthorityArgs(proposed=BOB.wallet)),
    "accept_authority": (ERIN, nothing),
    "set_join_authority": (ALICE, lambda _: build.SetJoinAuthorityArgs(join_authority=None)),
    "issue_pass": (OLIVIA, pass_args),
    "revoke_pass": (OLIVIA, nothing),
    "join": (MALLORY, join_of_mallory),
    "set_payee": (BOB, payee_args),
    "set_endpoint": (BOB, endpoint_args),
    "set_weight": (BOB, weight_args),
    "ready": (ERIN, lambda world: world.ready_args(ERIN)),
    "behind": (CAROL, lambda world: world.here(CAROL)),
    "leave": (BOB, lambda world: world.here(BOB)),
    "collect": (FAUCET, points_of_dave),
    "close_participant": (MALLORY, nothing),
}


@cache
def standing(phase: Phase) -> World:
    """A run in a phase, where instructions are only tried.

    Erin is proposed as the owner and is Joined, carol is Ready or Active, dave has points; mallory
    was a member once, and has a pass of olivia's.
    """
    world = world_at(Phase.PAUSED, total_steps=1)
    world.join(MALLORY, slot=6)
    world.leave(MALLORY)
    world.collect(6, MALLORY)
    world.members.remove(MALLORY)
    world.join_all()
    world.to_phase(phase)
    if phase is Phase.WITNESS:
        world.store_entropy()
    world.join(ERIN, slot=7)
    if world.member(CAROL).state is MemberState.JOINED:
        world.ready(CAROL, transition=False)
    write(world, world.member(DAVE).slot, points=5)
    world.do("set_authority", ALICE, build.SetAuthorityArgs(proposed=ERIN.wallet))
    world.do("set_join_authority", ALICE, build.SetJoinAuthorityArgs(join_authority=OLIVIA.wallet))
    world.issue_pass(MALLORY, OLIVIA)
    assert world.run.phase is phase
    return world


def accounts(world: World, name: str) -> dict[str, Any]:
    """The accounts that do not follow from who acts."""
    if name == "collect":
        return {"participant": world.participant_key(DAVE), "payee": DAVE.wallet}
    return {"pass_": world.pass_key(MALLORY)} if name == "revoke_pass" else {}


def test_every_instruction_is_tried_in_every_phase() -> None:
    anywhere = {call.name for call in CALLS if call.phases == EVERY_PHASE}

    assert anywhere - APART == set(ANYTIME)


@each_phase
@pytest.mark.parametrize("name", ANYTIME)
def test_what_every_phase_takes(name: str, phase: Phase) -> None:
    world = standing(phase)
    actor, args = ANYTIME[name]
    instruction = world.instruction(name, actor, args(world), **accounts(world, name))

    world.send(instruction, signers=[actor], only_try=True)


@pytest.mark.parametrize(
    ("call", "phase"),
    [(call, phase) for call in CALLS for phase in Phase if phase not in call.phases],
    ids=lambda one: one.name.lower(),
)
def test_an_instruction_is_refused_in_a_phase_that_is_not_its_own(call: Call, phase: Phase) -> None:
    with pytest.raises(call.refusal):
        call.send(standing(phase), only_try=True)


@each_phase
def test_the_owner_pauses_wherever_the_run_does_not_rest(phase: Phase) -> None:
    world = standing(phase)
    pause = world.instruction("pause", ALICE)

    if phase is Phase.PAUSED:
        with pytest.raises(PsycheError):
            world.send(pause, signers=[ALICE], only_try=True)
    else:
        world.send(pause, signers=[ALICE], only_try=True)


@pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.FINISHED])
def test_a_run_that_rests_is_closed_once_all_are_gone(phase: Phase) -> None:
    world = world_at(phase, total_steps=1)
    for slot in [member.slot for member in world.roster.members()]:
        world.leave(world.actors([slot])[0])

    world.close_run()

    assert world.data(world.run_key) == b""
