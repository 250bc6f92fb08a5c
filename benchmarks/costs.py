"""What the program costs: compute units, accounts' bytes, SOL of a round and of a run.

Everything is taken from the compiled program on LiteSVM. The keys and the clock are the same each
time, so the figures are too. Beside the scenarios here the dearest found by `cost_search` are
played. `python -m benchmarks.costs` prints the tables of docs/COSTS.md; with --json
{instruction: {members: units}, "accounts": {name: {capacity: bytes}}}, where "tick" is the dearest
of all ticks. It takes two minutes; --quick leaves the largest run out.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Sequence
from functools import cache

from benchmarks import cost_search, cost_verifying
from benchmarks.cost_drive import Metered, filter_rate
from psyche_sdk.instructions import (
    AttestStateArgs,
    IssuePassArgs,
    MissingArgs,
    RevealStateArgs,
    SetAuthorityArgs,
    SetCheckpointArgs,
    SetEndpointArgs,
    SetJoinAuthorityArgs,
    SetPayeeArgs,
    SetRatesArgs,
    SetWeightArgs,
    UpdateConfigArgs,
    UpdateMetadataArgs,
    UpdateModelArgs,
)
from psyche_sdk.views import Phase, witnesses
from support.actors import ALICE, ERIN
from support.program import sha
from support.program_checkpoints import end_cooldown

MEMBERS = (32, 256, 1_024)
#: Found cases that are played again, by members: the dearest of each kind of tick come first.
SEARCHED = {32: 40, 256: 16, 1_024: 6}
CAPACITIES = (8, 16, 32, 256, 1_024)
RATES = {"points_per_sequence": 3, "points_per_attestation": 2}


def whole_rounds(world: Metered) -> None:
    """Rounds that go half well, well, and not at all; the vote that ends the epoch fails."""
    everybody = list(range(world.count))
    world.open(world.count)
    for first in (1, 0, 1):
        world.play(world.every_second(first))
    world.ticks = 0
    world.play(everybody)
    world.ticks_a_round = world.ticks
    world.play([])
    world.train(everybody)
    world.pass_seconds(world.config.witness_seconds)
    world.tick_once()
    world.pass_seconds(world.config.witness_seconds)
    world.tick_all()
    assert world.run.phase is Phase.COOLDOWN
    world.cast_votes(everybody, against=1)
    world.pass_seconds(world.config.cooldown_seconds)
    world.tick_all()
    assert world.run.phase is not Phase.COOLDOWN


def transitions(world: Metered) -> None:
    """A round in which members make what is due themselves; then some of them go."""
    last = world.count - 1
    world.open(world.count)
    for slot in range(last):
        world.say_commit(slot)
    world.say_commit(last, "closes train")
    world.pass_time(slots=3)
    world.tick_once()
    *elected, final = witnesses(world.record())
    for slot in elected:
        world.say_attest(slot, list(range(world.count)))
    world.say_attest(final, list(range(world.count)), "settles and advances")
    world.go("behind", 0)
    world.go("leave", 1)
    for slot in range(2, last):
        world.say_commit(slot)
    world.go("leave", last, "closes train")


def admissions(world: Metered) -> None:
    """One member comes late and begins at the others' median; later the run is aborted."""
    last = world.count - 1
    world.open(last)
    world.enter(last)
    world.say_ready(last)
    for first in (1, 1, 0, 1):
        world.play(world.every_second(first))
    held = world.every_second()
    world.train(held)
    for slot in witnesses(world.record()):
        world.say_attest(slot, held)
    world.tick_once()
    world.pass_seconds(10**6)
    world.do("abort", ALICE)


def snapshot(world: Metered) -> None:
    """A snapshot that is agreed on only when its time is over, before a newcomer's round."""
    last = world.count - 1
    others, yes = list(range(last)), world.count // 2
    world.open(last)
    world.play(others)
    world.play(others)
    place = {"epoch": world.vote.epoch, "round": world.vote.round}
    words = {slot: sha(b"yes" if slot <= yes else b"no") for slot in others}
    for slot, word in words.items():
        actor = world.members[slot]
        args = AttestStateArgs(slot=slot, vote=sha(word, bytes(actor.wallet)), **place)
        world.do("attest_state", actor, args)
    world.play(others)
    for slot, word in list(words.items())[: yes + last // 6]:
        args = RevealStateArgs(slot=slot, digest=word, **place)
        world.do("reveal_state", world.members[slot], args)
    assert not world.vote.agreed
    world.enter(last)
    world.say_ready(last)
    world.play(others)
    assert world.run.snapshots


def second_epoch(world: Metered) -> None:
    """All but one return with earned weights; the last is new, and begins at their median."""
    last = world.count - 1
    world.open(last)
    world.play(list(range(last)))
    world.cast_votes(range(last), against=0)
    world.pass_time(slots=3)
    world.tick_all()
    end_cooldown(world)
    world.tick_all()
    world.enter(last)
    world.pass_seconds(world.config.waiting_seconds)
    world.tick_all()
    world.pass_time(slots=3)
    world.tick_all()
    world.say_ready(last)
    world.tick_all()
    assert world.run.phase is Phase.TRAIN


def farewells(world: Metered) -> None:
    """A member leaves, comes back to another slot, leaves for good, and closes its account."""
    last = world.count - 1
    world.enter(0)
    world.go("leave", 0)
    world.enter(0, slot=last, kind="comes back")
    world.go("leave", 0, held=last)
    for slot in (0, last):
        world.collect_from(slot, 0)
    actor = world.members[0]
    world.do("close_participant", actor, payee=actor.wallet)


def owners_checkpoint(world: Metered) -> None:
    """All are ready when the owner sets other parameters."""
    for slot in range(world.count):
        world.enter(slot)
    world.tick_all()
    world.pass_time(slots=3)
    world.tick_all()
    for slot in range(world.count - 1):
        world.say_ready(slot)
    world.do("pause", ALICE)
    world.do("set_checkpoint", ALICE, SetCheckpointArgs(digest=bytes([1]) * 32, uri="a" * 96))


def drops(world: Metered) -> None:
    """Every second member misses a round, and is dropped for it."""
    world.open(world.count)
    world.play(world.every_second())


def misses(world: Metered) -> None:
    """Of four settled rounds, the most that are kept, the first loses a payload."""
    world.open(world.count)
    while world.run.phase is not Phase.COOLDOWN:
        world.play(world.every_second())
    record, epoch = world.record(0), world.run.epoch
    target = record.order.tolist()[world.count // 2 | 1]
    for slot in range(-(-2 * world.count // 3)):
        args = MissingArgs(epoch=epoch, round=0, slot=slot, target=target)
        world.do("missing", world.members[slot], args)
    assert world.record(0).accepted_count == record.accepted_count - 1


def chores(world: Metered) -> None:
    """What the owner and members do now and then, each as dear as its longest text makes it."""
    member, key = world.members[0], ERIN.wallet
    world.enter(0)
    mine = {"slot": 0}
    endpoint = SetEndpointArgs(node_key=bytes([2]) * 32, address="b" * 96, **mine)
    world.do("set_endpoint", member, endpoint)
    world.do("set_weight", member, SetWeightArgs(weight=7, **mine))
    world.do("set_payee", member, SetPayeeArgs(payee=key))
    rates = {f"points_per_{name}": 7 for name in ("sequence", "attestation", "verdict")}
    world.do("set_rates", ALICE, SetRatesArgs(**rates))
    world.do("update_metadata", ALICE, UpdateMetadataArgs(metadata="m" * 256))
    world.do("set_join_authority", ALICE, SetJoinAuthorityArgs(join_authority=ALICE.wallet))
    expiry = world.moment.time + 100
    world.do("issue_pass", ALICE, IssuePassArgs(wallet=member.wallet, expiry=expiry))
    world.do("revoke_pass", ALICE, pass_=world.pass_key(member))
    world.go("leave", 0)
    world.do("pause", ALICE)
    world.do("update_config", ALICE, UpdateConfigArgs(config=world.config, reset_positions=True))
    world.do("update_model", ALICE, UpdateModelArgs(model_hash=bytes(32), model_uri="u" * 128))
    world.do("set_authority", ALICE, SetAuthorityArgs(proposed=key))
    world.do("accept_authority", ERIN)
    world.pass_time(slots=1)
    world.do("close_run", ERIN)


@cache
def measured(count: int) -> tuple[dict[str, int], int]:
    """(most compute units of each instruction with `count` members, ticks of a good round)."""
    patient = Metered(count, misses_max=255)
    whole_rounds(patient)
    others: list[tuple[Callable[[Metered], None], Metered]] = [
        (transitions, Metered(count)),
        # With rates, so that what is aborted is made final, too.
        (admissions, Metered(count, init_min_members=count - 1, misses_max=255, **RATES)),
        (snapshot, Metered(count, init_min_members=count - 1, misses_max=255, snapshot_rounds=2)),
        (second_epoch, Metered(count, init_min_members=count - 1, epoch_rounds=1)),
        (farewells, Metered(count, bond_lamports=2_000_000)),
        (owners_checkpoint, Metered(count)),
        (misses, Metered(count, epoch_rounds=4, misses_max=255)),
        (drops, Metered(count, misses_max=1, min_members=1)),
        (chores, Metered(count)),
        (cost_verifying.rejections, Metered(count, **cost_verifying.SETTINGS)),
        (
            cost_verifying.filters,
            Metered(count, attestation_kind=1, bloom_false_positive_ppm=filter_rate(count)),
        ),
    ]
    units = dict(patient.units)
    for play, world in others:
        play(world)
        dearer(units, world.units)
    for case in cost_search.cases(count, most=SEARCHED[count]):
        dearer(units, cost_search.Played(count, case).play_case())
    units.pop("tick", None)  # its kinds say what it did
    return units, patient.ticks_a_round


def dearer(units: dict[str, int], others: dict[str, int]) -> None:
    """Keeps the dearer call of each kind."""
    for name, used in others.items():
        units[name] = max(units.get(name, 0), used)


@cache
def accounts() -> dict[str, dict[int, int]]:
    """Bytes of each account by the run's capacity."""
    found: dict[str, dict[int, int]] = {}
    for capacity in CAPACITIES:
        world = Metered(capacity)
        world.enter(0)
        world.do("set_join_authority", ALICE, SetJoinAuthorityArgs(join_authority=ALICE.wallet))
        world.issue_pass(world.members[0], ALICE)
        keys = {
            "Run": world.run_key,
            "Roster": world.roster_key,
            "Rounds": world.rounds_key,
            "Participant": world.participant_key(world.members[0]),
            "Pass": world.pass_key(world.members[0]),
        }
        for name, key in keys.items():
            found.setdefault(name, {})[capacity] = len(world.data(key))
    return found


def as_json(members: Sequence[int]) -> dict[str, dict[str, int] | dict[str, dict[str, int]]]:
    """All that was measured, for programs."""
    found: dict[str, dict[str, int]] = {}
    for count in members:
        units = measured(count)[0]
        every = max(used for name, used in units.items() if name.startswith("tick:"))
        for name, used in [*units.items(), ("tick", every)]:
            found.setdefault(name, {})[str(count)] = used
    sizes = {
        name: {str(capacity): size for capacity, size in by.items()}
        for name, by in accounts().items()
    }
    return {**dict(sorted(found.items())), "accounts": sizes}


def main() -> int:
    """Prints the tables, or with --json the numbers."""
    members = MEMBERS[:-1] if "--quick" in sys.argv[1:] else MEMBERS
    if "--json" in sys.argv[1:]:
        print(json.dumps(as_json(members), indent=2))
    else:
        # Not an import above: that module imports this one.
        print(importlib.import_module("benchmarks.costs_page").tables(members))
    return 0


if __name__ == "__main__":
    sys.exit(main())
