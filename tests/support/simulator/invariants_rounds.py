"""The invariants of round records; see `invariants`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from psyche_sdk.views import Phase
from support.simulator.invariants_checkpoints import reset_by_owner
from support.simulator.invariants_missing import CHECKS as MISSING
from support.simulator.invariants_missing import removed
from support.simulator.past import Past, accepted_offsets, measure, must, next_hash, ones
from support.simulator.snapshot import NO_POSITION, Record, Snapshot

#: What never changes once a round has settled.
FINAL = ("accepted", "committed", "commitment", "mask", "share_end", "order", "member_id")
SLOTS_TO_ENTROPY = 2
#: Where the chain slot of an entropy stands, by the prefix of its fields.
NOTED = {
    "": "entropy_target_slot",
    "redraw_": "redraw_target_slot",
    "cooldown_": "cooldown_entropy_slot",
}


def _changed(before: Snapshot, after: Snapshot) -> Iterator[tuple[Record, Record]]:
    """Records that a transaction wrote, as they were and as they are."""
    if before.data[2] == after.data[2]:
        return
    for old, new in zip(before.records, after.records, strict=True):
        if new.valid and old.raw != new.raw:
            yield old, new


def _same_round(old: Record, new: Record) -> bool:
    return old.valid and old.key == new.key


def i10_the_last_rounds_are_kept(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Records are those of the last rounds of this epoch; resting runs have none."""
    del past
    if before.key == after.key and before.phase == after.phase:
        return
    round_ = after.number("round")
    if after.phase in (Phase.TRAIN, Phase.WITNESS):
        wanted = range(max(0, round_ - 3), round_ + 1)
    elif after.phase is Phase.COOLDOWN:
        wanted = range(max(0, round_ - 4), round_)
    else:
        wanted = range(0)
    kept = sorted(one.key for one in after.records if one.valid)
    must(10, kept == [(after.number("epoch"), one) for one in wanted], f"{kept}, not {wanted}")


def i11_shares_cover_their_round(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Every trainer is drawn once; shares, end to end, are the round's sequences."""
    del past
    for _, one in _changed(before, after):
        order, (starts, ends) = one.order(), one.shares()
        must(11, len(np.unique(order)) == len(order), "a slot is drawn twice")
        must(11, (starts <= ends).all(), "shares overlap")
        must(11, not len(ends) or ends[-1] == one.number("sequences"), "shares end elsewhere")
        must(11, measure(one.segments()) == one.number("sequences"), "segments")
        must(11, (starts < ends).sum() == one.number("expected"), "shares that are not empty")
        position = one.words("position")
        must(11, (position[order] == np.arange(len(order))).all(), "positions of the drawn")
        must(11, (position != NO_POSITION).sum() == len(order), "positions of others")
        must(11, (one.words("member_id")[order] > 0).all(), "a trainer without an id")


def i12_commitments_stay(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Only trainers with a share commit, once; counters are those of the bits."""
    del past
    for old, one in _changed(before, after):
        done, hashes, gone = one.bits("committed"), one.commitments(), one.bits("gone")
        order, (starts, ends) = one.order(), one.shares()
        shared = np.zeros(one.capacity, np.bool_)
        shared[order[starts < ends]] = True
        length = np.zeros(one.capacity, np.int64)
        length[order] = ends.astype(np.int64) - starts
        must(12, (hashes.any(axis=1) == done).all(), "hashes without bits")
        must(12, not (done & ~shared).any(), "somebody without a share committed")
        must(12, not (done & gone).any(), "somebody committed and is excused")
        must(12, done.sum() == one.number("committed"), "the number of commitments")
        must(12, gone.sum() == one.number("gone"), "the number of the gone")
        must(12, length[done].sum() == one.number("sequences_committed"), "committed sequences")
        must(12, length[gone].sum() == one.number("sequences_gone"), "gone sequences")
        if _same_round(old, one):
            had = old.bits("committed")
            must(12, (hashes[had] == old.commitments()[had]).all(), "a commitment changed")


def i13_witnesses_are_drawn_late(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Witnesses come from entropy that is known after Train; masks have their bits alone."""
    del past
    for _, one in _changed(before, after):
        elected = one.witnesses()
        must(13, len(set(elected)) == len(elected), "a witness is elected twice")
        known = one.header["entropy_stored"]
        must(13, known or not one.number("draws"), "witnesses without entropy")
        noted, second = one.number("redraw_target_slot"), one.number("draws") > 1
        must(13, not second or noted, "a second draw without entropy of its own")
        must(13, one.number("train_closed_at") or not known, "entropy while it trains")
        attested, masks = one.number("attested"), one.words("mask")
        must(13, attested < 1 << len(elected), "nobody's bit")
        must(13, not (masks & ~np.uint32(attested)).any(), "a vote without an attestation")
        must(13, not masks[~one.bits("committed")].any(), "a vote for what is not committed")


def i14_only_a_quorum_accepts(before: Snapshot, after: Snapshot, past: Past) -> None:
    """The accepted set is what the masks say when the round settles; else it is empty."""
    del past
    for old, one in _changed(before, after):
        chosen = one.bits("accepted")
        if not one.settled:
            must(14, not chosen.any(), "accepted before it settled")
        if not one.settled or (_same_round(old, one) and old.settled):
            continue
        elected, attested = one.number("witnesses"), one.number("attested").bit_count()
        right = np.zeros(one.capacity, np.bool_)
        if one.header["failed"]:
            must(14, one.number("draws") >= 2, "failed without a second draw")
            must(14, 3 * attested < 2 * elected or not elected, "failed though it is valid")
        elif one.number("committed"):
            must(14, elected and 3 * attested >= 2 * elected, "settled without a valid draw")
            votes = ones(one.words("mask"))
            right = (3 * votes >= 2 * attested) & (2 * votes > elected) & one.bits("committed")
            right &= ~one.bits("rejected")
        must(14, (chosen == right).all(), f"round {one.key}: {chosen.sum()} for {right.sum()}")
        must(14, chosen.sum() == one.number("accepted"), "the number of the accepted")
        share = measure(accepted_offsets(one))
        must(14, share == one.number("sequences_accepted"), "accepted sequences")


def i15_what_is_settled_stays(before: Snapshot, after: Snapshot, past: Past) -> None:
    """A settled round keeps its accepted set and all that led to it, but for what was nowhere."""
    out = removed(before, after)
    for _, one in _changed(before, after):
        if not one.settled or one.header["is_drain"]:
            continue
        now = tuple(bytes(one.columns[name]) for name in FINAL)
        hashes = (one.hash("chain_hash_before"), one.hash("chain_hash_after"))
        was = past.settled.setdefault(one.key, (*hashes, *now))
        if out is not None and one.key >= out[1].key:
            kept = was[3:] if one.key == out[1].key else was[2:]
            must(15, kept == now[-len(kept) :], f"round {one.key} changed")
            past.settled[one.key] = (*hashes, *now)
        else:
            must(15, was == (*hashes, *now), f"round {one.key} changed")


def i16_the_chain_hash_follows(before: Snapshot, after: Snapshot, past: Past) -> None:
    """The chain hash is that of all accepted sets, one after the other."""
    fresh = [
        new
        for old, new in _changed(before, after)
        if new.settled and not (_same_round(old, new) and old.settled)
    ]
    out = removed(before, after)
    if out is not None:
        past.chain_hash = out[0].hash("chain_hash_before")
        later = [one for one in after.records if one.valid and one.settled]
        fresh = [one for one in later if one.key >= out[1].key]
        past.rounds_settled -= len(fresh)
    for one in sorted(fresh, key=lambda one: one.key):
        must(16, one.hash("chain_hash_before") == past.chain_hash, "another history before")
        past.chain_hash = next_hash(past.chain_hash, one)
        past.rounds_settled += 1
        must(16, one.hash("chain_hash_after") == past.chain_hash, "not the hash of its set")
    if reset_by_owner(before, after):
        past.chain_hash = after.hash("chain_hash")
    must(16, after.hash("chain_hash") == past.chain_hash, "the run's hash is not that of its sets")


def i17_entropy_is_the_noted_hash(before: Snapshot, after: Snapshot, past: Past) -> None:
    """What is stored is the hash of the newest chain slot up to the noted one, and stays."""
    first = [(before.run, after.run)] if before.number("epoch") == after.number("epoch") else []
    for old, new in first:
        _noted_hash(old, new, before, after, past, prefix="cooldown_")
    both = [(old.header, new.header) for old, new in _changed(before, after)]
    for old, new in [*first, *both]:
        if new is after.run or _same_round_of(old, new):
            _noted_hash(old, new, before, after, past, prefix="")
    for old, new in both:
        if _same_round_of(old, new):
            _noted_hash(old, new, before, after, past, prefix="redraw_")


def _same_round_of(old: np.void, new: np.void) -> bool:
    return all(bool(old[name] == new[name]) for name in ("epoch", "round"))


def _noted_hash(
    old: np.void, new: np.void, before: Snapshot, after: Snapshot, past: Past, *, prefix: str
) -> None:
    """One entropy: a round's, with "redraw_" its second draw's, with "cooldown_" Cooldown's."""
    target, was = (int(one[NOTED[prefix]]) for one in (new, old))
    entropy, had = (one[f"{prefix}entropy"].tobytes() for one in (new, old))
    if target == was and entropy == had:
        return
    if target != was:
        noted = after.moment.chain_slot + SLOTS_TO_ENTROPY
        must(17, target == noted and not _known(new, prefix), f"{target} noted, not {noted}")
        lost = was == 0 or past.hash_at(was) is None or after.phase != before.phase
        must(17, lost, "another slot noted though the first is known")
        past.met["noted anew"] += was != 0 and after.phase == before.phase
        return
    must(17, not _known(old, prefix), "entropy changed")
    must(17, after.moment.chain_slot > was, "stored too early")
    must(17, entropy == past.hash_at(was), "not the noted slot's hash")


def _known(one: np.void, prefix: str) -> bool:
    if prefix == "redraw_":
        return bool(one["draws"] > 1)
    return bool(one[f"{prefix}entropy_stored"])


CHECKS = (
    *MISSING,
    i10_the_last_rounds_are_kept,
    i11_shares_cover_their_round,
    i12_commitments_stay,
    i13_witnesses_are_drawn_late,
    i14_only_a_quorum_accepts,
    i15_what_is_settled_stays,
    i16_the_chain_hash_follows,
    i17_entropy_is_the_noted_hash,
)
