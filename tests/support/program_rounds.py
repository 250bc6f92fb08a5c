"""Rounds in which not everybody does its part."""

from __future__ import annotations

from collections.abc import Sequence

from psyche_sdk.views import Phase, share_of
from support.actors import Actor
from support.program import World


def share(world: World, actor: Actor, number: int | None = None) -> int:
    """Sequences of an actor's share."""
    start, end = share_of(world.record(number), world.member(actor).slot) or (0, 0)
    return end - start


def waiting(world: World) -> list[tuple[int, int]]:
    """The backlog."""
    return [(one.start, one.end) for one in world.run.backlog]


def close_train_late(world: World, *, but: Sequence[Actor]) -> None:
    """All but some commit, and the time of Train goes by."""
    world.commit_all(but=but)
    if world.run.phase is Phase.TRAIN:
        world.pass_seconds(world.config.train_seconds)
        world.tick()


def settle_without(world: World, *missing: Actor) -> None:
    """A round in which some trainers do not commit, while all witnesses attest."""
    number = world.run.round
    close_train_late(world, but=missing)
    while world.run.round == number and world.run.phase is Phase.WITNESS:
        world.step()
