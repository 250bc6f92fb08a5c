"""Collects what former or present holders have on slots: anybody may, and it costs a fee alone."""

from __future__ import annotations

from solders.pubkey import Pubkey

from psyche_sdk.coordinator import Coordinator
from psyche_sdk.errors import AnchorError
from psyche_sdk.program_errors import NothingToCollect, NotTheHolder
from psyche_sdk.views import Member, Participant, decode_participant

NOT_WRITABLE = 2000
"""Anchor's code for an account that no transaction can write: the chain's own."""


async def collect_from(coordinator: Coordinator, member: Member) -> None:
    """Moves what is on a slot to its holder's account, and its bond to the holder's payee.

    Raises:
        PsycheError: nothing is to be collected, or the chain did not take it.
    """
    wallet = Pubkey(member.wallet)
    account = decode_participant((await coordinator.participant(wallet)).data)
    try:
        await coordinator.collect(member.slot, wallet, Pubkey(account.payee))
    except AnchorError as error:
        if error.code != NOT_WRITABLE:
            raise
        # The bond then waits in the holder's account.
        await coordinator.collect(member.slot, wallet, None)


async def pay_waiting(coordinator: Coordinator, account: Participant) -> bool:
    """Brings a bond that waits in a holder's account to its payee; False if that cannot take it.

    Raises:
        PsycheError: the chain did not take it.
    """
    try:
        # Whatever slot is named: with a bond to pay, nothing need be on it.
        await coordinator.collect(0, Pubkey(account.wallet), Pubkey(account.payee))
    except (NothingToCollect, NotTheHolder):
        return False
    except AnchorError as error:
        if error.code != NOT_WRITABLE:
            raise
        return False
    return True
