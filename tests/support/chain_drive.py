"""A run on LiteSVM, driven by hand-packed instructions, apart from the SDK."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from solders.account import Account
from solders.clock import Clock
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

ROOT = Path(__file__).resolve().parents[2]
LAYOUT: dict[str, Any] = json.loads((ROOT / "tests/golden/layout.json").read_text())
IDL: dict[str, Any] = json.loads((ROOT / "idl/coordinator.json").read_text())
PROGRAM = Pubkey.from_string(IDL["address"])
ERRORS = {error["code"]: error["name"] for error in IDL["errors"]}
PAUSED, WAITING, WARMUP, TRAIN, WITNESS, COOLDOWN, FINISHED = range(7)
EMPTY, JOINED, READY, ACTIVE, BEHIND, LEFT, DROPPED = range(7)
ROUNDS_OPEN = 2**32 - 1
#: Instructions that end in a flag: whether to make the transitions that are due.
ADVANCING = ("commit", "attest", "ready", "behind", "leave")
START_SLOT = 1_000
START_TIME = 1_700_000_000


def sha(*parts: bytes) -> bytes:
    """sha256 of the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


@dataclass(frozen=True)
class Config:
    """A run's configuration, in the order of its fields."""

    total_steps: int = 6
    batch_ramp_steps: int = 0
    data_sequences: int = 1_000
    bond_lamports: int = 0
    slash_points: int = 0
    data_seed: bytes = bytes(32)
    waiting_seconds: int = 5
    warmup_seconds: int = 10
    train_seconds: int = 20
    grace_seconds: int = 4
    witness_seconds: int = 8
    cooldown_seconds: int = 12
    ready_seconds: int = 60
    epoch_rounds: int = 100
    snapshot_rounds: int = 0
    batch_sequences_start: int = 30
    batch_sequences_end: int = 30
    sequence_tokens: int = 16
    payload_bytes_max: int = 1 << 20
    bloom_false_positive_ppm: int = 10_000
    points_per_sequence: int = 0
    points_per_attestation: int = 0
    points_per_verdict: int = 0
    init_min_members: int = 3
    min_members: int = 1
    jaccard_min_permille: int = 500
    hamming_max_permille: int = 100
    manhattan_max_permille: int = 100
    alignment_min_permille: int = 500
    overlap: int = 0
    attestation_kind: int = 0
    admit_anytime: int = 1
    witness_count: int = 32
    verification_percent: int = 0
    committee_size: int = 15
    misses_max: int = 2
    share_percent_max: int = 100

    def pack(self) -> bytes:
        """The bytes of the account and of the instructions."""
        values = [getattr(self, name) for name in self.__dataclass_fields__]
        return struct.pack("<5Q32s17I6H8B32x", *values)


@dataclass(frozen=True)
class Sent:
    """What became of a transaction."""

    error: str | None
    units: int
    logs: list[str] = field(default_factory=list)
    size: int = 0


class Field:
    """A struct's bytes, read by the golden layout."""

    def __init__(self, kind: str, data: bytes) -> None:
        self.kind, self.data = kind, data
        self.fields = {entry["name"]: entry for entry in LAYOUT["types"][kind]["fields"]}

    def raw(self, name: str) -> bytes:
        """The bytes of a field."""
        place = self.fields[name]
        return self.data[place["offset"] : place["offset"] + place["size"]]

    def __getattr__(self, name: str) -> int:
        return int.from_bytes(self.raw(name), "little")


class Drive:
    """A chain with the program, and one run on it."""

    def __init__(
        self,
        config: Config | None = None,
        *,
        members: int = 3,
        capacity: int = 8,
        chain_slot: int = START_SLOT,
    ) -> None:
        self.config = config or Config()
        self.capacity = capacity
        self.svm = LiteSVM()
        self.svm.add_program_from_file(PROGRAM, ROOT / "sdk/psyche_sdk/_program/coordinator.so")
        self.owner = Keypair.from_seed(sha(b"alice"))
        self.members = [
            Keypair.from_seed(sha(b"member", bytes([i % 256, i // 256]))) for i in range(members)
        ]
        for key in [self.owner, *self.members]:
            self.svm.airdrop(key.pubkey(), 10**11)
        self.slot, self.time = chain_slot, START_TIME
        self.set_time()
        self.run = self.address(b"run", bytes(self.owner.pubkey()), b"demo")
        self.roster = self.address(b"roster", bytes(self.run))
        self.rounds = self.address(b"rounds", bytes(self.run))
        self.digest = sha(b"initial")
        self.advance = True
        self.units: dict[str, int] = {}

    @staticmethod
    def address(*seeds: bytes) -> Pubkey:
        """The program's address for these seeds."""
        return Pubkey.find_program_address(list(seeds), PROGRAM)[0]

    def set_time(self) -> None:
        """Tells the chain its slot, its time, and the hashes of the slots before."""
        clock = self.svm.get_clock()
        clock = Clock(self.slot, self.time, clock.epoch, clock.leader_schedule_epoch, self.time)
        self.svm.set_clock(clock)
        newest = range(self.slot - 1, max(self.slot - 513, 0), -1)
        self.svm.set_slot_hashes([(s, self.hash_of(s)) for s in newest])

    @staticmethod
    def hash_of(chain_slot: int) -> Hash:
        """The invented hash of a chain slot."""
        return Hash(sha(b"slot", struct.pack("<Q", chain_slot)))

    def pass_seconds(self, seconds: int) -> None:
        """Lets time go by, 2.5 slots a second."""
        self.time += seconds
        self.slot += seconds * 5 // 2
        self.set_time()

    def pass_slots(self, slots: int) -> None:
        """Lets slots go by within a second."""
        self.slot += slots
        self.set_time()

    def instruction(
        self, name: str, data: bytes, accounts: list[tuple[Pubkey, str]]
    ) -> Instruction:
        """An instruction; the letters of an account are w (writable) and s (signs)."""
        metas = [AccountMeta(key, "s" in how, "w" in how) for key, how in accounts]
        return Instruction(PROGRAM, sha(f"global:{name}".encode())[:8] + data, metas)

    def send(
        self, *instructions: Instruction, signers: list[Keypair], units: int = 1_400_000
    ) -> Sent:
        """Sends a transaction that the first signer pays."""
        self.svm.expire_blockhash()
        every = [set_compute_unit_limit(units), *instructions]
        message = Message.new_with_blockhash(
            every, signers[0].pubkey(), self.svm.latest_blockhash()
        )
        transaction = Transaction(signers, message, self.svm.latest_blockhash())
        result = self.svm.send_transaction(transaction)
        size = len(bytes(transaction))
        if isinstance(result, FailedTransactionMetadata):
            meta = result.meta()
            return Sent(error_name(result), meta.compute_units_consumed(), meta.logs(), size)
        used = result.compute_units_consumed() - 150
        return Sent(None, used, result.logs(), size)

    def create(self) -> Sent:
        """create_run and as many allocate as it takes."""
        uri = b"https://example.org/model.json"
        data = (
            struct.pack("<I", 4) + b"demo" + struct.pack("<H", self.capacity) + self.config.pack()
            + sha(b"model") + struct.pack("<I", len(uri)) + uri + b"\0" + self.digest
        )  # fmt: skip
        me = self.owner.pubkey()
        accounts = [
            (me, "sw"),
            (me, "s"),
            (self.run, "w"),
            (self.roster, "w"),
            (self.rounds, "w"),
            (SYSTEM, ""),
        ]
        sizes = (
            LAYOUT["types"]["RosterEntry"]["size"] * self.capacity,
            65 * self.capacity * 4 + 30_000,
        )
        count = max(sizes) // 10_240 + 1
        grow = self.instruction("allocate", b"", [(me, "sw"), *accounts[2:]])
        sent = self.send(self.instruction("create_run", data, accounts), signers=[self.owner])
        for _ in range(count):
            if self.view().complete:
                break
            grown = self.send(grow, signers=[self.owner])
            if grown.error:
                return grown
        return sent

    def trio(self) -> list[tuple[Pubkey, str]]:
        """The run's three accounts."""
        return [(self.run, "w"), (self.roster, "w"), (self.rounds, "w")]

    def owner_does(self, name: str, data: bytes = b"") -> Sent:
        """resume, pause, abort."""
        accounts = [(self.owner.pubkey(), "s"), *self.trio()]
        return self.send(self.instruction(name, data, accounts), signers=[self.owner])

    def update(self, config: Config, *, reset: bool = False) -> Sent:
        """update_config."""
        accounts = [(self.owner.pubkey(), "s"), (self.run, "w")]
        data = config.pack() + bytes([reset])
        return self.send(self.instruction("update_config", data, accounts), signers=[self.owner])

    def tick(self, units: int = 1_400_000) -> Sent:
        """Tick, paid by the owner."""
        sent = self.send(
            self.instruction("tick", b"", self.trio()), signers=[self.owner], units=units
        )
        return self.note("tick", sent)

    def member_does(self, name: str, index: int, data: bytes, units: int = 1_400_000) -> Sent:
        """An instruction of a member."""
        key = self.members[index]
        accounts = [(key.pubkey(), "s"), *self.trio()]
        if name in ADVANCING:
            data += bytes([self.advance])
        return self.note(
            name, self.send(self.instruction(name, data, accounts), signers=[key], units=units)
        )

    def note(self, name: str, sent: Sent) -> Sent:
        """Keeps the dearest call of each kind."""
        if sent.error is None:
            self.units[name] = max(self.units.get(name, 0), sent.units)
        return sent

    def join(self, index: int, *, slot: int | None = None, weight: int = 100) -> Sent:
        """The member takes the slot of its index, or another."""
        key = self.members[index]
        participant = self.address(b"participant", bytes(self.run), bytes(key.pubkey()))
        place = index if slot is None else slot
        data = (
            struct.pack("<HH", place, weight)
            + sha(b"node", bytes(key.pubkey()))
            + struct.pack("<IQ", 0, 2**64 - 1)
        )
        accounts = [
            (key.pubkey(), "sw"),
            (key.pubkey(), "s"),
            *self.trio(),
            (participant, "w"),
            (self.address(b"pass", bytes(self.run), bytes(key.pubkey())), ""),
            (SYSTEM, ""),
        ]
        return self.note("join", self.send(self.instruction("join", data, accounts), signers=[key]))

    def here(self, index: int) -> bytes:
        """(epoch, round, slot) as the run stands."""
        view = self.view()
        return struct.pack("<IIH", view.epoch, view.round, self.slot_of(index))

    def ready(self, index: int) -> Sent:
        """Ready, from the agreed digest."""
        run = self.view()
        agreed = Field("StateRecord", run.raw("agreed"))
        data = self.here(index) + struct.pack("<II", agreed.epoch, agreed.round)
        return self.member_does("ready", index, data + agreed.raw("digest") + run.raw("chain_hash"))

    def commit(self, index: int, payload: bytes = b"payload", units: int = 1_400_000) -> Sent:
        """Commits to an invented payload."""
        data = (
            self.here(index)
            + self.commitment(index, payload)
            + struct.pack("<4I", 1_000, 2_500_000, 160, 900)
        )
        return self.member_does("commit", index, data, units)

    def commitment(self, index: int, payload: bytes = b"payload") -> bytes:
        """The invented commitment of a member for the present round."""
        view = self.view()
        return sha(payload, struct.pack("<III", view.epoch, view.round, index))

    def attest(self, index: int, bits: bytes | None = None, units: int = 1_400_000) -> Sent:
        """Attests what was committed, or `bits`."""
        view = self.view()
        target = view.round - self.config.overlap
        held = self.column(target, "committed") if bits is None else bits
        data = struct.pack("<IIHI", view.epoch, target, self.slot_of(index), len(held)) + held
        data += sha(b"custody", bytes(self.members[index].pubkey()))
        return self.member_does("attest", index, data, units)

    def seal(self, index: int, digest: bytes) -> Sent:
        """attest_state."""
        vote = Field("StateVote", self.view().raw("vote"))
        sealed = sha(digest, bytes(self.members[index].pubkey()))
        data = struct.pack("<IIH", vote.epoch, vote.round, self.slot_of(index)) + sealed
        return self.member_does("attest_state", index, data)

    def reveal(self, index: int, digest: bytes) -> Sent:
        """reveal_state."""
        vote = Field("StateVote", self.view().raw("vote"))
        data = struct.pack("<IIH", vote.epoch, vote.round, self.slot_of(index)) + digest
        return self.member_does("reveal_state", index, data)

    def publish(self, index: int, uri: bytes) -> Sent:
        """publish_checkpoint."""
        data = struct.pack("<IHI", self.view().epoch, self.slot_of(index), len(uri)) + uri
        return self.member_does("publish_checkpoint", index, data)

    def confirm(self, index: int, place: int) -> Sent:
        """confirm_checkpoint."""
        data = struct.pack("<IHB", self.view().epoch, self.slot_of(index), place)
        return self.member_does("confirm_checkpoint", index, data)

    def publishers(self) -> list[int]:
        """The slots that were drawn to publish, in drawn order."""
        run = self.view()
        return list(struct.unpack("<2H", run.raw("publisher_slots")))[: run.publishers]

    @staticmethod
    def must(sent: Sent) -> Sent:
        """The same, if it succeeded."""
        assert sent.error is None, "\n".join([str(sent.error), *sent.logs])
        return sent

    def account(self, key: Pubkey) -> bytes:
        """The bytes of an account."""
        account = self.svm.get_account(key)
        assert account is not None
        return bytes(account.data)

    def view(self) -> Field:
        """The run."""
        return Field("Run", self.account(self.run)[8:])

    def entry(self, index: int) -> Field:
        """The roster's entry of a slot."""
        size = LAYOUT["types"]["RosterEntry"]["size"]
        start = 8 + LAYOUT["types"]["RosterHeader"]["size"] + index * size
        return Field("RosterEntry", self.account(self.roster)[start : start + size])

    def slot_of(self, index: int) -> int:
        """The slot of a member: its index, unless it took another."""
        return index

    def record(self, number: int) -> Field:
        """The header of a round's record."""
        size = LAYOUT["types"]["RoundHeader"]["size"]
        start = 8 + LAYOUT["types"]["RoundsHeader"]["size"] + number % 4 * size
        return Field("RoundHeader", self.account(self.rounds)[start : start + size])

    def column(self, number: int, name: str) -> bytes:
        """A column of a round's record."""
        (shape,) = [s for s in LAYOUT["capacities"] if s["capacity"] == self.capacity]
        start = shape["columns_offsets"][number % 4] + shape["columns"][name]["offset"]
        return self.account(self.rounds)[start : start + shape["columns"][name]["bytes"]]

    def trainers(self, number: int) -> list[int]:
        """The slots that train in a round, in drawn order."""
        count = self.record(number).trainers
        return list(struct.unpack(f"<{count}H", self.column(number, "order")[: 2 * count]))

    def witnesses(self, number: int) -> list[int]:
        """The slots of a round's witnesses, in drawn order."""
        header = self.record(number)
        return list(struct.unpack("<32H", header.raw("witness_slots")))[: header.witnesses]

    def poke(self, key: Pubkey, data: bytes) -> None:
        """Overwrites the bytes of an account."""
        old = self.svm.get_account(key)
        assert old is not None
        self.svm.set_account(key, Account(old.lamports, data, old.owner, executable=False))

    def start(self) -> None:
        """Creates the run; everybody joins, is ready, and the first round trains."""
        self.must(self.create())
        self.must(self.owner_does("resume"))
        for index in range(len(self.members)):
            self.must(self.join(index))
        self.pass_seconds(self.config.waiting_seconds)
        self.must(self.tick())
        self.pass_slots(3)
        for index in range(len(self.members)):
            self.must(self.ready(index))
        if self.view().phase == WARMUP:
            self.must(self.tick())


def error_name(result: FailedTransactionMetadata) -> str:
    """The name of a program's error, else what the chain says."""
    error = getattr(result.err(), "err", None)
    code = getattr(error, "code", None)
    return ERRORS.get(code, str(result.err())) if code is not None else str(result.err())


def config(**changes: Any) -> Config:
    """The default configuration with changes."""
    return replace(Config(), **changes)
