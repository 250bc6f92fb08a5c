"""`LocalnetConfig`: how to run a chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from solders.pubkey import Pubkey

from psyche_sdk.localnet._slots import UNIX_SECONDS_LIMIT

SLOT_MS_DEFAULT = 400
SLOT_MS_MIN = 10  # the work of a slot takes some 0.3 ms
_PORT_MAX = 65_534
_SEED_BYTES_MAX = 32


@dataclass(frozen=True, slots=True)
class LocalnetConfig:
    """How to run a chain.

    Attributes:
        port: of JSON-RPC; the websocket has the next one. 0 takes a free pair.
        host: the address to listen on.
        slot_ms: length of a slot in milliseconds; 0 means that only `advance` moves slots.
        programs: program id -> file or bytes of the program.
        state: file to go on from and to save to; None keeps nothing.
        unix_seconds: time at the start of a chain whose slots do not follow the clock.
        seed: makes blockhashes repeatable: at most 32 bytes; None takes random ones.
    """

    port: int = 0
    host: str = "127.0.0.1"
    slot_ms: int = SLOT_MS_DEFAULT
    programs: Mapping[Pubkey, str | Path | bytes] = field(default_factory=dict)
    state: Path | None = None
    unix_seconds: float | None = None
    seed: bytes | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for values out of range."""
        if not 0 <= self.port <= _PORT_MAX:
            raise ValueError(f"port is 0 to {_PORT_MAX}: the websocket has the next one")
        if self.slot_ms != 0 and self.slot_ms < SLOT_MS_MIN:
            raise ValueError(f"slot_ms is 0 or at least {SLOT_MS_MIN}")
        if self.unix_seconds is not None and not 0 <= self.unix_seconds < UNIX_SECONDS_LIMIT:
            raise ValueError("unix_seconds is not a time")
        if self.seed is not None and len(self.seed) > _SEED_BYTES_MAX:
            raise ValueError("seed has at most 32 bytes")
