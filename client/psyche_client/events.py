"""A client's event log: one JSON object a line, from which the live view can be replayed.

Every line has `t` (seconds since 1970, a float) and `event` (one of `EVENTS`); the rest are facts
of that event. A reader passes over events and facts that it does not know, so new ones may come.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

EVENTS: Final[Mapping[str, str]] = {
    "start": "the client runs: client, version, wallet, run",
    "bond": "it deposits so much when it joins: lamports",
    "joined": "it holds a slot: slot, member_id",
    "ready": "it told the chain what it holds: epoch, digest",
    "phase": "the run's phase changed: epoch, round, phase, deadline (unix seconds)",
    "roles": "what it does in a round: epoch, round, role",
    "training_seconds": "it trained for so long: epoch, round, seconds",
    "waiting_seconds": "it waited for so long: epoch, round, seconds",
    "committed": "it committed to a payload: epoch, round, bytes, coefficients, loss, tokens, ms",
    "fetched": "a payload, piece or record came from a peer: what, bytes, seconds",
    "attested": "it said what it holds: epoch, round, slots",
    "missing": "it found an accepted payload nowhere: epoch, round, slot",
    "settled": "the chain fixed a round: epoch, round, accepted (slots)",
    "round": "it applied a round: epoch, round, step, loss, accepted (count), chain_hash",
    "members": "who takes part: members (slot, name, role, state, misses)",
    "peers": "who it talks to: peers (slot, path, rtt_ms, received_bytes)",
    "chain": "what a transaction took: instruction, compute_units, lamports",
    "resync": "it builds its parameters anew: epoch, round, reason",
    "momentum": "its own momentum as of a state came back from its disk: step",
    "snapshot": "an agreed state is kept: epoch, round, digest",
    "published": "it said where the agreed parameters lie: epoch, uri",
    "confirmed": "it fetched a drawn piece of what was published: epoch, place",
    "kept": "the run keeps a checkpoint: epoch, step, digest, confirmations, uris",
    "checkpoint": "parameters are on disk: step, path, digest",
    "validation": "loss on held-out text: step, loss",
    "error": "something failed and it goes on or stops: message",
    "recovered": "the chain is seen again after an error",
    "sample": "text that the trained model writes: text",
    "stop": "the client ends: reason, step, digest, chain_hash",
}
"""Names of events, each with its facts."""

LINE_BYTES_MAX: Final = 1 << 20
"""Longest line that a reader takes; a longer one is passed over."""

Event = dict[str, Any]


class EventLogError(OSError):
    """The log cannot be written; the message names the file."""

    hint = "free space on that disk, then start again: what was settled is kept"


class EventLog:
    """Writes events, each line whole and at once, so that a killed client loses none.

    Example:
        with EventLog(home / "events.jsonl") as log:
            log.write("round", epoch=0, round=3, step=3, loss=4.2)
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        tell: Callable[[Event], None] | None = None,
    ) -> None:
        """Opens the log; `tell` hears of each event once it is written."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._clock, self._tell = clock, tell
        torn = _is_torn(path)
        self._file = path.open("ab", buffering=0)
        if torn:
            self._file.write(b"\n")  # a line torn by a kill stays alone

    def write(self, event: str, /, **facts: object) -> None:
        """Appends one event. Bytes are written as hex; a loss that is no number as null.

        Raises:
            ValueError: `EVENTS` does not list the event.
            EventLogError: the disk is full, say; the log ends in a whole line.
        """
        if event not in EVENTS:
            raise ValueError(f"`{event}` is no event; add it to EVENTS with its facts")
        line = {"t": round(self._clock(), 3), "event": event}
        line |= {name: _plain(fact) for name, fact in facts.items()}
        encoded = json.dumps(line, separators=(",", ":"), allow_nan=False)
        self._append(encoded.encode() + b"\n")
        if self._tell is not None:
            self._tell(line)

    def _append(self, line: bytes) -> None:
        end = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(line) != len(line):  # the disk took a part of it
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(end)
            raise EventLogError(f"cannot write {self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Closes the file; the log cannot be written any more."""
        self._file.close()

    def __enter__(self) -> Self:
        """The log itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the file."""
        self.close()


class Tail:
    """Reads a growing log from where it stopped the last time.

    A last line without its end is left for the next call; lines that are no events are passed
    over. A file that became shorter (a new log) is read from its start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def read(self) -> list[Event]:
        """The events written since the last call, oldest first; none if there is no file."""
        try:
            with self.path.open("rb") as file:
                file.seek(0, 2)
                if file.tell() < self._offset:
                    self._offset = 0
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        return [event for line in data[:whole].splitlines() if (event := _event(line)) is not None]


def tail(path: Path) -> Iterator[Event]:
    """All events of a log that are there now, oldest first; a torn last line is left out."""
    yield from Tail(path).read()


def _event(line: bytes) -> Event | None:
    if len(line) > LINE_BYTES_MAX:
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return None
    seconds = event.get("t")
    return event if isinstance(seconds, int | float) and not isinstance(seconds, bool) else None


def _plain(value: object) -> object:
    """The value in JSON's own types."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [_plain(item) for item in items]
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def _is_torn(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if file.seek(0, 2) == 0:
                return False
            file.seek(-1, 2)
            return file.read(1) != b"\n"
    except FileNotFoundError:
        return False
