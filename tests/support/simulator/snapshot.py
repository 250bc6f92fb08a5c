"""What stands on the chain after a transaction, as numpy views on the accounts' bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from psyche_sdk._generated import layouts
from psyche_sdk._rules.audits import AUDITOR, AUDITORS_MAX, SEAT
from psyche_sdk._rules.rounds import RECORDS, columns_bytes, columns_of
from psyche_sdk.views import Moment, Phase

HEAD = 8  # bytes of an account's discriminator
NO_POSITION = 0xFFFF
Words = npt.NDArray[np.uint32]
Bits = npt.NDArray[np.bool_]
_U16 = ("position", "order")
_BITS = ("committed", "accepted", "rejected", "gone")


@dataclass(frozen=True)
class Record:
    """One record of the ring: its header, its columns by name, and the bytes of both."""

    header: np.void
    columns: dict[str, memoryview]
    raw: tuple[bytes, bytes]
    capacity: int

    def number(self, name: str) -> int:
        """A number of the header."""
        return int(self.header[name])

    @cached_property
    def key(self) -> tuple[int, int]:
        """(epoch, round)."""
        return self.number("epoch"), self.number("round")

    @cached_property
    def valid(self) -> bool:
        """Whether the record holds a round."""
        return bool(self.header["valid"])

    @cached_property
    def settled(self) -> bool:
        """Whether its accepted set is fixed."""
        return bool(self.header["settled"])

    def words(self, name: str) -> npt.NDArray[Any]:
        """A column of numbers."""
        return np.frombuffer(self.columns[name], "<u2" if name in _U16 else "<u4")

    def bits(self, name: str) -> Bits:
        """A bit field by slot, as booleans."""
        packed = np.frombuffer(self.columns[name], np.uint8)
        return np.unpackbits(packed, bitorder="little").astype(np.bool_)

    def commitments(self) -> npt.NDArray[np.uint8]:
        """A hash a slot."""
        return np.frombuffer(self.columns["commitment"], np.uint8).reshape(self.capacity, 32)

    def order(self) -> npt.NDArray[np.uint16]:
        """The trainers' slots in drawn order."""
        return self.words("order")[: self.number("trainers")]

    def shares(self) -> tuple[Words, Words]:
        """Where each trainer's share starts and ends, in drawn order."""
        ends = self.words("share_end")[: self.number("trainers")]
        return np.concatenate([np.zeros(1, ends.dtype), ends[:-1]])[: len(ends)], ends

    def segments(self) -> list[tuple[int, int]]:
        """The round's positions, in order."""
        rows = self.header["segments"][: self.number("segment_count")]
        return [(int(one["start"]), int(one["end"])) for one in rows]

    def witnesses(self) -> list[tuple[int, int]]:
        """(slot, member id) of the elected witnesses."""
        count = self.number("witnesses")
        slots = self.header["witness_slots"][:count].tolist()
        return list(zip(slots, self.header["witness_member_ids"][:count].tolist(), strict=True))

    def auditors(self) -> npt.NDArray[Any]:
        """Who audits the round's payloads."""
        rows = np.frombuffer(self.columns["verifiers"], AUDITOR, AUDITORS_MAX)
        return rows[: self.number("auditors")]

    def seats(self) -> npt.NDArray[Any]:
        """The seats of its committees."""
        start = AUDITORS_MAX * AUDITOR.itemsize
        return np.frombuffer(self.columns["verifiers"], SEAT, self.number("seats"), start)

    def complaints(self) -> dict[int, Bits]:
        """Who says that a payload is nowhere, by its slot, for each complaint that stands."""
        standing, slots = self.number("complaints"), self.header["complaint_slots"].tolist()
        return {
            slot: self.said_missing()[at] for at, slot in enumerate(slots) if standing >> at & 1
        }

    def said_missing(self) -> npt.NDArray[np.bool_]:
        """Bits by place and slot: three places of complaints, then who opened one."""
        packed = np.frombuffer(self.columns["missing"], np.uint8).reshape(4, -1)
        return np.unpackbits(packed, axis=1, bitorder="little").astype(np.bool_)

    def hash(self, name: str) -> bytes:
        """A hash of the header."""
        return bytes(self.header[name].tobytes())


@dataclass(frozen=True)
class Snapshot:
    """A run's three accounts, and when they were read."""

    moment: Moment
    data: tuple[bytes, bytes, bytes]
    lamports: tuple[int, int, int] = (0, 0, 0)
    run: np.void = field(init=False)
    entries: npt.NDArray[Any] = field(init=False)
    records: tuple[Record, ...] = field(init=False)

    def __post_init__(self) -> None:
        run_bytes, roster, rounds = self.data
        run = np.frombuffer(run_bytes, layouts.RUN, 1, HEAD)[0]
        capacity = int(run["capacity"])
        start = HEAD + layouts.ROSTER_HEADER.itemsize
        fixed = np.frombuffer(rounds, layouts.ROUNDS, 1, HEAD)[0]
        object.__setattr__(self, "run", run)
        object.__setattr__(
            self, "entries", np.frombuffer(roster, layouts.ROSTER_ENTRY, capacity, start)
        )
        size = columns_bytes(capacity)
        first = HEAD + layouts.ROUNDS.itemsize
        found = []
        for index in range(RECORDS):
            block = rounds[first + index * size : first + (index + 1) * size]
            header = fixed["records"][index]
            columns = columns_of(rounds, capacity, index)
            found.append(Record(header, columns, (header.tobytes(), block), capacity))
        object.__setattr__(self, "records", tuple(found))

    def number(self, name: str) -> int:
        """A number of the run."""
        return int(self.run[name])

    def hash(self, name: str) -> bytes:
        """A hash of the run."""
        return bytes(self.run[name].tobytes())

    @cached_property
    def phase(self) -> Phase:
        """The run's phase."""
        return Phase(self.number("phase"))

    @cached_property
    def capacity(self) -> int:
        """Slots of the roster."""
        return self.number("capacity")

    @cached_property
    def key(self) -> tuple[int, int]:
        """(epoch, round)."""
        return self.number("epoch"), self.number("round")

    @cached_property
    def backlog(self) -> list[tuple[int, int]]:
        """The intervals that wait."""
        rows = self.run["backlog"][: self.number("backlog_count")]
        return [(int(one["start"]), int(one["end"])) for one in rows]

    @cached_property
    def target(self) -> Record | None:
        """The record whose payloads are attested and settled in the present round."""
        return self.record(self.number("round") - int(self.run["config"]["overlap"]))

    def record(self, round_: int) -> Record | None:
        """The record of a round of this epoch, if it is kept."""
        if round_ < 0:
            return None
        found = self.records[round_ % RECORDS]
        return found if found.valid and found.key == (self.number("epoch"), round_) else None

    def slots(self, *states: int) -> list[int]:
        """The slots in one of these states, ascending."""
        found: list[int] = np.flatnonzero(np.isin(self.entries["state"], states)).tolist()
        return found
