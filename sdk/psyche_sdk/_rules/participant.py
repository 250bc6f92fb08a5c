"""The `Participant` account as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from psyche_sdk._rules import checks
from psyche_sdk._rules.checks import Source

if TYPE_CHECKING:
    from solders.pubkey import Pubkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """What a run keeps about a wallet, whether it holds a slot or not.

    Attributes:
        instance: of the run that the other values are about; that of an older run at the same
            address until the wallet joins again.
        payee: where points and a returned bond go.
        slot, member_id: of the last membership; member_id 0: there was none.
        barred: whether it may not join again.
        strikes: rejected payloads that were collected so far.
        points_earned, points_slashed: what was collected so far.
        claims: how often points were collected.
        rounds_served, epochs_served: rounds in which a share of its own was accepted, and epochs
            that it saw through as an Active member; of memberships that were collected.
        bond_lamports: of a bond that the payee could not take; lies above the account's rent.
    """

    run: bytes
    wallet: bytes
    payee: bytes
    rent_payer: bytes
    instance: bytes
    slot: int
    member_id: int
    joins: int
    barred: bool
    strikes: int
    address: str
    points_earned: int
    points_slashed: int
    claims: int
    rounds_served: int
    epochs_served: int
    bond_lamports: int


_NUMBERS: Final = (
    "slot",
    "member_id",
    "joins",
    "strikes",
    "points_earned",
    "points_slashed",
    "claims",
    "rounds_served",
    "epochs_served",
    "bond_lamports",
)
_BYTES: Final = ("run", "wallet", "payee", "rent_payer", "instance")


def decode_participant(
    data: bytes, *, owner: Pubkey | None = None, address: object = "?"
) -> Participant:
    """The participant in an account's bytes, discriminator included.

    Raises:
        AccountError: owner, discriminator, version, length or contents are wrong.
    """
    source = Source(address, owner)
    record = checks.fixed_part(data, checks.PARTICIPANT, source)
    checks.exact_length(data, checks.HEAD_BYTES + checks.PARTICIPANT.dtype.itemsize, source)
    return Participant(
        **checks.numbers(record, _NUMBERS),
        **checks.hashes(record, _BYTES),
        barred=bool(record["barred"]),
        address=checks.text(record["address"], int(record["address_len"]), source),
    )
