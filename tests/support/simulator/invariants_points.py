"""The invariants of audits, strikes and points; see `invariants`."""

from __future__ import annotations

from collections import Counter

import numpy as np

from support.simulator.past import Past, must
from support.simulator.snapshot import Record, Snapshot

FAIL, OPENED, REJECTED, NO_TARGET = 2, 2, 4, 0xFFFF
FEWEST = 3


def _gone(before: Snapshot, after: Snapshot) -> list[tuple[Record, Record]]:
    """Rounds that became final in a transaction, or whose records went: as they were, as they are.

    Of a record that went the second one is the first again.
    """
    found = []
    for old, new in zip(before.records, after.records, strict=True):
        if not old.valid or old.header["finalised"]:
            continue
        kept = new.valid and new.key == old.key
        if not kept or new.header["finalised"]:
            found.append((old, new if kept else old))
    return found


def _worth(config: np.void, record: Record) -> int:
    """The most points that a round can bring."""
    starts, ends = record.shares()
    good = (record.bits("accepted") & ~record.bits("rejected"))[record.order()]
    sequences = int((ends.astype(np.int64) - starts)[good].sum())
    heard = (record.number("attested") & ~record.number("belied")).bit_count()
    words = len(record.auditors()) + len(record.seats())
    return (
        sequences * int(config["points_per_sequence"])
        + heard * int(config["points_per_attestation"])
        + words * int(config["points_per_verdict"])
    )


def _same_member(before: Snapshot, after: Snapshot) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    same = before.entries["member_id"] == after.entries["member_id"]
    return np.asarray(same & (after.entries["member_id"] > 0))


def i27_points_come_from_final_rounds(before: Snapshot, after: Snapshot, past: Past) -> None:
    """What members gain is at most what rounds that became final are worth."""
    del past
    if before.data[1] == after.data[1]:
        return
    same = _same_member(before, after)
    then, now = before.entries["points"][same].tolist(), after.entries["points"][same].tolist()
    gained = sum(max(new - old, 0) for old, new in zip(then, now, strict=True))
    gained += int(after.entries["points"][~same].sum())
    worth = sum(_worth(before.run["config"], record) for _, record in _gone(before, after))
    must(27, gained <= worth, f"{gained} points, and rounds worth {worth} became final")


def i28_nobody_judges_itself(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Neither auditors nor committees; a payload is rejected by two thirds, and only then."""
    del past
    if before.data[2] == after.data[2]:
        return
    for old, one in zip(before.records, after.records, strict=True):
        if one.valid and old.raw != one.raw:
            _check_audits(one)
            if old.valid and old.key == one.key:
                _check_words(old, one)


def _check_audits(one: Record) -> None:
    auditors, seats = one.auditors(), one.seats()
    targets = [int(target) for target in auditors["target"] if target != NO_TARGET]
    must(28, len(set(targets)) == len(targets), "a payload has two auditors")
    must(28, one.bits("committed")[targets].all(), "what was not committed is audited")
    must(28, not (auditors["slot"] == auditors["target"]).any(), "who audits itself")
    must(28, (auditors["verdict"] != 0).sum() == one.number("verdicts"), "the number of verdicts")
    must(28, (auditors["case_stage"] != 0).sum() == one.number("cases"), "the number of cases")
    pairs = Counter((int(seat["case"]), int(seat["slot"])) for seat in seats)
    must(28, all(count == 1 for count in pairs.values()), "two seats of one")
    sizes = Counter(case for case, _ in pairs)
    for case, size in sizes.items():
        auditor = auditors[case]
        must(28, size == auditor["seats"] >= FEWEST, f"{size} seats")
        for apart in ("slot", "target"):
            must(28, (case, int(auditor[apart])) not in pairs, f"a seat of its {apart}")
    rejected = {int(one["target"]) for one in auditors if one["case_stage"] == REJECTED}
    must(28, rejected <= _to_reject(one), "fewer than two thirds reject a payload")
    # With overlap a quorum may be there before its payload settles, and its case is decided later.
    early = set() if one.header["judged"] else _to_reject(one)
    marked = set(np.flatnonzero(one.bits("rejected")).tolist())
    must(28, rejected <= marked <= rejected | early, "rejected payloads")


def _to_reject(one: Record) -> set[int]:
    """The payloads of which two thirds of a committee opened that they fail."""
    auditors, seats = one.auditors(), one.seats()
    found = set()
    for place, auditor in enumerate(auditors):
        own = seats[seats["case"] == place]
        fails = ((own["stage"] == OPENED) & (own["verdict"] == FAIL)).sum()
        if 3 * fails >= 2 * len(own) > 0:
            found.add(int(auditor["target"]))
    return found


def _check_words(old: Record, one: Record) -> None:
    """What was said stays said."""
    said = old.auditors()["verdict"]
    must(28, (one.auditors()["verdict"][: len(said)] == said)[said != 0].all(), "another verdict")
    seats = old.seats()
    sealed = one.seats()["sealed"][: len(seats)]
    must(28, (sealed == seats["sealed"])[seats["stage"] > 0].all(), "another seal")


def i29_strikes_come_from_rejections(before: Snapshot, after: Snapshot, past: Past) -> None:
    """A member's strikes grow by its payloads that were rejected, and two eject it."""
    if before.data[1] == after.data[1]:
        return
    same = _same_member(before, after)
    more = after.entries["strikes"].astype(np.int64) - before.entries["strikes"]
    struck: Counter[int] = Counter()
    for old, new in zip(before.records, after.records, strict=True):
        kept = new.valid and new.key == old.key
        if old.valid and not old.header["judged"] and (not kept or new.header["judged"]):
            struck.update(_to_reject(old))
    for slot in np.flatnonzero(same & (more != 0)).tolist():
        must(29, 0 < more[slot] <= struck[slot], f"slot {slot}: {more[slot]} strikes")
    out = (after.entries["strikes"] > before.entries["strikes"]) & same
    twice = out & (after.entries["strikes"] >= 2)
    must(29, (after.entries["state"][twice] == 7).all(), "two strikes and still there")
    past.met["ejected"] += int(twice.sum())


CHECKS = (
    i27_points_come_from_final_rounds,
    i28_nobody_judges_itself,
    i29_strikes_come_from_rejections,
)
