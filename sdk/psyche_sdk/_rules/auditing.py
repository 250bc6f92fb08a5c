"""What a member has to say about payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psyche_sdk._generated.types import VERDICT_CODEC, Verdict
from psyche_sdk._rules.hashing import sha256

if TYPE_CHECKING:
    from psyche_sdk._rules.audits import Auditor, Seat
    from psyche_sdk._rules.roster import Member
    from psyche_sdk._rules.rounds import RoundRecord


def my_audit(record: RoundRecord | None, member: Member | None) -> Auditor | None:
    """What a member has to audit among a round's payloads; None if nothing."""
    if record is None or member is None:
        return None
    mine = (member.slot, member.member_id)
    found = (one for one in record.auditors if (one.slot, one.member_id) == mine)
    return next((one for one in found if one.target is not None), None)


def my_seats(record: RoundRecord | None, member: Member | None) -> list[Seat]:
    """The member's seats in committees that judge flagged payloads of a round."""
    if record is None or member is None:
        return []
    mine = (member.slot, member.member_id)
    return [one for one in record.seats if (one.slot, one.member_id) == mine]


def committee_of(record: RoundRecord, auditor: Auditor) -> tuple[Seat, ...]:
    """The seats of the case that an auditor's flag opened; none before they are drawn."""
    return record.seats[auditor.first_seat : auditor.first_seat + auditor.seats]


def sealed_verdict(verdict: Verdict, salt: bytes, wallet: bytes) -> bytes:
    """What a seat sends first: sha256(verdict, salt[32], wallet[32])."""
    return sha256(VERDICT_CODEC.encode(verdict), salt, wallet)
