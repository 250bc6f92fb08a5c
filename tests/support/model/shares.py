"""Batches, the backlog, weights and shares (PROTOCOL.md section 7)."""

from __future__ import annotations

from collections.abc import Sequence

from psyche_sdk.instructions import RunConfig
from support.model.state import State
from support.model.words import Interval

PIECES = 8
BACKLOG = 32


def batch(config: RunConfig, step: int) -> int:
    """Sequences that a round of this step wants."""
    start, end, ramp = (
        config.batch_sequences_start,
        config.batch_sequences_end,
        config.batch_ramp_steps,
    )
    return start + (end - start) * step // ramp if step < ramp else end


def take(state: State, wanted: int) -> list[Interval]:
    """Takes positions from the backlog, then fresh ones; at most 8 pieces."""
    pieces: list[Interval] = []
    while wanted and state.backlog and len(pieces) < PIECES:
        start, end = state.backlog.pop(0)
        cut = min(end, start + wanted)
        pieces.append(Interval(start, cut))
        wanted -= cut - start
        if cut < end:
            state.backlog.insert(0, Interval(cut, end))
    if wanted and pieces and pieces[-1].end == state.fresh:
        pieces[-1] = Interval(pieces[-1].start, state.fresh + wanted)
        state.fresh += wanted
    elif wanted and len(pieces) < PIECES:
        pieces.append(Interval(state.fresh, state.fresh + wanted))
        state.fresh += wanted
    state.in_flight += sum(end - start for start, end in pieces)
    return pieces


def give_back(state: State, piece: Interval, entries: int = BACKLOG) -> None:
    """Unites an interval of what was in flight with the backlog."""
    start, end = piece
    if start == end:
        return
    state.in_flight -= end - start
    apart = [one for one in state.backlog if one.end < start or one.start > end]
    near = [one for one in state.backlog if one not in apart]
    for one in near:
        state.repeated -= max(0, min(one.end, piece.end) - max(one.start, piece.start))
        start, end = min(start, one.start), max(end, one.end)
    state.backlog = sorted([*apart, Interval(start, end)])
    if len(state.backlog) == entries:
        gaps = [b.start - a.end for a, b in zip(state.backlog, state.backlog[1:], strict=False)]
        at = gaps.index(min(gaps))
        state.repeated += gaps[at]
        joined = Interval(state.backlog[at].start, state.backlog[at + 1].end)
        state.backlog[at : at + 2] = [joined]


def cut(segments: Sequence[Interval], offsets: Interval) -> list[Interval]:
    """The positions of a stretch of offsets of the segments laid end to end."""
    found: list[Interval] = []
    before = 0
    for start, end in segments:
        low = max(offsets.start - before, 0)
        high = min(offsets.end - before, end - start)
        if low < high:
            found.append(Interval(start + low, start + high))
        before += end - start
    return found


def share_ends(weights: Sequence[int], sequences: int, percent_max: int) -> list[int]:
    """Where each trainer's share ends, in drawn order."""
    total = sum(weights)
    counted = list(weights)
    if len(weights) * percent_max > 100:
        most = max(1, total * percent_max // 100)
        counted = [min(one, most) for one in weights]
    ends: list[int] = []
    before = 0
    for one in counted:
        before += one
        ends.append(sequences * before // sum(counted))
    return ends


def lower_median(values: Sequence[int]) -> int:
    """The value with floor((c - 1) / 2) below it in order."""
    return sorted(values)[(len(values) - 1) // 2]


def first_weight(declared: int, others: Sequence[int]) -> int:
    """The effective weight of a member that is admitted for the first time."""
    return max(1, min(declared, lower_median(others))) if others else declared
