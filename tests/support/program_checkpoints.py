"""What a run's members do about the checkpoint of an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psyche_sdk import instructions as build
from psyche_sdk.views import may_publish, node_uri, to_confirm
from support.actors import Actor
from support.program_chain import Sent

if TYPE_CHECKING:
    from support.program import World


def publish_args(world: World, actor: Actor, **changes: Any) -> build.PublishCheckpointArgs:
    """The URI of an actor's node."""
    given = {"epoch": world.run.epoch, "slot": world.member(actor).slot}
    return build.PublishCheckpointArgs(**({**given, "uri": node_uri(actor.node_key)} | changes))


def publish(world: World, actor: Actor, **changes: Any) -> Sent:
    """A member publishes what was agreed."""
    return world.do("publish_checkpoint", actor, publish_args(world, actor, **changes))


def confirm_args(world: World, actor: Actor, **changes: Any) -> build.ConfirmCheckpointArgs:
    """What lies at the first URI was right."""
    given = {"epoch": world.run.epoch, "slot": world.member(actor).slot, "place": 0}
    return build.ConfirmCheckpointArgs(**(given | changes))


def confirm(world: World, actor: Actor, **changes: Any) -> Sent:
    """A member fetched what was published."""
    return world.do("confirm_checkpoint", actor, confirm_args(world, actor, **changes))


def publishers(world: World) -> list[Actor]:
    """Who was drawn, in drawn order."""
    return world.actors([slot for slot, _ in world.run.publishers])


def publish_all(world: World) -> None:
    """Whoever may publish does, after half of the time if nobody who was drawn can."""
    if not any(may_publish(world.run, one, world.moment) for one in world.roster.members()):
        world.pass_seconds(world.config.cooldown_seconds // 2)
    for member in world.roster.members():
        if may_publish(world.run, member, world.moment):
            publish(world, world.actors([member.slot])[0])


def confirm_all(world: World) -> None:
    """Whoever may confirm something does."""
    for member in world.roster.members():
        for published in to_confirm(world.run, member):
            confirm(world, world.actors([member.slot])[0], place=published.place)


def end_cooldown(world: World) -> Sent:
    """What was agreed is published and confirmed: the epoch is over."""
    if world.run.cooldown_entropy is None:
        world.store_entropy()
    publish_all(world)
    confirm_all(world)
    return world.tick()
