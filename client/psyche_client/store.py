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

ROUND_KEYS = ("epoch", "round", "step", "capacity", "members", "accepted", "chain_hash")
CAPACITY_MAX = 1_024
"""Most slots that a run can have."""


class StoreError(OSError):
    """The folder cannot be read or written; the message names the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledRound:
    """What settling a round fixed: enough to replay it, and to recompute the chain hash.

    Attributes:
        members: (slot, member id, commitment) of each accepted payload, in slot order.
        chain_hash: after this round was settled.
    """

    epoch: int
    round: int
    step: int
    capacity: int
    members: tuple[tuple[int, int, bytes], ...]
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

    def follows(self, previous: bytes) -> bool:
        """Whether `chain_hash` is what `previous` and this round give."""
        return next_chain_hash(previous, self) == self.chain_hash

    def to_json(self) -> str:
        """One line of the history."""
        return json.dumps(
            {
                "epoch": self.epoch,
                "round": self.round,
                "step": self.step,
                "capacity": self.capacity,
                "members": [[slot, member, digest.hex()] for slot, member, digest in self.members],
                "accepted": self.accepted_bits.hex(),
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
            if not isinstance(fields, dict) or set(fields) != set(ROUND_KEYS):
                raise ValueError(f"a settled round needs exactly {', '.join(ROUND_KEYS)}")
            numbers = [fields[key] for key in ("epoch", "round", "step", "capacity")]
            if any(type(n) is not int or not 0 <= n < 2**63 for n in numbers):
                raise ValueError("epoch, round, step and capacity are whole numbers")
            if numbers[3] % 8 or numbers[3] > CAPACITY_MAX:
                raise ValueError(f"capacity is a multiple of 8, at most {CAPACITY_MAX}")
            members = tuple(_member(entry, numbers[3]) for entry in fields["members"])
            slots = [slot for slot, _, _ in members]
            if slots != sorted(set(slots)):
                raise ValueError("members stand in slot order, each once")
            chain_hash = bytes.fromhex(fields["chain_hash"])
        except (TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"not a settled round: {error}") from error
        epoch, number, step, capacity = numbers
        settled = SettledRound(
            epoch=epoch,
            round=number,
            step=step,
            capacity=capacity,
            members=members,
            chain_hash=chain_hash,
        )
        if settled.accepted_bits.hex() != fields["accepted"]:
            raise ValueError("the bit field and the members differ")
        return settled


def _member(entry: object, capacity: int) -> tuple[int, int, bytes]:
    if not isinstance(entry, list) or len(entry) != 3:  # noqa: PLR2004 - slot, member, commitment
        raise ValueError("a member is [slot, member id, commitment]")
    slot, member, commitment = entry
    if type(slot) is not int or type(member) is not int or not 0 <= slot < capacity:
        raise ValueError("a member's slot is below the capacity")
    digest = bytes.fromhex(commitment)
    if len(digest) != sha256().digest_size:
        raise ValueError("a commitment has 32 bytes")
    return slot, member, digest


def next_chain_hash(previous: bytes, settled: SettledRound) -> bytes:
    """sha256(previous, epoch u32, round u32, accepted bits, accepted commitments in slot order)."""
    chain = sha256(previous)
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
        """Writes a settled round down, before it is applied."""
        with self.history_path.open("ab") as file:
            if file.tell() and not _ends_with_newline(self.history_path):
                file.write(b"\n")  # a torn last line stays one bad line, not two
            file.write(settled.to_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def history(self) -> Iterator[SettledRound]:
        """The settled rounds on disk, oldest first; torn lines are passed over."""
        if not self.history_path.exists():
            return
        with self.history_path.open("rb") as file:
            for line in file:
                try:
                    yield SettledRound.from_json(line)
                except ValueError:
                    continue

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
