"""What the owner of a simulated run does, at good times and at bad ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from psyche_sdk import instructions as build
from psyche_sdk.views import Phase
from support.actors import ALICE
from support.program import sha
from support.simulator.chain import SimulatedChain


def act(world: SimulatedChain) -> None:
    """Does something that may or may not be allowed now."""
    kinds = ["pause", "pause", "resume", "abort", "update", "update", "passes", "passes", "set"]
    choice = world.rng.choice(kinds)
    if choice == "update":
        update(world)
    elif choice == "passes":
        ask_for_passes(world)
    elif choice == "set":
        set_checkpoint(world)
    else:
        world.attempt(choice, ALICE)


def ask_for_passes(world: SimulatedChain) -> None:
    """From now on members need passes, or none any more; most get one, not all for long."""
    rng = world.rng
    named = ALICE.wallet if world.run.join_authority is None else None
    world.attempt("set_join_authority", ALICE, build.SetJoinAuthorityArgs(join_authority=named))
    for actor in world.members if named else ():
        if rng.random() < 0.9:
            expiry = world.moment.time + rng.choice([-1, 30, 10_000, 10_000])
            args = build.IssuePassArgs(wallet=actor.wallet, expiry=expiry)
            world.attempt("issue_pass", ALICE, args)
        elif world.data(world.pass_key(actor)):
            world.attempt("revoke_pass", ALICE, pass_=world.pass_key(actor))


def start_again(world: SimulatedChain) -> None:
    """Gets a run that rests going: other settings now and then, more steps if it is finished."""
    if world.now.phase is Phase.FINISHED:
        world.attempt("pause", ALICE)
        update(world, total_steps=world.now.number("step") + 200)
    elif world.rng.random() < 0.4:
        update(world)
    if world.rng.random() < 0.2:
        set_checkpoint(world)
    world.attempt("resume", ALICE)


def set_checkpoint(world: SimulatedChain) -> None:
    """Lets the run go on from other parameters, or tries to."""
    digest = world.rng.choice([sha(b"set", world.rng.randbytes(4)), bytes(32)])
    args = build.SetCheckpointArgs(digest=digest, uri=world.rng.choice(["", "file:///x", "a b"]))
    world.attempt("set_checkpoint", ALICE, args)


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
    if world.attempt("update_config", ALICE, args):
        world.config = changed
