"""Positions to be trained again: a short ascending list of disjoint intervals."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

#: Pieces that the positions of one round can have.
SEGMENTS = 8


class Interval(NamedTuple):
    """A half-open interval of positions."""

    start: int
    end: int


class Taken(NamedTuple):
    """What a round takes: its segments in order, and how many of its positions are fresh."""

    segments: list[Interval]
    sequences: int
    fresh: int


class Returned(NamedTuple):
    """What giving back did to the sums of the run."""

    repeated: int
    overlapped: int


@dataclass(slots=True)
class Backlog:
    """The list; with ``entries`` intervals its two nearest are joined, so it keeps one less."""

    entries: int
    intervals: list[Interval] = field(default_factory=list)

    @property
    def positions(self) -> int:
        """The number of positions in the list."""
        return sum(end - start for start, end in self.intervals)

    def take(self, batch: int, cursor: int) -> Taken:
        """Takes ``batch`` positions: the lowest of the list first, then fresh ones.

        A round has at most eight segments, so it may get fewer. Fresh positions that follow the
        last segment directly extend it.
        """
        segments: list[Interval] = []
        wanted = batch
        while wanted and self.intervals and len(segments) < SEGMENTS:
            start, end = self.intervals.pop(0)
            middle = min(end, start + wanted)
            segments.append(Interval(start, middle))
            wanted -= middle - start
            if middle < end:
                self.intervals.insert(0, Interval(middle, end))
        fresh = 0
        if wanted and segments and segments[-1].end == cursor:
            segments[-1] = Interval(segments[-1].start, cursor + wanted)
            fresh = wanted
        elif wanted and len(segments) < SEGMENTS:
            segments.append(Interval(cursor, cursor + wanted))
            fresh = wanted
        return Taken(segments, batch - wanted + fresh, fresh)

    def give_back_share(self, segments: Iterable[Interval], first: int, end: int) -> Returned:
        """Gives back the offsets ``first`` .. ``end`` of a round's segments."""
        repeated = overlapped = offset = 0
        for segment in segments:
            length = segment.end - segment.start
            low, high = max(first - offset, 0), min(end - offset, length)
            if low < high:
                returned = self.give_back(Interval(segment.start + low, segment.start + high))
                repeated += returned.repeated
                overlapped += returned.overlapped
            offset += length
        return Returned(repeated, overlapped)

    def give_back(self, interval: Interval) -> Returned:
        """Adds an interval: neighbours are merged; if the list is full, two are joined."""
        if interval.end <= interval.start:
            return Returned(0, 0)
        touching = [
            one for one in self.intervals if one.start <= interval.end and one.end >= interval.start
        ]
        overlapped = sum(
            min(one.end, interval.end) - max(one.start, interval.start) for one in touching
        )
        merged = Interval(
            min([interval.start, *(one.start for one in touching)]),
            max([interval.end, *(one.end for one in touching)]),
        )
        rest = [one for one in self.intervals if one not in touching]
        self.intervals = sorted([*rest, merged])
        return Returned(self._join_if_full(), overlapped)

    def _join_if_full(self) -> int:
        if len(self.intervals) < self.entries:
            return 0
        gaps = [
            high.start - low.end
            for low, high in zip(self.intervals, self.intervals[1:], strict=False)
        ]
        best = gaps.index(min(gaps))
        low, high = self.intervals[best : best + 2]
        self.intervals[best : best + 2] = [Interval(low.start, high.end)]
        return gaps[best]
