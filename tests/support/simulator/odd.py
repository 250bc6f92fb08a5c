"""What nobody expects: bad weather, lies, things said twice or by the wrong one."""

from __future__ import annotations

import random
from collections.abc import Callable

from support.simulator import clients, missing, owner, verifiers
from support.simulator.chain import SimulatedChain
from support.simulator.clients import Client


def happen(world: SimulatedChain, everybody: list[Client], rng: random.Random) -> None:
    """One of the odd things, by a client that is drawn."""
    client = rng.choice(everybody)
    odd: list[tuple[int, Callable[[], object]]] = [
        (4, lambda: storm(world)),
        (6, lambda: repeat(world, rng)),
        (1, lambda: clients.go(world, client)),
        (1, lambda: clients.join(world, client)),
        (2, lambda: clients.ready(world, client)),
        (2, lambda: clients.commit(world, client)),
        (2, lambda: clients.attest(world, client)),
        (9, lambda: lie(world, everybody, rng)),
        (1, lambda: clients.seal(world, client)),
        (1, lambda: clients.reveal(world, client)),
        (1, lambda: clients.publish(world, client)),
        (1, lambda: clients.confirm(world, client)),
        (1, lambda: clients.set_weight(world, client)),
        (2, lambda: clients.collect(world, client)),
        (1, lambda: clients.close(world, client)),
        (1, lambda: clients.name_payee(world, client)),
        (3, lambda: world.try_tick(client.actor)),
        (4, lambda: owner.act(world)),
        (3, lambda: verifiers.guess(world, client)),
        (2, lambda: missing.guess(world, client)),
    ]
    weights, acts = zip(*odd, strict=True)
    rng.choices(acts, weights)[0]()


def lie(world: SimulatedChain, everybody: list[Client], rng: random.Random) -> None:
    """A witness lies about what it holds."""
    target = world.now.target
    elected = {slot for slot, _ in target.witnesses()} if target else set()
    those = [one for one in everybody if one.slot in elected and one.is_member(world.now)]
    if those:
        clients.attest(world, rng.choice(those), surely_lies=True)


def storm(world: SimulatedChain) -> None:
    """The clock jumps, slots are skipped or stand still."""
    assert world.weather is not None
    seconds, slots = world.weather.storm()
    world.pass_time(seconds=seconds, slots=slots)


def repeat(world: SimulatedChain, rng: random.Random) -> None:
    """Something that was sent before is sent again."""
    if world.recent:
        name, actor, args, more = rng.choice(world.recent)
        world.met["repeated"] += 1
        world.deliver(name, actor, args, **more)
