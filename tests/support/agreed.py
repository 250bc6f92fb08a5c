"""Cooldowns in which members have said the same of the parameters."""

from __future__ import annotations

from psyche_sdk.views import Phase
from support.actors import TRIO, Actor
from support.program import World, sha, world_at
from support.program_checkpoints import publishers

#: The digest that is agreed, and another.
YES, NO = sha(b"yes"), sha(b"no")


def agreed(**changes: int) -> World:
    """Cooldown: all have said the same, and publishers are drawn."""
    world = world_at(Phase.COOLDOWN, epoch_rounds=1, **changes)
    world.vote_all(YES)
    world.store_entropy()
    return world


def third(world: World) -> Actor:
    """Who of three was not drawn."""
    (found,) = [actor for actor in TRIO if actor not in publishers(world)]
    return found
