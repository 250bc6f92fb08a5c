"""The `Pass` account as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from psyche_sdk._rules import checks
from psyche_sdk._rules.checks import Source

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from psyche_sdk._rules.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A wallet's permission to join a run.

    Attributes:
        run, wallet: what it is for.
        issuer: the join authority that issued, or last renewed it.
        rent_payer: who gets its rent back.
        instance: of the run that it is for; not of a later one at the same address.
        expiry: Unix seconds from which on it is over.
    """

    run: bytes
    wallet: bytes
    issuer: bytes
    rent_payer: bytes
    instance: bytes
    expiry: int

    def admits(self, run: Run, unix_seconds: int) -> bool:
        """Whether its wallet may join a run that has a join authority."""
        by = (self.issuer, self.instance) == (run.join_authority, run.instance)
        return by and self.expiry > unix_seconds


_BYTES: Final = ("run", "wallet", "issuer", "rent_payer", "instance")


def decode_pass(data: bytes, *, owner: Pubkey | None = None, address: object = "?") -> Pass:
    """The pass in an account's bytes, discriminator included.

    Raises:
        AccountError: owner, discriminator, version or length are wrong.
    """
    source = Source(address, owner)
    record = checks.fixed_part(data, checks.PASS, source)
    checks.exact_length(data, checks.HEAD_BYTES + checks.PASS.dtype.itemsize, source)
    return Pass(**checks.hashes(record, _BYTES), expiry=int(record["expiry"]))
