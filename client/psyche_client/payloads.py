"""Whose payload of which round, and what training a share gave: plain values, no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadKey:
    """Whose payload of which round."""

    epoch: int
    round: int
    slot: int
    member_id: int
    step: int
    """The round's start number: how much a payload holds may depend on it."""

    @property
    def round_key(self) -> tuple[int, int]:
        """(epoch, round)."""
        return self.epoch, self.round


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A trained share.

    Attributes:
        loss: mean next-token cross entropy of the share, nats.
        seconds: of forward, backward and generate.
    """

    payload: bytes
    loss: float
    tokens: int
    coefficients: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPayload:
    """A committed payload of a round whose Train has closed."""

    key: PayloadKey
    commitment: bytes
    size: int | None = None
    """Bytes; None where only the commitment is known."""
    trainer: bytes = b""
    """Node key of its trainer, who certainly has it; empty where that is not known."""
