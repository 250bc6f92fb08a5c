"""What instructions are given in the worlds where they succeed, as the run stands."""

from __future__ import annotations

from solders.pubkey import Pubkey

from psyche_sdk import instructions as build
from support.actors import BOB, CAROL, ERIN, OLIVIA
from support.call_worlds import DIGEST_AFTER
from support.program import World, config, sha


def missing_args(world: World) -> build.MissingArgs:
    """Bob misses carol's payload of the round before."""
    run = world.run
    return build.MissingArgs(
        epoch=run.epoch,
        round=max(run.round - 1, 0),
        slot=world.member(BOB).slot,
        target=world.member(CAROL).slot,
    )


def seal_args(world: World) -> build.AttestStateArgs:
    vote = world.run.vote
    epoch, number = (vote.epoch, vote.round) if vote else (world.run.epoch, world.run.round)
    word = sha(DIGEST_AFTER, bytes(BOB.wallet))
    return build.AttestStateArgs(epoch=epoch, round=number, slot=world.member(BOB).slot, vote=word)


def reveal_args(world: World) -> build.RevealStateArgs:
    seal = seal_args(world)
    return build.RevealStateArgs(
        epoch=seal.epoch, round=seal.round, slot=seal.slot, digest=DIGEST_AFTER
    )


def join_args(_: World) -> build.JoinArgs:
    return build.JoinArgs(
        slot=7, weight=100, node_key=ERIN.node_key, address="host:1", bond_lamports_max=10**9
    )


def endpoint_args(world: World) -> build.SetEndpointArgs:
    slot = world.member(BOB).slot
    return build.SetEndpointArgs(slot=slot, node_key=sha(b"new node"), address="host:2")


def weight_args(world: World) -> build.SetWeightArgs:
    return build.SetWeightArgs(slot=world.member(BOB).slot, weight=50)


def config_args(_: World) -> build.UpdateConfigArgs:
    return build.UpdateConfigArgs(config=config(total_steps=99), reset_positions=False)


def model_args(_: World) -> build.UpdateModelArgs:
    return build.UpdateModelArgs(model_hash=sha(b"other model"), model_uri="")


def payee_args(_: World) -> build.SetPayeeArgs:
    return build.SetPayeeArgs(payee=OLIVIA.wallet)


def pass_args(world: World) -> build.IssuePassArgs:
    return build.IssuePassArgs(wallet=ERIN.wallet, expiry=world.moment.time + 2_000)


def collect_args(_: World) -> build.CollectArgs:
    return build.CollectArgs(slot=0)


def holder(world: World) -> dict[str, Pubkey]:
    return {"participant": world.participant_key(BOB), "payee": BOB.wallet}


def rates_args(_: World) -> build.SetRatesArgs:
    return build.SetRatesArgs(
        points_per_sequence=1, points_per_attestation=2, points_per_verdict=2**32 - 1
    )


def checkpoint_args(_: World) -> build.SetCheckpointArgs:
    return build.SetCheckpointArgs(digest=DIGEST_AFTER, uri="")
