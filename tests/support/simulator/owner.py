"""What the owner of a simulated run does, at good times and at bad ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from psyche_sdk import instructions as build
from psyche_sdk.views import Phase
from support.actors import ALICE, MALLORY, Actor
from support.program import sha
from support.simulator.chain import SimulatedChain

#: Phases that an owner can abort.
ABORTED = ("warmup", "train", "witness", "cooldown")


def act(world: SimulatedChain) -> None:
    """Does something that may or may not be allowed now."""
    kinds: dict[str, Callable[[SimulatedChain], object]] = {
        "update": update,
        "passes": ask_for_passes,
        "set": set_checkpoint,
        "rates": set_rates,
        "hand over": hand_over,
        "abort": abort,
    }
    weights = {"pause": 2, "resume": 1, "abort": 3, "update": 2, "passes": 2, "set": 1, "rates": 1}
    weights["hand over"] = 1
    choice = world.rng.choices(list(weights), list(weights.values()))[0]
    if choice in kinds:
        kinds[choice](world)
    else:
        world.attempt(choice, world.rng.choices([world.owner, other(world)], [19, 1])[0])


def other(world: SimulatedChain) -> Actor:
    """Who does not own the run, and may have owned it."""
    return MALLORY if world.owner is ALICE else ALICE


def abort(world: SimulatedChain) -> None:
    """Gives the phase up, mostly too early."""
    if world.rng.random() < 0.5:
        seconds = [int(getattr(world.config, f"{name}_seconds")) for name in ABORTED]
        world.pass_seconds(11 * max(seconds))
    world.attempt("abort", world.owner)


def hand_over(world: SimulatedChain) -> None:
    """Proposes another owner, who accepts mostly; or somebody accepts what nobody proposed."""
    rng, new = world.rng, other(world)
    if rng.random() < 0.8:
        world.attempt("set_authority", world.owner, build.SetAuthorityArgs(proposed=new.wallet))
    if rng.random() < 0.8 and world.attempt("accept_authority", new):
        world.owner = new


def set_rates(world: SimulatedChain) -> None:
    """Other rates from the next epoch on."""
    sequence, attestation, verdict = (world.rng.choice([0, 1, 2**32 - 1]) for _ in range(3))
    args = build.SetRatesArgs(
        points_per_sequence=sequence,
        points_per_attestation=attestation,
        points_per_verdict=verdict,
    )
    world.attempt("set_rates", world.owner, args)


def ask_for_passes(world: SimulatedChain) -> None:
    """From now on members need passes, or none any more; most get one, not all for long."""
    rng = world.rng
    named = ALICE.wallet if world.run.join_authority is None else None
    args = build.SetJoinAuthorityArgs(join_authority=named)
    world.attempt("set_join_authority", world.owner, args)
    for actor in world.members if named else ():
        if rng.random() < 0.9:
            expiry = world.moment.time + rng.choice([-1, 30, 10_000, 10_000])
            issued = build.IssuePassArgs(wallet=actor.wallet, expiry=expiry)
            world.attempt("issue_pass", ALICE, issued)
        elif world.data(world.pass_key(actor)):
            world.attempt("revoke_pass", ALICE, pass_=world.pass_key(actor))


def start_again(world: SimulatedChain) -> None:
    """Gets a run that rests going: other settings now and then, more steps if it is finished."""
    if world.now.phase is Phase.FINISHED:
        world.attempt("pause", world.owner)
        update(world, total_steps=world.now.number("step") + 200)
    elif world.rng.random() < 0.4:
        update(world)
    if world.rng.random() < 0.2:
        set_checkpoint(world)
    world.attempt("resume", world.owner)


def set_checkpoint(world: SimulatedChain) -> None:
    """Lets the run go on from other parameters, or tries to."""
    digest = world.rng.choice([sha(b"set", world.rng.randbytes(4)), bytes(32)])
    args = build.SetCheckpointArgs(digest=digest, uri=world.rng.choice(["", "file:///x", "a b"]))
    world.attempt("set_checkpoint", world.owner, args)


def drawn_settings(world: SimulatedChain) -> dict[str, Any]:
    """Other settings, some of which contradict each other."""
    rng, many = world.rng, max(world.capacity // 4, 2)
    least = rng.randint(1, max(many // 2, 1))
    batch = rng.choice([3, 30, 700, 4_096, 1 << 18])
    choices: dict[str, list[Any]] = {
        "overlap": [0, 1],
        "witness_count": [1, 2, 5, 32],
        "misses_max": [1, 2, 3],
        "epoch_rounds": [1, 2, 3, 5, 8, 13],
        "snapshot_rounds": [0, 0, 2, 3],
        "admit_anytime": [0, 1, 1],
        "ready_seconds": [40, 600],
        "share_percent_max": [1, 10, 100],
        "batch_ramp_steps": [0, 40],
        "bond_lamports": [0, 1_000, 2_000_000, 1 << 49],
        "points_per_sequence": [0, 0, 3],
        "points_per_attestation": [0, 0, 2],
        "verification_percent": [0, 34, 50],
        "attestation_kind": [0, 1],
        "bloom_false_positive_ppm": [1, 10_000, 200_000],
        "min_members": [least],
        "init_min_members": [least, many, least - 1],
        "batch_sequences_end": [batch],
        "batch_sequences_start": [max(batch // 3, 1), batch],
    }
    wanted = rng.sample(list(choices), rng.randint(1, len(choices)))
    return {name: rng.choice(choices[name]) for name in wanted}


def update(world: SimulatedChain, **changes: Any) -> None:
    """Changes the configuration, or tries to."""
    reset = world.rng.random() < 0.1
    changed = replace(world.config, **(drawn_settings(world) | changes))
    args = build.UpdateConfigArgs(config=changed, reset_positions=reset)
    if world.attempt("update_config", world.owner, args):
        world.config = changed
