"""The accounts of instructions about authorities, passes, bonds and points."""

from __future__ import annotations

from typing import Any, Protocol

from solders.pubkey import Pubkey

from psyche_sdk._generated.pdas import participant_address


class HasRun(Protocol):
    """Something that knows a run's addresses."""

    run_key: Pubkey
    roster_key: Pubkey
    rounds_key: Pubkey


def accounts_of(chain: HasRun, name: str, me: Pubkey) -> dict[str, Any] | None:
    """What an instruction of a wallet names; None if it is none of these instructions."""
    run = {"run": chain.run_key}
    match name:
        case "issue_pass":
            return {"payer": me, "join_authority": me, **run}
        case "revoke_pass":
            return {"revoker": me, "rent_payer": me, **run}
        case "accept_authority":
            return {"proposed_authority": me, **run}
        case "set_payee":
            return {"wallet": me, "participant": participant_address(wallet=me, **run)}
        case "collect":
            return {**run, "roster": chain.roster_key, "rounds": chain.rounds_key}
        case "close_participant":
            mine = {"participant": participant_address(wallet=me, **run)}
            return {"wallet": me, "rent_payer": me, "roster": chain.roster_key, **run, **mine}
        case _:
            return None
