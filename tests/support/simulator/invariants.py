"""What must hold after every transaction: the numbers are those of docs/INVARIANTS.md.

Each function takes the accounts before and after a transaction and what was seen before; it reads
them only, and raises `BrokenError`. `every` runs them all, then lets the past take up what was.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from psyche_sdk.views import Moment, Phase
from support.simulator import invariants_points as points
from support.simulator import invariants_rounds as rounds
from support.simulator.invariants_checkpoints import (
    i26_checkpoints_are_agreed_and_confirmed,
    reset_by_owner,
)
from support.simulator.past import (
    Past,
    accepted_offsets,
    flying_offsets,
    measure,
    merged,
    must,
    positions_of,
)
from support.simulator.snapshot import NO_POSITION, Snapshot

Check = Callable[[Snapshot, Snapshot, Past], None]
#: States of members: Joined, Ready, Active, Behind.
COUNTS = ("joined", "ready", "active", "behind")
ACTIVE = 3
BACKLOG_MAX = 31
RUNNING = (Phase.TRAIN, Phase.WITNESS, Phase.COOLDOWN)
TIMED = {
    Phase.WARMUP: "warmup_seconds",
    Phase.TRAIN: "train_seconds",
    Phase.WITNESS: "witness_seconds",
    Phase.COOLDOWN: "cooldown_seconds",
}
FIXED = ("version", "capacity", "creation_slot", "instance", "creator", "rent_payer", "run_id")


def i1_counts_are_those_of_the_roster(_: Snapshot, after: Snapshot, past: Past) -> None:
    """No more members than slots; each count equals the entries in that state."""
    del past
    found = np.bincount(after.entries["state"], minlength=8)
    counted = [after.number(name) for name in COUNTS]
    must(1, counted == found[1:5].tolist(), f"counts {counted}, states {found.tolist()}")
    must(1, sum(counted) <= after.capacity, "more members than slots")


def i2_no_position_is_lost(_: Snapshot, after: Snapshot, past: Past) -> None:
    """Fresh cursor + repeated = accepted + in flight + backlog."""
    del past
    drawn = after.number("fresh_cursor") + after.number("repeated")
    placed = after.number("accepted") + after.number("in_flight") + measure(after.backlog)
    must(2, drawn == placed, f"{drawn} drawn, {placed} placed")


def i3_the_backlog_is_a_list(_: Snapshot, after: Snapshot, past: Past) -> None:
    """Ascending intervals that neither overlap nor touch, below the cursor, one entry free."""
    del past
    waits = after.backlog
    must(3, len(waits) <= BACKLOG_MAX, f"{len(waits)} intervals")
    must(3, merged(waits) == waits, f"not a list of apart intervals: {waits}")
    must(3, not waits or waits[-1][1] <= after.number("fresh_cursor"), "beyond the cursor")


def i4_in_flight_is_what_records_hold(before: Snapshot, after: Snapshot, past: Past) -> None:
    """What is neither accepted nor back, of all kept records, is in flight."""
    del past
    if _same_rounds(before, after) and before.run["in_flight"] == after.run["in_flight"]:
        return
    held = sum(measure(flying_offsets(one)) for one in after.records if one.valid)
    must(4, held == after.number("in_flight"), f"{after.number('in_flight')}, records hold {held}")


def i5_every_position_is_somewhere(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Accepted, in flight and waiting positions cover all that was drawn, without a gap."""
    same = before.number("fresh_cursor") == after.number("fresh_cursor")
    if same and _same_rounds(before, after) and before.backlog == after.backlog:
        return
    places = [*past.placed, *after.backlog]
    for one in after.records:
        if one.valid:
            places += positions_of(one, flying_offsets(one))
            if one.settled:
                places += positions_of(one, accepted_offsets(one))
    cursor = after.number("fresh_cursor")
    must(5, merged(places) == ([(0, cursor)] if cursor else []), "a position is nowhere")


def i6_no_wallet_holds_two_slots(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Members have wallets of their own."""
    del past
    if before.data[1] == after.data[1]:
        return
    held = np.isin(after.entries["state"], (1, 2, 3, 4))
    wallets = after.entries["wallet"][held].view("V32").ravel()
    must(6, len(set(wallets.tolist())) == len(wallets), "a wallet holds two slots")


def i7_member_ids_are_never_reused(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Ids are below the next one, each in one slot; a slot's new holder has a new id."""
    if before.data[1] == after.data[1]:
        return
    ids = after.entries["member_id"]
    held = ids[ids > 0]
    must(7, len(np.unique(held)) == len(held), "an id stands in two slots")
    must(7, not len(held) or held.max() < after.number("next_member_id"), "an id from the future")
    for slot in np.flatnonzero(ids != before.entries["member_id"]).tolist():
        old, new = before.entries[slot], int(ids[slot])
        must(7, not 1 <= old["state"] <= 4, f"slot {slot} was taken from a member")
        must(7, new == 0 or new >= before.number("next_member_id"), f"id {new} comes back")
        past.wallets.setdefault(new, after.entries[slot]["wallet"].tobytes())
    for slot in np.flatnonzero((after.entries["wallet"] != before.entries["wallet"]).any(axis=1)):
        must(7, ids[slot] != before.entries["member_id"][slot], "another wallet, the same id")


def i8_who_is_named_keeps_its_slot(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Whom a kept record names, as trainer or witness, its slot still shows."""
    del past
    if before.data[1:] == after.data[1:]:
        return
    ids = after.entries["member_id"]
    for one in after.records:
        if not one.valid:
            continue
        named = one.words("position") != NO_POSITION
        must(8, (one.words("member_id") == ids)[named].all(), f"round {one.key}: trainer's slot")
        for slot, member_id in one.witnesses():
            must(8, ids[slot] == member_id, f"round {one.key}: slot {slot} of a witness")


def i9_weights_are_in_range(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Members declare 1 to 1,000; who is Active has an effective weight of 1 up to that."""
    del past
    if before.data[1] == after.data[1]:
        return
    state, own = after.entries["state"], after.entries["declared_weight"]
    held, active = np.isin(state, (1, 2, 3, 4)), state == ACTIVE
    weight = after.entries["weight"]
    must(9, ((own >= 1) & (own <= 1_000))[held].all(), "a declared weight")
    must(9, ((weight >= 1) & (weight <= own))[active].all(), "an effective weight")


def i18_votes_are_counted(_: Snapshot, after: Snapshot, past: Past) -> None:
    """In an open vote each who may vote has said nothing yet, sealed a word, or is gone."""
    del past
    vote = after.run["vote"]
    if not vote["kind"] or not vote["opened_slot"]:
        return
    stages = np.bincount(after.entries["vote_stage"], minlength=4)
    counted = int(stages[1]) + int(vote["committed"]) + int(vote["absent"])
    must(18, counted == vote["eligible"], f"{counted} of {vote['eligible']} who may vote")
    must(18, stages[3] <= vote["revealed"] <= vote["committed"], "opened words")


def i19_agreement_has_half_of_the_voters(before: Snapshot, after: Snapshot, past: Past) -> None:
    """An agreed digest was opened by at least half of those who may vote."""
    del past
    if reset_by_owner(before, after):
        return
    for name in ("agreed", "snapshots"):
        now, then = np.atleast_1d(after.run[name])[-1], np.atleast_1d(before.run[name])[-1]
        if now.tobytes() == then.tobytes():
            continue
        said = (after.entries["vote"] == now["digest"]).all(axis=1).sum()
        must(19, 2 * said >= before.run["vote"]["eligible"], f"{said} said what was agreed")
        must(19, said >= before.run["config"]["min_members"], "fewer than min_members agree")


def i20_nothing_goes_back(before: Snapshot, after: Snapshot, past: Past) -> None:
    """(epoch, round), steps, transitions and ids only grow."""
    del past
    must(20, after.key >= before.key, f"{before.key} became {after.key}")
    for name in ("step", "transitions", "next_member_id"):
        must(20, after.number(name) >= before.number(name), f"{name} went back")
    cursor = after.number("fresh_cursor")
    must(20, cursor >= before.number("fresh_cursor") or not cursor, "the cursor went back")


def i21_deadlines_follow_from_the_phase(_: Snapshot, after: Snapshot, past: Past) -> None:
    """A deadline is the time of the transition and the phase's seconds; others have none."""
    del past
    name = TIMED.get(after.phase)
    due = after.number("phase_started_at") + int(after.run["config"][name]) if name else 0
    must(21, after.number("phase_deadline") == due, f"{after.number('phase_deadline')}, not {due}")
    must(21, after.phase in RUNNING or not after.number("in_flight"), "in flight while it rests")


def overdue(run: Snapshot, now: Moment) -> bool:
    """Whether the phase's seconds went by, and no chain slot that was noted is still to come."""
    name = TIMED.get(run.phase)
    started = Moment(run.number("phase_started_at"), run.number("phase_started_slot"))
    if name is None or not started.passed(int(run.run["config"][name]), now):
        return False
    noted = [run.number("entropy_target_slot")]
    for one in run.records:
        if one.valid:
            noted += [one.number("entropy_target_slot"), one.number("redraw_target_slot")]
    return max(noted) < now.chain_slot


def i23_lamports_are_rent_and_bonds(_: Snapshot, after: Snapshot, past: Past) -> None:
    """The accounts hold their rent, and the run besides it bonds and what is forfeited."""
    bonds = int(after.entries["bond_lamports"].sum())
    run, roster, rounds_ = past.rents
    held = run + bonds + after.number("forfeited_lamports")
    must(23, after.number("bonds_lamports") == bonds, f"{bonds} on the roster, another sum noted")
    must(23, after.lamports == (held, roster, rounds_), f"{after.lamports}, bonds {bonds}")


def i24_an_account_stays_what_it_is(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Sizes, versions, addresses and the instance never change."""
    del past
    sizes = [[len(one) for one in which.data] for which in (before, after)]
    must(24, sizes[0] == sizes[1], f"sizes {sizes}")
    same = all(before.run[name].tobytes() == after.run[name].tobytes() for name in FIXED)
    must(24, same, "an account became another")


def _same_rounds(before: Snapshot, after: Snapshot) -> bool:
    return before.data[2] == after.data[2]


def take_up(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Keeps what is needed of records that are gone."""
    if after.number("fresh_cursor") < before.number("fresh_cursor"):
        past.placed = []  # the owner reset the positions
    if _same_rounds(before, after):
        return
    kept = {one.key for one in after.records if one.valid}
    for one in before.records:
        if one.valid and one.settled and one.key not in kept:
            past.placed += positions_of(one, accepted_offsets(one))
            past.settled.pop(one.key, None)
    past.placed = merged(past.placed)


CHECKS: tuple[Check, ...] = (
    i1_counts_are_those_of_the_roster,
    i2_no_position_is_lost,
    i3_the_backlog_is_a_list,
    i4_in_flight_is_what_records_hold,
    i6_no_wallet_holds_two_slots,
    i7_member_ids_are_never_reused,
    i8_who_is_named_keeps_its_slot,
    i9_weights_are_in_range,
    *rounds.CHECKS,
    i18_votes_are_counted,
    i19_agreement_has_half_of_the_voters,
    i20_nothing_goes_back,
    i21_deadlines_follow_from_the_phase,
    i23_lamports_are_rent_and_bonds,
    i24_an_account_stays_what_it_is,
    i26_checkpoints_are_agreed_and_confirmed,
    *points.CHECKS,
)


def every(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Checks all of them.

    Raises:
        BrokenError: one does not hold.
    """
    for check in CHECKS:
        check(before, after, past)
    take_up(before, after, past)
    i5_every_position_is_somewhere(before, after, past)
