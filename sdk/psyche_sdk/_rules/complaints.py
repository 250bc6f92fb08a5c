"""What a member has to say about payloads that it finds nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psyche_sdk._rules.rounds import RoundRecord
    from psyche_sdk._rules.run import Run


@dataclass(frozen=True, slots=True)
class Complaint:
    """An accepted payload that members say is nowhere: its slot, and a bit field of who says so."""

    target: int
    voices: bytes

    def has(self, slot: int) -> bool:
        """Whether the member in a slot joined it."""
        return _bit(self.voices, slot)


def complaints_open(run: Run, record: RoundRecord) -> bool:
    """Whether payloads of a kept round can still be taken out of its accepted set."""
    begun = record.round + 1 + run.config.overlap
    states = [*([run.agreed] if run.agreed is not None else []), *run.snapshots]
    held = any(one.epoch == record.epoch and one.round >= begun for one in states)
    return record.settled and not record.judged and not record.finalised and not held


def next_complaint(
    complaints: Sequence[Complaint | None], openers: bytes, slot: int, lacking: Sequence[int]
) -> int | None:
    """Which of the payloads that it lacks the member in a slot shall say `missing` about now.

    Everybody begins with the lowest, so that voices meet; as many as there are places. A complaint
    about a payload that is here gives way, one about another that is lacking does not: None.
    """
    standing = {one.target: one for one in complaints if one is not None}
    wanted = sorted(lacking)[: len(complaints)]
    for target in wanted:
        found = standing.get(target)
        if found is not None and not found.has(slot):
            return target
    new = [target for target in wanted if target not in standing]
    room = len(standing) < len(complaints) or not set(standing) <= set(wanted)
    return new[0] if new and room and not _bit(openers, slot) else None


def _bit(field: bytes, index: int) -> bool:
    return bool(field[index // 8] >> index % 8 & 1)
