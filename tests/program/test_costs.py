"""What instructions cost: units with every slot filled, bytes of transactions and accounts."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import Transaction

from psyche_sdk._budget import units_for
from psyche_sdk._rules.bloom import BLOOM_BYTES_MAX
from psyche_sdk.views import MemberState, Phase, accepted
from support.actors import ALICE, BOB, ERIN, FAUCET, MALLORY, OLIVIA, Actor
from support.costly import MANY, Costly
from support.instruction_table import CALLS, EVERYBODY, Call
from support.program import World, build, config, sha
from support.program_checkpoints import confirm, publish, publishers

COMMIT_UNITS, ATTEST_UNITS, TICK_UNITS = 5_000, 8_000, 60_000
#: Largest transaction of a cluster, in bytes; LiteSVM takes larger ones.
TRANSACTION_BYTES = 1_232
RUN_BYTES = 4_096


@cache
def started() -> Costly:
    """A run of 256 members that has played a round in which everybody did everything."""
    world = Costly()
    world.start()
    world.play(list(range(MANY)))
    assert len(accepted(world.record(0))) == MANY
    return world


def test_a_commit_costs_at_most_5000_units_with_256_members() -> None:
    assert started().units["commit"] <= COMMIT_UNITS


def test_an_attestation_costs_at_most_8000_units_with_256_members() -> None:
    assert started().units["attest"] <= ATTEST_UNITS


def test_starting_and_settling_cost_at_most_60000_units_a_tick_with_256_members() -> None:
    assert max(started().ticks) <= TICK_UNITS


def test_a_settle_with_scattered_failures_costs_at_most_60000_units() -> None:
    world = Costly(misses_max=255)
    world.start()
    for number in range(3):
        world.play([slot for slot in range(MANY) if (slot * 97 + number) % 2])

    assert len(world.run.backlog) > 0
    assert max(world.ticks) <= TICK_UNITS


def test_a_settle_that_drops_many_costs_at_most_60000_units() -> None:
    world = Costly(misses_max=1, snapshot_rounds=2)
    world.start()
    world.play([slot for slot in range(MANY) if slot % 2])
    assert len(world.roster.slots(MemberState.DROPPED)) == MANY // 2
    committed = [slot for slot in range(MANY) if slot % 2 and slot < MANY // 2]
    world.commit_slots(committed)
    world.close_and_witness(committed)
    world.tick_all()

    assert max(world.ticks) <= TICK_UNITS


def test_two_failed_draws_and_the_end_of_an_epoch_cost_at_most_60000_units() -> None:
    world = Costly(misses_max=255, epoch_rounds=3)
    world.start()
    world.commit_slots(list(range(MANY)))
    world.close_and_witness([], attest=False)
    world.tick_all()
    world.pass_seconds(world.config.witness_seconds)
    world.tick_all()

    assert world.run.phase is Phase.COOLDOWN
    world.pass_seconds(world.config.cooldown_seconds)
    world.tick_all()
    assert world.run.epoch == 1
    assert max(world.ticks) <= TICK_UNITS


def voted(*, opened: set[int]) -> Costly:
    """A Cooldown in which all have sealed a word, a quarter another, and these slots opened it."""
    world = Costly(epoch_rounds=1)
    world.start()
    world.play(list(range(MANY)))
    vote = world.vote
    place = {"epoch": vote.epoch, "round": vote.round}
    words = [sha(b"no" if slot % 4 == 0 else b"yes") for slot in range(MANY)]
    for slot, actor in enumerate(world.members):
        sealed = sha(words[slot], bytes(actor.wallet))
        world.do("attest_state", actor, build.AttestStateArgs(slot=slot, vote=sealed, **place))
    for slot in sorted(opened):
        args = build.RevealStateArgs(slot=slot, digest=words[slot], **place)
        world.do("reveal_state", world.members[slot], args)
    return world


def test_the_sdk_asks_for_enough_units_to_open_a_word_of_256() -> None:
    world = voted(opened=set(range(MANY)))

    assert world.vote.agreed
    assert world.units["attest_state"] <= units_for("attest_state", capacity=MANY)
    assert world.units["reveal_state"] <= units_for("reveal_state", capacity=MANY)


def test_the_sdk_asks_for_enough_units_for_a_checkpoint_of_256() -> None:
    world = voted(opened=set(range(MANY)))
    before = len(world.ticks)
    world.pass_time(slots=3)
    world.tick_all()
    first = publishers(world)[0]
    publish(world, first, uri="a" * 96)
    for actor in [one for one in world.members if one != first][1:4:2]:
        confirm(world, actor)
    world.tick_all()
    assert world.run.checkpoints[-1].confirmations == 2
    assert max(world.ticks[before:]) <= TICK_UNITS

    world.do("pause", ALICE)
    args = build.SetCheckpointArgs(digest=sha(b"own"), uri="a" * 96)
    world.do("set_checkpoint", ALICE, args)

    for name in ("publish_checkpoint", "confirm_checkpoint", "set_checkpoint"):
        assert world.units[name] <= units_for(name, capacity=MANY), name


def test_a_vote_that_is_decided_with_cooldown_costs_at_most_60000_units_a_tick() -> None:
    world = voted(opened={slot for slot in range(MANY) if slot % 4 == 0 or slot < 200})
    assert not world.vote.agreed
    world.pass_seconds(world.config.cooldown_seconds)
    world.tick_all()

    assert world.run.agreed is not None
    assert world.run.agreed.digest == sha(b"yes")
    assert max(world.ticks) <= TICK_UNITS


def test_the_sdk_asks_for_enough_units_with_256_members() -> None:
    units = started().units

    for name in ("join", "ready", "commit", "attest", "tick"):
        assert units[name] <= units_for(name, capacity=MANY), name


def test_the_run_account_has_at_most_4_kilobytes() -> None:
    assert len(started().data(started().run_key)) <= RUN_BYTES


# Bytes


LONGEST: dict[str, Any] = {
    "attest": build.AttestArgs(epoch=1, round=1, slot=1, bits=bytes(128), custody_root=bytes(32)),
    "set_endpoint": build.SetEndpointArgs(slot=1, node_key=bytes(32), address="a" * 96),
    "publish_checkpoint": build.PublishCheckpointArgs(epoch=1, slot=1, uri="a" * 96),
    "set_checkpoint": build.SetCheckpointArgs(digest=bytes(32), uri="a" * 96),
    "update_metadata": build.UpdateMetadataArgs(metadata="a" * 256),
    "update_model": build.UpdateModelArgs(model_hash=bytes(32), model_uri="a" * 128),
    "update_config": build.UpdateConfigArgs(config=config(), reset_positions=True),
}


def signers_of(keys: set[Pubkey]) -> list[Actor]:
    """The actors that have these keys."""
    return [actor for actor in EVERYBODY if actor.wallet in keys and actor != FAUCET]


def transaction_bytes(signers: list[Actor], *instructions: Instruction) -> int:
    """Bytes of a transaction that the first signer pays, with a limit and a price of units."""
    every = [set_compute_unit_limit(1_400_000), set_compute_unit_price(1), *instructions]
    message = Message.new_with_blockhash(every, signers[0].wallet, Hash.default())
    return len(bytes(Transaction([one.keypair for one in signers], message, Hash.default())))


def longest(call: Call, world: World) -> Any:
    """The longest arguments that an instruction can be given at capacity 1,024."""
    if call.name == "create_run":
        args = replace(world.create_args(), capacity=1_024, run_id="a" * 32, model_uri="b" * 128)
        return replace(args, join_authority=OLIVIA.wallet)
    return LONGEST.get(call.name) or call.args(world)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_the_largest_transaction_fits_into_1232_bytes(call: Call) -> None:
    world = call.given()
    instruction = call.instruction(world, longest(call, world))
    named = {meta.pubkey for meta in instruction.accounts if meta.is_signer}

    # The fee payer is apart from all who must sign, and there are a limit and a price of units.
    assert transaction_bytes([FAUCET, *signers_of(named)], instruction) <= TRANSACTION_BYTES


def test_joining_with_a_payer_fits_into_1232_bytes() -> None:
    args = build.JoinArgs(
        slot=1_023, weight=1_000, node_key=bytes(32), address="a" * 96, bond_lamports_max=0
    )

    instruction = World().instruction("join", ERIN, args, payer=MALLORY.wallet)

    assert transaction_bytes([FAUCET, MALLORY, ERIN], instruction) <= TRANSACTION_BYTES


def test_the_longest_filter_fits_where_the_witness_pays() -> None:
    args = replace(LONGEST["attest"], bits=bytes(BLOOM_BYTES_MAX))

    instruction = World().instruction("attest", BOB, args)

    assert transaction_bytes([BOB], instruction) <= TRANSACTION_BYTES


def test_a_commitment_an_attestation_and_a_tick_fit_into_one_transaction() -> None:
    world = started()
    member = world.members[0]
    commit = build.CommitArgs(
        epoch=1,
        round=1,
        slot=1,
        commitment=bytes(32),
        bytes=1,
        loss_micronats=1,
        tokens=1,
        train_milliseconds=1,
    )
    instructions = [
        world.instruction("commit", member, commit),
        world.instruction("attest", member, LONGEST["attest"]),
        world.instruction("tick", BOB),
    ]

    assert transaction_bytes([member], *instructions) <= TRANSACTION_BYTES


def test_an_overflowing_backlog_costs_at_most_60000_units_a_tick() -> None:
    world = Costly(misses_max=255)
    world.start()
    for _ in range(2):
        order = world.record().order.tolist()
        world.play(sorted(order[::2]))  # every other share goes back: far more pieces than fit

    assert world.run.repeated > 0
    assert max(world.ticks) <= TICK_UNITS


def test_a_round_in_which_nobody_commits_costs_at_most_60000_units_a_tick() -> None:
    world = Costly(misses_max=1)
    world.start()
    world.pass_seconds(world.config.train_seconds)
    world.tick_all()

    assert len(world.roster.slots(MemberState.DROPPED)) == MANY
    assert max(world.ticks) <= TICK_UNITS
