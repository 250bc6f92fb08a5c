"""Which slots a newcomer may take, and on which something is to be collected."""

from __future__ import annotations

from psyche_sdk._rules.phase import Phase
from psyche_sdk._rules.roster import Member
from psyche_sdk._rules.rounds import RECORDS
from psyche_sdk._rules.run import Run


def is_named(run: Run, member: Member) -> bool:
    """Whether a record that is kept names the slot as that of an Active member."""
    epoch, number = member.named
    newest = run.round - (run.phase is Phase.COOLDOWN)
    return member.weight > 0 and epoch == run.epoch and newest < number + RECORDS


def is_free(run: Run, member: Member) -> bool:
    """Whether `join` takes the slot: nobody's, nothing left on it, and not named."""
    return not member.state.is_member and not member.owes and not is_named(run, member)


def frees(run: Run, member: Member) -> bool:
    """Whether `collect` frees the slot: its holder is gone, and no record names it any more."""
    gone = bool(member.member_id) and not member.state.is_member
    return gone and not is_named(run, member)


def collects(run: Run, member: Member) -> bool:
    """Whether `collect` does anything with the slot now."""
    strikes = member.strikes > member.strikes_collected
    return frees(run, member) or bool(member.points or member.points_slashed) or strikes
