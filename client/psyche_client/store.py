"""A client's folder on disk: payloads, the history of settled rounds, agreed states.

A settled round is written whole (payloads first, then its record, each fsynced) before it is
applied, so that a network whose every client was killed goes on from what lies on its disks.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

ROUND_KEYS = frozenset(
    ("epoch", "round", "step", "slots", "members", "commitments", "accepted", "previous",
     "chain_hash")
)  # fmt: skip
HASH_BYTES = 32
CAPACITY_MAX = 1_024
"""Most slots that a run can have."""


class StoreError(OSError):
    """The folder cannot be read or written; the message names the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledRound:
    """What settling a round fixed: enough to replay it, and to recompute the chain hash.

    Attributes:
        members: (slot, member id, commitment) of each accepted payload, in slot order.
        previous: the chain hash before this round was settled.
        chain_hash: the one after.
    """

    epoch: int
    round: int
    step: int
    capacity: int
    members: tuple[tuple[int, int, bytes], ...]
    previous: bytes
    chain_hash: bytes

    @property
    def key(self) -> tuple[int, int]:
        """(epoch, round)."""
        return self.epoch, self.round

    @property
    def accepted_bits(self) -> bytes:
        """The accepted slots as a bit field of capacity / 8 bytes."""
        field = bytearray(self.capacity // 8)
        for slot, _, _ in self.members:
            field[slot // 8] |= 1 << (slot % 8)
        return bytes(field)

    @property
    def holds_together(self) -> bool:
        """Whether `chain_hash` is what `previous` and the accepted payloads give."""
        return next_chain_hash(self) == self.chain_hash

    def follows(self, chain_hash: bytes) -> bool:
        """Whether this round continues the history with this hash."""
        return self.previous == chain_hash and self.holds_together

    def to_json(self) -> str:
        """One line of the history."""
        return json.dumps(
            {
                "epoch": self.epoch,
                "round": self.round,
                "step": self.step,
                "slots": [slot for slot, _, _ in self.members],
                "members": [member for _, member, _ in self.members],
                "commitments": [commitment.hex() for _, _, commitment in self.members],
                "accepted": self.accepted_bits.hex(),
                "previous": self.previous.hex(),
                "chain_hash": self.chain_hash.hex(),
            }
        )

    @staticmethod
    def from_json(line: str | bytes) -> SettledRound:
        """Reads one line of a history, which may come from a peer.

        Raises:
            ValueError: it is not such a line.
        """
        try:
            fields = json.loads(line)
            if not isinstance(fields, dict) or fields.keys() != ROUND_KEYS:
                raise ValueError(f"a settled round needs exactly {', '.join(sorted(ROUND_KEYS))}")
            return _settled(fields)
        except (TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a settled round: {error}") from error


def _settled(fields: dict[str, Any]) -> SettledRound:
    bits = bytes.fromhex(fields["accepted"])
    settled = SettledRound(
        epoch=_whole(fields["epoch"], 2**32),
        round=_whole(fields["round"], 2**32),
        step=_whole(fields["step"], 2**63),
        capacity=8 * len(bits),
        members=tuple(
            (_whole(slot, 8 * len(bits)), _whole(member, 2**32), _hash(commitment))
            for slot, member, commitment in zip(
                fields["slots"], fields["members"], fields["commitments"], strict=True
            )
        ),
        previous=_hash(fields["previous"]),
        chain_hash=_hash(fields["chain_hash"]),
    )
    slots = [slot for slot, _, _ in settled.members]
    if settled.capacity > CAPACITY_MAX or slots != sorted(set(slots)):
        raise ValueError(f"slots rise and stay below {CAPACITY_MAX}")
    if settled.accepted_bits != bits:
        raise ValueError("the bit field and the slots differ")
    return settled


def _whole(value: object, end: int) -> int:
    if type(value) is not int or not 0 <= value < end:
        raise ValueError(f"{value!r} is no whole number below {end}")
    return value


def _hash(text: object) -> bytes:
    found = bytes.fromhex(text) if isinstance(text, str) else b""
    if len(found) != HASH_BYTES:
        raise ValueError("a hash has 32 bytes in hex")
    return found


def next_chain_hash(settled: SettledRound) -> bytes:
    """sha256(previous, epoch u32, round u32, accepted bits, accepted commitments in slot order)."""
    chain = sha256(settled.previous)
    chain.update(settled.epoch.to_bytes(4, "little") + settled.round.to_bytes(4, "little"))
    chain.update(settled.accepted_bits)
    for _, _, commitment in settled.members:
        chain.update(commitment)
    return chain.digest()


class Store:
    """The folder. All methods are synchronous and short; sizes are bounded by the run's rules."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._places: dict[bytes, Path] = {}
        for folder in (self.payloads, self.states):
            folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.payloads.glob("*.bin")):
            self._places[sha256(path.read_bytes()).digest()] = path
        self._rounds = {settled.previous: settled for settled in self._read_history()}

    @property
    def payloads(self) -> Path:
        """Folder of payloads, `<epoch>-<round>-<slot>.bin`."""
        return self.home / "payloads"

    @property
    def states(self) -> Path:
        """Folder of agreed states, `<digest>.safetensors`."""
        return self.home / "states"

    @property
    def history_path(self) -> Path:
        """One settled round a line."""
        return self.home / "rounds.jsonl"

    def put_payload(self, epoch: int, number: int, slot: int, data: bytes) -> bytes:
        """Keeps a payload, durably, and returns its commitment."""
        commitment = sha256(data).digest()
        if commitment not in self._places:
            path = self.payloads / f"{epoch}-{number}-{slot}.bin"
            write_durably(path, data)
            self._places[commitment] = path
        return commitment

    def payload(self, commitment: bytes) -> bytes | None:
        """The payload with this commitment, or None."""
        path = self._places.get(commitment)
        if path is None:
            return None
        try:
            data = path.read_bytes()
        except OSError:
            return None
        return data if sha256(data).digest() == commitment else None

    def holds(self, commitment: bytes) -> bool:
        """Whether the payload with this commitment is here."""
        return commitment in self._places

    def append_round(self, settled: SettledRound) -> None:
        """Writes a settled round down, before it is applied; the same again changes nothing.

        Raises:
            StoreError: the disk refuses it.
        """
        if self._rounds.get(settled.previous) == settled:
            return
        try:
            with self.history_path.open("ab") as file:
                if file.tell() and not _ends_with_newline(self.history_path):
                    file.write(b"\n")  # a torn last line stays one bad line, not two
                file.write(settled.to_json().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"cannot write {self.history_path}: {error.strerror}") from error
        self._rounds[settled.previous] = settled

    def round_after(self, chain_hash: bytes) -> SettledRound | None:
        """The settled round that continues this history, if it is on disk."""
        return self._rounds.get(chain_hash)

    def history(self) -> list[SettledRound]:
        """The settled rounds on disk, oldest first."""
        return list(self._rounds.values())

    def _read_history(self) -> Iterator[SettledRound]:
        if not self.history_path.exists():
            return
        with self.history_path.open("rb") as file:
            for line in file:
                try:
                    settled = SettledRound.from_json(line)
                except ValueError:
                    continue  # torn by a kill
                if settled.holds_together:
                    yield settled

    def forget_payloads(self, keep_from: tuple[int, int]) -> int:
        """Deletes payloads of rounds before `keep_from` (epoch, round); returns how many."""
        gone = 0
        for commitment, path in list(self._places.items()):
            epoch, number, _ = (int(part) for part in path.stem.split("-"))
            if (epoch, number) < keep_from:
                path.unlink(missing_ok=True)
                del self._places[commitment]
                gone += 1
        return gone


def write_durably(path: Path, data: bytes) -> None:
    """Writes a file so that it is there whole or not at all, even after a power cut.

    Raises:
        StoreError: the disk is full or the folder not writable.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
