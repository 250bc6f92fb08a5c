"""The invariant of checkpoints; see `invariants`."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from support.simulator.past import Past, must
from support.simulator.snapshot import Snapshot

SEALED, OPENED = 2, 3
MEMBERS = (1, 2, 3, 4)
CONFIRMATIONS_MAX = 2


def reset_by_owner(before: Snapshot, after: Snapshot) -> bool:
    """Whether the owner set a checkpoint: the chain hash begins anew with its digest."""
    digest = after.run["agreed"]["digest"].tobytes()
    reset = hashlib.sha256(b"reset" + before.hash("chain_hash") + digest).digest()
    return after.hash("chain_hash") == reset


def saying(now: Snapshot, digest: bytes) -> set[int]:
    """Ids of the members that said a digest, sealed or opened."""
    entries = now.entries[np.isin(now.entries["state"], MEMBERS)]
    found = set()
    for entry in entries:
        word, wallet = entry["vote"].tobytes(), entry["wallet"].tobytes()
        opened = entry["vote_stage"] == OPENED and word == digest
        sealed = hashlib.sha256(digest + wallet).digest()
        if opened or (entry["vote_stage"] == SEALED and word == sealed):
            found.add(int(entry["member_id"]))
    return found


def i26_checkpoints_are_agreed_and_confirmed(before: Snapshot, after: Snapshot, past: Past) -> None:
    """Only who said the agreed digest publishes and confirms; what is kept has enough of both."""
    del past
    pending, then = after.run["pending_checkpoint"], before.run["pending_checkpoint"]
    if pending["valid"] and pending.tobytes() != then.tobytes():
        said = saying(after, after.run["agreed"]["digest"].tobytes())
        named = set(_ids(pending["publishers"]) + _ids(pending["confirmed_by"]))
        had = set(_ids(then["publishers"]) + _ids(then["confirmed_by"])) if then["valid"] else set()
        must(26, named - had <= said, "somebody spoke that did not say the digest")
        _confirmations_are_others(pending)
    old, new = before.run["checkpoints"], after.run["checkpoints"]
    if old.tobytes() == new.tobytes():
        return
    must(26, new[0].tobytes() == old[1].tobytes(), "the newest before is not the older one now")
    agreed = after.run["agreed"]
    must(26, new[1]["digest"].tobytes() == agreed["digest"].tobytes(), "not the agreed digest")
    if not reset_by_owner(before, after):
        # Whose cases are decided in the same transaction may be gone by then.
        there = after.entries["member_id"][np.isin(after.entries["state"], MEMBERS)]
        said = saying(before, agreed["digest"].tobytes()) & set(there.tolist())
        _enough(new[1], len(said))


def _ids(field: Any) -> list[int]:
    return [int(one) for one in field if one]


def _confirmations_are_others(checkpoint: np.void) -> None:
    publishers = _ids(checkpoint["publishers"])
    must(26, len(set(publishers)) == len(publishers), "two URIs of one member")
    for place in range(2):
        seats = _ids(checkpoint["confirmed_by"][2 * place :][:2])
        must(26, len(set(seats)) == len(seats), "one member confirmed twice")
        must(26, int(checkpoint["publishers"][place]) not in seats, "its own confirmation")


def _enough(checkpoint: np.void, said: int) -> None:
    _confirmations_are_others(checkpoint)
    needed = min(CONFIRMATIONS_MAX, max(said - 1, 0))
    must(26, checkpoint["publishers"][0], "kept without a publisher")
    for place, publisher in enumerate(checkpoint["publishers"]):
        seats = _ids(checkpoint["confirmed_by"][2 * place :][:2])
        must(26, not publisher or len(seats) >= needed, f"{len(seats)} of {needed} confirmed")
