"""Grace (PROTOCOL.md section 4)."""

from __future__ import annotations

from support.model.state import State
from support.model.words import Moment


def consider(state: State, now: Moment) -> None:
    """Grace begins when most have committed; looked for at each commitment, and who goes."""
    record = state.present()
    shared = record.with_share()
    those = [slot for slot in shared if slot in record.committed or slot not in record.gone]
    done = [slot for slot in those if slot in record.committed]
    sequences = sum(record.share_size(slot) for slot in those)
    finished = sum(record.share_size(slot) for slot in done)
    most = 3 * finished >= 2 * sequences and 2 * len(done) >= len(those)
    if done and most and state.grace_since is None:
        spent = max(0, now.time - record.began.time)
        state.grace_since = now
        state.grace_seconds = max(state.config.grace_seconds, -(-spent // 2))
