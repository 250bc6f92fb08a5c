"""The invariant of payloads that are nowhere to be had; see `invariants`."""

from __future__ import annotations

import numpy as np

from psyche_sdk.views import MemberState
from support.simulator.past import Past, must
from support.simulator.snapshot import Record, Snapshot


def removed(before: Snapshot, after: Snapshot) -> tuple[Record, Record, int] | None:
    """The record whose accepted set a transaction made smaller by one slot, and that slot."""
    if before.data[2] == after.data[2]:
        return None
    found = []
    for old, new in zip(before.records, after.records, strict=True):
        if old.valid and new.valid and old.key == new.key and old.settled:
            gone = np.flatnonzero(old.bits("accepted") & ~new.bits("accepted")).tolist()
            found += [(old, new, slot) for slot in gone]
    return found[0] if len(found) == 1 else None


def i30_only_two_thirds_take_out(before: Snapshot, after: Snapshot, past: Past) -> None:
    """A payload leaves its accepted set by two thirds of the Active members, while it can."""
    if before.data[2] == after.data[2]:
        return
    for old, new in zip(before.records, after.records, strict=True):
        if new.valid and old.raw != new.raw:
            _check_complaints(old, new)
    found = removed(before, after)
    if found is None:
        return
    old, new, slot = found
    active = before.entries["state"] == MemberState.ACTIVE
    said = old.complaints().get(slot, np.zeros(old.capacity, np.bool_))
    # The last of them spoke in this transaction.
    voices = int((said & active).sum()) + 1
    must(30, 3 * voices >= 2 * int(active.sum()), f"{voices} voices took slot {slot} out")
    must(30, not old.header["judged"] and not old.header["finalised"], "the round was final")
    begun = old.number("round") + 1 + int(before.run["config"]["overlap"])
    for agreed in (before.run["agreed"], *before.run["snapshots"]):
        holds = agreed["epoch"] == before.number("epoch") and agreed["round"] >= begun
        must(30, not (agreed["valid"] and holds), "agreed parameters hold it")
    share = _share(old, slot)
    must(30, new.number("accepted") == old.number("accepted") - 1, "the number of the accepted")
    left = old.number("sequences_accepted") - share
    must(30, new.number("sequences_accepted") == left, "accepted sequences")
    must(30, after.number("accepted") == before.number("accepted") - share, "the run's")
    liars = old.number("belied") | int(old.words("mask")[slot])
    must(30, new.number("belied") == liars, "its witnesses")
    past.removed += 1


def _share(record: Record, slot: int) -> int:
    place = record.order().tolist().index(slot)
    starts, ends = record.shares()
    return int(ends[place]) - int(starts[place])


def _check_complaints(old: Record, new: Record) -> None:
    complaints, openers = new.complaints(), new.said_missing()[-1]
    must(30, len(complaints) == new.number("complaints").bit_count(), "two about one payload")
    for slot, said in complaints.items():
        must(30, new.bits("accepted")[slot], "a complaint about what is not accepted")
        must(30, said.any(), "a complaint of nobody")
    must(30, openers.sum() >= len(complaints), "a complaint that nobody opened")
    if old.valid and old.key == new.key:
        had = old.said_missing()[-1]
        must(30, not (had & ~openers).any(), "who opened one is forgotten")
        for slot, said in old.complaints().items():
            if slot in complaints:
                must(30, not (said & ~complaints[slot]).any(), "a voice is gone")


CHECKS = (i30_only_two_thirds_take_out,)
