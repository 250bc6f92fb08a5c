"""What the demo's folder holds, read without the client: files, accounts, the record of rounds."""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ReplayError, demand

ROOT = Path(__file__).parents[3]
GOLDEN = json.loads((ROOT / "tests/golden/layout.json").read_text())
IDL = json.loads((ROOT / "idl/coordinator.json").read_text())
INTEGER_BYTES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
DTYPES = {"F32": "<f4"}


class Account:
    """Fields of a stored struct, at the offsets that the golden layout gives."""

    def __init__(self, kind: str, data: bytes) -> None:
        self._fields = {f["name"]: f for f in GOLDEN["types"][kind]["fields"]}
        self._data = data

    def raw(self, name: str) -> bytes:
        """The field's bytes."""
        at, size = self._fields[name]["offset"], self._fields[name]["size"]
        demand(len(self._data) >= at + size, f"the account ends before {name}")
        return self._data[at : at + size]

    def whole(self, name: str) -> int:
        """The field as a whole number."""
        return int.from_bytes(self.raw(name), "little")


@dataclass(frozen=True)
class State:
    """Parameters that members agreed on, as the chain says: an agreed digest or a snapshot."""

    step: int
    digest: bytes
    chain_hash: bytes


@dataclass(frozen=True)
class Round:
    """One line of rounds.jsonl."""

    epoch: int
    round: int
    step: int
    accepted: bytes
    members: tuple[tuple[int, int, bytes], ...]
    previous: bytes
    chain_hash: bytes

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> "Round":
        """The round in a parsed line."""
        return cls(
            epoch=line["epoch"],
            round=line["round"],
            step=line["step"],
            accepted=bytes.fromhex(line["accepted"]),
            members=tuple(
                (slot, member, bytes.fromhex(commitment))
                for slot, member, commitment in zip(
                    line["slots"], line["members"], line["commitments"], strict=True
                )
            ),
            previous=bytes.fromhex(line["previous"]),
            chain_hash=bytes.fromhex(line["chain_hash"]),
        )

    @property
    def name(self) -> str:
        """For messages."""
        return f"round {self.epoch}-{self.round}"

    def check(self, before: bytes, capacity: int) -> None:
        """Raises `ReplayError` unless this continues the chain and says one thing."""
        demand(self.previous == before, f"{self.name} does not continue the chain")
        demand(8 * len(self.accepted) == capacity, f"{self.name}: the bit field's size")
        field = int.from_bytes(self.accepted, "little")
        slots = [slot for slot in range(capacity) if field >> slot & 1]
        demand(slots == [slot for slot, _, _ in self.members], f"{self.name}: slots and bit field")
        text = self.previous + struct.pack("<II", self.epoch, self.round) + self.accepted
        text += b"".join(commitment for _, _, commitment in self.members)
        demand(sha256(text).digest() == self.chain_hash, f"{self.name} has another chain hash")


@dataclass(frozen=True)
class Folder:
    """The inputs of a replay. Payloads are read when they are needed."""

    path: Path
    run: Account
    document: Mapping[str, Any]
    rounds: tuple[Round, ...]

    @property
    def instance(self) -> bytes:
        """The run's instance."""
        return self.run.raw("instance")

    @property
    def payload_bytes_max(self) -> int:
        """No longer payload counts."""
        at, size = config_field("payload_bytes_max")
        return int.from_bytes(self.run.raw("config")[at : at + size], "little")

    @property
    def states(self) -> list[State]:
        """What the members agreed on and the run still keeps."""
        size = GOLDEN["types"]["StateRecord"]["size"]
        raw = self.run.raw("agreed") + self.run.raw("snapshots")
        records = [Account("StateRecord", raw[at : at + size]) for at in range(0, len(raw), size)]
        return [
            State(record.whole("step"), record.raw("digest"), record.raw("chain_hash"))
            for record in records
            if record.whole("valid")
        ]

    def payload(self, record: Round, slot: int, commitment: bytes) -> bytes:
        """An accepted payload, its bytes those that the chain names."""
        path = self.path / "payloads" / f"{record.epoch}-{record.round}-{slot}.bin"
        demand(path.exists(), f"{path.name} is missing")
        data = path.read_bytes()
        demand(sha256(data).digest() == commitment, f"{path.name} is not what was committed")
        return data


def config_field(name: str) -> tuple[int, int]:
    """Offset and size of a field of the run's configuration, which is packed without gaps."""
    (config,) = (t for t in IDL["types"] if t["name"] == "RunConfig")
    at = 0
    for field in config["type"]["fields"]:
        kind = field["type"]
        size = INTEGER_BYTES[kind] if isinstance(kind, str) else int(kind["array"][1])
        if field["name"] == name:
            return at, size
        at += size
    raise KeyError(name)


def read_folder(path: Path) -> Folder:
    """Reads the folder; `ReplayError` if model.json is not the one that the run names."""
    account = (path / "accounts" / "run.bin").read_bytes()
    run = Account("Run", account[GOLDEN["discriminator_bytes"] :])
    text = (path / "model.json").read_bytes()
    demand(sha256(text).digest() == run.raw("model_hash"), "model.json is not the run's")
    lines = (path / "rounds.jsonl").read_text().splitlines()
    return Folder(path, run, json.loads(text), tuple(Round.of(json.loads(line)) for line in lines))


def read_safetensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """All tensors of a file by name; every one must be float32."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    return dict(_tensors(path.name, header, data[8 + length :]))


def _tensors(
    file: str, header: Mapping[str, Any], data: bytes
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for name, about in header.items():
        if about["dtype"] not in DTYPES:
            raise ReplayError(f"{file}: {name} is {about['dtype']}")
        begin, end = about["data_offsets"]
        values = np.frombuffer(data[begin:end], DTYPES[about["dtype"]])
        yield name, values.reshape(about["shape"]).astype(np.float32)
