"""Published checkpoints (PROTOCOL.md section 11)."""

from __future__ import annotations

from collections.abc import Mapping

from support.model import draws, rounds, votes
from support.model.agreed import Checkpoint, Published
from support.model.state import State
from support.model.words import MEMBERS, Moment, Phase, Place

#: URIs of a checkpoint, members that confirm one of them, and a URI's longest.
URIS, CONFIRMATIONS, URI_BYTES = 2, 2, 96


def begin(state: State, now: Moment) -> None:
    """Cooldown begins: its entropy is noted."""
    state.cooling_noted, state.cooling_entropy = now.chain_slot + rounds.LATER, None
    state.publishers, state.pending = [], None


def store(state: State, hashes: Mapping[int, bytes], now: Moment) -> bool:
    """Section 5: Cooldown's entropy is stored, or noted anew; publishers are drawn."""
    waits = state.phase is Phase.COOLDOWN and state.cooling_entropy is None
    if not waits or now.chain_slot <= state.cooling_noted:
        return False
    found = rounds.entropy_at(hashes, state.cooling_noted, now)
    state.cooling_entropy, state.cooling_noted = found
    if state.cooling_entropy is not None:
        seed = draws.seed_of(
            state.instance, state.epoch, state.round, draws.PUBLISHERS, state.cooling_entropy
        )
        drawn = draws.Words(seed).shuffle(state.slots(Place.ACTIVE), URIS)
        state.publishers = [(slot, state.entries[slot].member_id) for slot in drawn]
    return True


def uri_fits(uri: str) -> bool:
    """1 to 96 printable ASCII characters without a space."""
    return 0 < len(uri) <= URI_BYTES and all(33 <= ord(letter) <= 126 for letter in uri)


def needed(state: State) -> int:
    """Confirmations that a URI needs."""
    digest = state.agreed.digest
    said = [s for s in state.slots(*MEMBERS) if votes.said_digest(state, s, digest)]
    return min(CONFIRMATIONS, max(len(said) - 1, 0))


def confirmed(state: State) -> list[Published]:
    """What was published in this Cooldown and has the confirmations that it needs."""
    places = state.pending.places if state.pending is not None else []
    return [one for one in places if len(one.confirmed) >= needed(state)]


def finish(state: State) -> None:
    """Cooldown is over: what is confirmed is kept, the rest forgotten."""
    found, places = state.pending, confirmed(state)
    state.pending = None
    if found is not None and places:
        found.places = places
        keep(state, found)


def keep(state: State, checkpoint: Checkpoint) -> None:
    """The newest of the two that are kept."""
    state.checkpoints = [*state.checkpoints, checkpoint][-2:]
