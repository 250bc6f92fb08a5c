"""What is stored before anything else is done (PROTOCOL.md section 5)."""

from __future__ import annotations

from collections.abc import Mapping

from support.model import rounds, verify
from support.model.state import State
from support.model.words import Moment


def store(state: State, hashes: Mapping[int, bytes], now: Moment) -> bool:
    """All that is due, or else one committee; whether anything was done."""
    done = rounds.store_entropy(state, hashes, now)
    if not done and state.config.verification_percent:
        done = verify.store_committee(state, hashes, now)
    return done
