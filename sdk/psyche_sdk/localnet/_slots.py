"""Slots, time and blockhashes, and the sysvars that show them to programs.

LiteSVM accepts only its latest blockhash and, told not to check, forgets what it has executed.
So this keeps the window itself: the blockhash of each of the last 151 slots and the messages
executed under it, as a validator does.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from dataclasses import dataclass

from solders.clock import Clock
from solders.epoch_schedule import EpochSchedule
from solders.hash import Hash
from solders.litesvm import LiteSVM

SLOTS_PER_EPOCH = 432_000
BLOCKHASH_AGE_MAX = 150  # slots a blockhash stays good for, as on mainnet
SLOT_HASHES_MAX = 512  # entries of the SlotHashes sysvar
UNIX_SECONDS_LIMIT = 2**40  # times beyond this are mistakes
BLOCK_TIMES_MAX = 10_000  # slots whose time getBlockTime still knows


@dataclass(frozen=True, slots=True)
class SlotsStart:
    """Where a chain starts: its genesis hash and, if restored, what it had reached."""

    genesis: bytes
    slot: int = 1
    running: bytes = b""
    slot_hashes: tuple[tuple[int, bytes], ...] = ()
    transactions: int = 0


class Slots:
    """The slot, its time in seconds, the blockhash window and what was executed within it."""

    def __init__(self, svm: LiteSVM, start: SlotsStart, unix_seconds: float) -> None:
        self._svm = svm
        self.genesis = start.genesis
        self.first_slot = start.slot
        self.slot = start.slot
        self.unix_seconds = unix_seconds
        self.transactions = start.transactions
        self._running = start.running or start.genesis
        self._slot_hashes = [(slot, Hash(raw)) for slot, raw in start.slot_hashes]
        self._executed: OrderedDict[bytes, tuple[int, set[bytes]]] = OrderedDict()
        self._times: OrderedDict[int, int] = OrderedDict()
        self._pending: deque[bytes] = deque()
        self._epoch_start_seconds = int(unix_seconds)
        self.blockhash = Hash.default()
        svm.set_epoch_schedule(EpochSchedule.without_warmup())
        self._open_slot()
        self._write_sysvars()

    @property
    def running(self) -> bytes:
        """The hash over the chain's past, 32 bytes; the next blockhash comes from it."""
        return self._running

    @property
    def slot_hashes(self) -> list[tuple[int, Hash]]:
        """The entries of the SlotHashes sysvar, newest first."""
        return list(self._slot_hashes)

    @property
    def epoch(self) -> int:
        """The epoch of the current slot."""
        return self.slot // SLOTS_PER_EPOCH

    def step(self, count: int, unix_seconds: float) -> None:
        """Moves `count` slots on; the last one's time is `unix_seconds`, never back."""
        epoch_before = self.epoch
        self.unix_seconds = max(self.unix_seconds, unix_seconds)
        for _ in range(count):
            self._close_slot()
            self.slot += 1
            self._open_slot()
        if self.epoch != epoch_before:
            self._epoch_start_seconds = int(self.unix_seconds)
        self._write_sysvars()

    def height_limit(self, blockhash: Hash) -> int | None:
        """The last slot at which `blockhash` is good, or None if it is not good now."""
        entry = self._executed.get(bytes(blockhash))
        return None if entry is None else entry[0] + BLOCKHASH_AGE_MAX

    def refusal(self, blockhash: Hash, message_hash: bytes) -> str | None:
        """Why the chain will not take this message ("BlockhashNotFound", ...), or None."""
        entry = self._executed.get(bytes(blockhash))
        if entry is None:
            return "BlockhashNotFound"
        return "AlreadyProcessed" if message_hash in entry[1] else None

    def record(self, blockhash: Hash, message_hash: bytes) -> None:
        """Notes that a message under a good blockhash was executed."""
        self._executed[bytes(blockhash)][1].add(message_hash)
        self._pending.append(message_hash)
        self.transactions += 1

    def block_time(self, slot: int) -> int | None:
        """Unix seconds of a slot, or None if it is to come or long past."""
        return self._times.get(slot)

    def _close_slot(self) -> None:
        digest = hashlib.sha256(self._running)
        while self._pending:
            digest.update(self._pending.popleft())
        self._running = digest.digest()
        bank_hash = hashlib.sha256(b"bank" + self._running).digest()
        self._slot_hashes.insert(0, (self.slot, Hash(bank_hash)))
        del self._slot_hashes[SLOT_HASHES_MAX:]

    def _open_slot(self) -> None:
        raw = hashlib.sha256(b"block" + self._running + self.slot.to_bytes(8, "little")).digest()
        self.blockhash = Hash(raw)
        self._executed[raw] = (self.slot, set())
        oldest = next(iter(self._executed.values()))[0]
        while oldest < self.slot - BLOCKHASH_AGE_MAX:
            self._executed.popitem(last=False)
            oldest = next(iter(self._executed.values()))[0]
        self._times[self.slot] = int(self.unix_seconds)
        if len(self._times) > BLOCK_TIMES_MAX:
            self._times.popitem(last=False)

    def _write_sysvars(self) -> None:
        clock = Clock(
            slot=self.slot,
            epoch_start_timestamp=self._epoch_start_seconds,
            epoch=self.epoch,
            leader_schedule_epoch=self.epoch + 1,
            unix_timestamp=int(self.unix_seconds),
        )
        self._svm.set_clock(clock)
        self._svm.set_slot_hashes(self._slot_hashes)
