"""Passes, bonds, collecting (PROTOCOL.md sections 10 and 10c)."""

from __future__ import annotations

from typing import Any

from support.model import members
from support.model.state import Entry, Holder, Permit, State
from support.model.words import Moment, Place, Refused


def admission(state: State, wallet: bytes, now: Moment) -> dict[str, bool]:
    """What speaks against a wallet where passes are needed."""
    if state.join_authority is None:
        return {}
    permit = state.permits.get(wallet)
    mine = permit is not None and permit.issuer == state.join_authority
    return {
        "JoinAuthorityRequired": not mine,
        "PassExpired": permit is not None and permit.expiry <= now.time,
    }


def _refuse(reasons: dict[str, bool]) -> None:
    true = [name for name, holds in reasons.items() if holds]
    if true:
        raise Refused(*true)


def set_join_authority(state: State, signer: bytes, named: bytes | None) -> None:
    """By the owner, in any phase."""
    _refuse({"Unauthorized": signer != state.owner})
    state.join_authority = named


def issue_pass(state: State, signer: bytes, wallet: bytes, expiry: int, now: Moment) -> None:
    """By the join authority alone."""
    stranger = state.join_authority is None or signer != state.join_authority
    _refuse({"Unauthorized": stranger, "PassExpiryPast": expiry <= now.time})
    state.permits[wallet] = Permit(signer, expiry)


def revoke_pass(state: State, signer: bytes, wallet: bytes, payer: bytes, now: Moment) -> None:
    """By the join authority, or by who paid once it is over."""
    permit = state.permits[wallet]
    over = permit.expiry <= now.time and signer == payer
    _refuse({"Unauthorized": signer != state.join_authority and not over})
    del state.permits[wallet]


def set_payee(state: State, wallet: bytes, payee: bytes) -> None:
    """By the wallet."""
    _refuse({"PayeeZero": not any(payee)})
    state.holders[wallet].payee = payee


def collect(
    state: State, slot: int, wallet: bytes, payee: bytes | None, *, takes: bool = True
) -> None:
    """By anybody, in any phase; `takes` says whether the payee can take lamports."""
    known = slot < state.capacity
    entry = state.entries[slot] if known else Entry()
    holder = state.holders[wallet]
    empty = entry.member_id == 0
    paid = holder.waiting > 0 and payee is not None and takes
    owed = entry.points or entry.slashed or entry.strikes > entry.told
    gone = known and not empty and not entry.is_member and not members.named(state, slot)
    _refuse(
        {
            "UnknownSlot": not known,
            "NothingToCollect": known and not paid and (empty or not (gone or owed)),
            "NotTheHolder": not paid and not empty and entry.wallet != wallet,
            "WrongAccount": payee is not None and payee != holder.payee,
        }
    )
    holder.waiting *= not paid
    if empty or entry.wallet != wallet:
        return
    holder.claims += entry.points > 0
    holder.earned += entry.points
    holder.slashed += entry.slashed
    holder.strikes += entry.strikes - entry.told
    entry.points = entry.slashed = 0
    entry.told = entry.strikes
    holder.rounds += entry.rounds
    holder.epochs += entry.epochs
    entry.rounds = entry.epochs = 0
    if gone:
        if entry.place is Place.EJECTED:
            holder.barred = True
            state.forfeited += entry.bond
        elif payee is None or not takes:
            holder.waiting += entry.bond
        state.entries[slot] = Entry()


def close_participant(
    state: State, wallet: bytes, payee: bytes | None, *, takes: bool = True
) -> None:
    """By the wallet, when nothing on the roster is its own."""
    holder = state.holders[wallet]
    waits = holder.waiting > 0
    _refuse(
        {
            "Barred": holder.barred or holder.strikes > 0,
            "SlotRemains": any(entry.wallet == wallet for entry in state.entries),
            "PayeeCannotTake": waits and (payee is None or not takes),
            "WrongAccount": payee is not None and payee != holder.payee,
        }
    )
    del state.holders[wallet]


def expect_holder(holder: Holder) -> dict[str, Any]:
    """What stands in a participant's account."""
    return {
        "joins": holder.joins,
        "payee": holder.payee,
        "earned": holder.earned,
        "waiting": holder.waiting,
        "slashed": holder.slashed,
        "strikes": holder.strikes,
        "barred": int(holder.barred),
        "claims": holder.claims,
        "rounds": holder.rounds,
        "epochs": holder.epochs,
    }


def bonds(state: State) -> int:
    """Lamports of the bonds on the roster."""
    return sum(entry.bond for entry in state.entries)
