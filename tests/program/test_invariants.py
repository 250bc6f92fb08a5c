"""Every invariant of the simulation notices when it is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from psyche_sdk._generated import layouts
from psyche_sdk._rules.audits import AUDITOR
from psyche_sdk._rules.rounds import columns_bytes, columns_of
from psyche_sdk.views import Phase
from support.simulator import invariants
from support.simulator.past import BrokenError
from support.simulator.plan import Plan
from support.simulator.snapshot import HEAD, Snapshot
from support.simulator.sweep import Sweep

ACTIVE = 3
COLUMNS_AT = HEAD + layouts.ROUNDS.itemsize


@cache
def settled() -> Sweep:
    """A run in Train, some rounds after its beginning, in which all members are honest."""
    plan = Plan(seed=8, members=8, rounds=3, wild=0)
    fixed = {"overlap": 0, "epoch_rounds": 50, "snapshot_rounds": 2, "batch_sequences_start": 4_096}
    fixed |= {"batch_sequences_end": 4_096, "total_steps": 200, "verification_percent": 0}
    fixed |= {"points_per_sequence": 0, "points_per_attestation": 0}
    sweep = Sweep(plan, **fixed).run()
    for _ in range(20):
        now = sweep.world.now
        training = now.phase is Phase.TRAIN and now.number("round") >= 2
        if training and now.run["vote"]["opened_slot"]:
            return sweep
        sweep.turn()
    raise AssertionError("no round trains")


@dataclass
class Forged:
    """The accounts, open for forgery."""

    run: Any
    entries: Any
    headers: Any
    columns: list[dict[str, Any]]

    @property
    def last(self) -> int:
        """The place of a round that has settled."""
        return (int(self.run["round"]) - 1) % 4


def forged(change: Callable[[Forged], object], **more: Any) -> Snapshot:
    """What would stand on the chain after a program that does what it must not."""
    now = settled().world.now
    run, roster, rounds = (bytearray(one) for one in now.data)
    start = HEAD + layouts.ROSTER_HEADER.itemsize
    assert COLUMNS_AT + 4 * columns_bytes(now.capacity) == len(rounds)
    change(
        Forged(
            np.frombuffer(run, layouts.RUN, 1, HEAD)[0:1][0],
            np.frombuffer(roster, layouts.ROSTER_ENTRY, now.capacity, start),
            np.frombuffer(rounds, layouts.ROUNDS, 1, HEAD)["records"][0],
            [
                {name: np.frombuffer(view, np.uint8) for name, view in one.items()}
                for one in (columns_of(rounds, now.capacity, index) for index in range(4))  # type: ignore[arg-type]
            ],
        )
    )
    return replace_data(now, (bytes(run), bytes(roster), bytes(rounds)), **more)


def replace_data(now: Snapshot, data: tuple[bytes, bytes, bytes], **more: Any) -> Snapshot:
    """A snapshot with other bytes."""
    return Snapshot(more.get("moment", now.moment), data, more.get("lamports", now.lamports))


def take_out(forged: Forged) -> None:
    """One payload leaves, and nobody missed it."""
    field = forged.columns[forged.last]["accepted"]
    field[0] &= int(field[0]) - 1


def add(name: str, value: int) -> Callable[[Forged], object]:
    """A number of the run is another."""

    def change(forged: Forged) -> None:
        forged.run[name] = int(forged.run[name]) + value

    return change


def accept_nobody(forged: Forged) -> None:
    forged.columns[forged.last]["accepted"][:] = 0


def settle_unheard(forged: Forged) -> None:
    present = int(forged.run["round"]) % 4
    forged.headers[present]["settled"] = 1
    forged.columns[present]["accepted"][:] = 0xFF


def two_slots(forged: Forged) -> None:
    held = np.flatnonzero(forged.entries["state"] == ACTIVE)
    forged.entries["wallet"][held[0]] = forged.entries["wallet"][held[1]]


def another_holder(forged: Forged) -> None:
    ids, slot = forged.entries["member_id"], int(forged.headers[forged.last]["witness_slots"][0])
    ids[slot] = next(one for one in ids.tolist() if one not in {0, int(ids[slot])})


def named_stranger(forged: Forged) -> None:
    forged.columns[forged.last]["member_id"][:] += 1


def no_weight(forged: Forged) -> None:
    forged.entries["weight"][:] = 0


def forget_a_round(forged: Forged) -> None:
    forged.headers[forged.last]["valid"] = 0
    forged.run["round"] += 1


def draw_twice(forged: Forged) -> None:
    order = forged.columns[forged.last]["order"]
    order[:2] = order[2:4]


def lend_a_commitment(forged: Forged) -> None:
    forged.columns[forged.last]["commitment"][:32] ^= 1


def uncommitted(forged: Forged) -> None:
    forged.headers[forged.last]["committed"] -= 1


def voteless(forged: Forged) -> None:
    forged.columns[forged.last]["mask"][:] = 0xFF


def backlog(forged: Forged) -> None:
    forged.run["backlog_count"] = 2
    forged.run["backlog"][:2] = [(5, 9), (9, 12)]


def lost(forged: Forged) -> None:
    forged.run["fresh_cursor"] += 7
    forged.run["accepted"] += 7


def other_entropy(forged: Forged) -> None:
    forged.headers[forged.last]["entropy"][0] ^= 1


def other_hash(forged: Forged) -> None:
    forged.run["chain_hash"][0] ^= 1


def vote(forged: Forged) -> None:
    ballot = forged.run["vote"]
    ballot["kind"], ballot["opened_slot"], ballot["committed"] = 1, 1, 9  # of eight members


def agree(forged: Forged) -> None:
    forged.run["agreed"]["digest"][:] = 9


def published_by_strangers(forged: Forged) -> None:
    forged.run["pending_checkpoint"]["valid"] = 1
    forged.run["pending_checkpoint"]["publishers"] = (77, 0)


def kept_unpublished(forged: Forged) -> None:
    kept = forged.run["checkpoints"]
    kept[0] = kept[1]
    kept["digest"][1] = forged.run["agreed"]["digest"]
    kept["publishers"][1] = 0
    kept["step"][1] += 1


def other_last_entropy(forged: Forged) -> None:
    forged.run["cooldown_entropy"][0] ^= 1
    forged.run["cooldown_entropy_stored"] = 1


def gift(forged: Forged) -> None:
    forged.entries["points"][:] += 1


def strike(forged: Forged) -> None:
    forged.entries["strikes"][:] += 1


def reject(forged: Forged) -> None:
    forged.columns[forged.last]["rejected"][:] = 1


def audit_oneself(forged: Forged) -> None:
    header, column = forged.headers[forged.last], forged.columns[forged.last]["verifiers"]
    header["auditors"] = header["targets_drawn"] = 1
    slot = int(forged.columns[forged.last]["order"].view("<u2")[0])
    row = column[: AUDITOR.itemsize].view(AUDITOR)
    row["slot"] = row["target"] = slot


def reject_unsaid(forged: Forged) -> None:
    present = int(forged.run["round"]) % 4
    forged.columns[present]["rejected"][:] = 1


CASES: list[tuple[int, Callable[[Forged], object]]] = [
    (1, add("active", 1)),
    (2, add("accepted", 1)),
    (3, backlog),
    (4, add("in_flight", 1)),
    (5, lost),
    (6, two_slots),
    (7, another_holder),
    (8, named_stranger),
    (9, no_weight),
    (10, forget_a_round),
    (11, draw_twice),
    (12, lend_a_commitment),
    (12, uncommitted),
    (13, voteless),
    (14, settle_unheard),
    (30, take_out),
    (15, accept_nobody),
    (16, other_hash),
    (17, other_entropy),
    (17, other_last_entropy),
    (18, vote),
    (19, agree),
    (20, add("step", -1)),
    (21, add("phase_deadline", 1)),
    (24, add("creation_slot", 1)),
    (26, published_by_strangers),
    (26, kept_unpublished),
    (27, gift),
    (28, reject),
    (28, reject_unsaid),
    (28, audit_oneself),
    (29, strike),
]
BY_NUMBER = {
    int(check.__name__.partition("_")[0][1:]): check
    for check in (*invariants.CHECKS, invariants.i5_every_position_is_somewhere)
}


@pytest.mark.parametrize(("number", "change"), CASES, ids=lambda one: getattr(one, "__name__", one))
def test_a_broken_invariant_is_noticed(number: int, change: Callable[[Forged], object]) -> None:
    world = settled().world
    past = replace(world.past, wallets={}, settled=dict(world.past.settled))
    after = forged(change)

    with pytest.raises(BrokenError) as raised:
        BY_NUMBER[number](world.now, after, past)

    assert raised.value.number == number


def test_lamports_that_vanish_are_noticed() -> None:
    world = settled().world
    run, roster, rounds = world.now.lamports
    after = replace_data(world.now, world.now.data, lamports=(run - 1, roster, rounds))

    with pytest.raises(BrokenError, match="I23"):
        BY_NUMBER[23](world.now, after, world.past)


def test_what_did_not_change_breaks_nothing() -> None:
    world = settled().world

    invariants.every(world.now, forged(lambda _: None), world.past)


def test_every_invariant_on_accounts_has_a_case() -> None:
    assert {number for number, _ in CASES} | {23} == set(BY_NUMBER)
