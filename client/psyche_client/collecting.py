"""Collects what former or present holders have on slots: anybody may, and it costs a fee alone."""

from __future__ import annotations

from solders.pubkey import Pubkey

from psyche_sdk.coordinator import Coordinator
from psyche_sdk.errors import AnchorError
from psyche_sdk.views import Member, decode_participant

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
