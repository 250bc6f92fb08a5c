"""Strands: the sets of some 2,048 coefficients as one number each, all strands side by side.

A number (the state) holds a set of t indices as: some index of the set, and the other t - 1.
Which one it was is told by the state itself, so that the order of a set costs nothing: the index
takes 12 bits, and gives log2 t back. docs/payload.md has the steps.

In shapes: N strands, or those that still have a group; C the count of a group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from psyche_client.optim.form import GROUP_SIZE, STRAND

#: Every state lies in 2^16..2^32; a strand begins with the least.
_FIRST = 1 << 16
_INDEX_BITS = 12
#: A state that is written is below size * 2^20 before a step, so that it stays below 2^32.
_ROOM_BITS = 20

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """The groups that strands have at one place of theirs, those with the largest count first."""

    strands: NDArray[np.int64]
    counts: NDArray[np.int64]
    #: Where each group's coefficients begin among all that are sent.
    starts: NDArray[np.int64]

    def places(self) -> NDArray[np.int64]:
        """[C, N]: where each coefficient stands; only the first `counts` of a column are there."""
        return self.starts + np.arange(self.counts[0])[:, None]

    def lanes(self, size: int) -> int:
        """How many of the groups have at least `size` coefficients."""
        return int(np.searchsorted(-self.counts, -size, side="right"))


class Cut:
    """How a payload with these counts is cut into strands."""

    def __init__(self, counts: NDArray[np.int64]) -> None:
        """Groups that send nothing belong to no strand."""
        sending = counts > 0
        self._counts = counts[sending]
        self._starts = np.cumsum(self._counts) - self._counts
        part = self._starts // STRAND
        first = np.flatnonzero(np.diff(part, prepend=-1))
        sizes = np.diff(first, append=len(part))
        self.strands = len(first)
        self._strand = np.repeat(np.arange(self.strands), sizes)
        self._row = np.arange(len(part)) - np.repeat(first, sizes)
        #: Coefficients of each strand.
        self.sent = np.add.reduceat(self._counts, first) if len(first) else self._counts

    def rows(self) -> Iterator[Row]:
        """The first group of every strand, then the second of those that have one, and so on."""
        order = np.lexsort((-self._counts, self._row))
        edges = np.concatenate(([0], np.cumsum(np.bincount(self._row))))
        for begin, end in pairwise(edges):
            some = order[begin:end]
            yield Row(self._strand[some], self._counts[some], self._starts[some])


def read(words: NDArray[np.uint16], lengths: NDArray[np.int64], cut: Cut) -> Indices | None:
    """The indices in the strands' words, group after group; None if a strand does not decode.

    Args:
        words: of all strands, `lengths` of each, at least two.
        lengths: words of each strand.
        cut: how the counts are cut into strands.
    """
    ends = np.cumsum(lengths)
    at = ends - lengths
    # A strand that runs out of words goes on with others; it is found at the end.
    stream = np.concatenate((words, np.zeros(GROUP_SIZE + STRAND, np.uint16))).astype(np.int64)
    state = (stream[at] << 16) | stream[at + 1]
    fits = bool((state >= _FIRST).all())
    at += 2
    found = np.zeros(int(cut.sent.sum()), np.int64)
    for row in cut.rows():
        lanes = _Lanes(state[row.strands], at[row.strands])
        sets = np.full((row.counts[0], len(row.strands)), GROUP_SIZE, np.int64)
        for size in range(1, len(sets) + 1):
            lanes.add(sets[:size, : row.lanes(size)], stream)
        state[row.strands], at[row.strands] = lanes.state, lanes.at
        sets.sort(axis=0)
        there = sets < GROUP_SIZE
        fits &= not ((sets[1:] == sets[:-1]) & there[1:]).any()
        found[row.places()[there]] = sets[there]
    return found if fits and (state == _FIRST).all() and (at == ends).all() else None


@dataclass(slots=True)
class _Lanes:
    """The states [N] of strands that are read, and where their next words stand."""

    state: NDArray[np.int64]
    at: NDArray[np.int64]

    def add(self, sets: NDArray[np.int64], stream: NDArray[np.int64]) -> None:
        """Puts another index in the last row of the sets, which are the first strands'."""
        size, lanes = sets.shape
        index = self.state[:lanes] & (GROUP_SIZE - 1)
        rank = np.count_nonzero(sets[:-1] < index, axis=0)
        sets[-1] = index
        state = (self.state[:lanes] >> _INDEX_BITS) * size + rank
        short = state < _FIRST
        self.state[:lanes] = np.where(short, (state << 16) | stream[self.at[:lanes]], state)
        self.at[:lanes] += short


def write(indices: Indices, cut: Cut) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """The strands' words, one strand after the other, and how many each has."""
    state = np.full(cut.strands, _FIRST, np.int64)
    # A step writes one word at most; a strand's words stand from its last to its first.
    room = int(cut.sent.max(initial=0)) + 2
    stream = np.zeros((cut.strands, room), np.uint16)
    at = np.zeros(cut.strands, np.int64)
    for row in [*cut.rows()][::-1]:
        x, here = state[row.strands], at[row.strands]
        sets = indices[np.minimum(row.places(), len(indices) - 1)]
        for size in range(len(sets), 0, -1):
            lanes = row.lanes(size)
            long = x[:lanes] >> _ROOM_BITS >= size
            stream[row.strands[:lanes], here[:lanes]] = x[:lanes] & 0xFFFF
            here[:lanes] += long
            rest, rank = np.divmod(x[:lanes] >> (16 * long), size)
            x[:lanes] = (rest << _INDEX_BITS) | sets[rank, np.arange(lanes)]
            _take_out(sets, rank, size, lanes)
        state[row.strands], at[row.strands] = x, here
    every = np.arange(cut.strands)
    stream[every, at], stream[every, at + 1] = state & 0xFFFF, state >> 16
    lengths = at + 2
    last_first = np.arange(room - 1, -1, -1)
    return stream[:, ::-1][last_first < lengths[:, None]], lengths


def _take_out(sets: NDArray[np.int64], rank: NDArray[np.int64], size: int, lanes: int) -> None:
    """Closes the gap that each set has at its rank."""
    later = np.arange(size - 1)[:, None] >= rank
    sets[: size - 1, :lanes] = np.where(later, sets[1:size, :lanes], sets[: size - 1, :lanes])
