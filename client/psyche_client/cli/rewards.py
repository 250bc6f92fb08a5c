"""`psyche rewards`: points and bonds: what is there, and how it gets to where it belongs."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psyche_client.cli.errors import Code, CommandError
from psyche_client.cli.keys import load_key
from psyche_client.cli.opened import public_key, tell, with_run
from psyche_client.cli.output import say, sol
from psyche_client.cli.run import RunName
from psyche_client.cli.settings import Json, Url, WalletFile, wallet_path

if TYPE_CHECKING:
    from psyche_sdk.coordinator import Coordinator
    from psyche_sdk.views import Participant, Roster, Run

app = typer.Typer(
    help="Points and bonds: look, collect.", no_args_is_help=True, rich_markup_mode=None
)

RUN_OFFSET = 24
"""Where a participant's account names its run: behind the discriminator and 16 bytes."""


@app.command()
def show(
    run: RunName,
    wallet_key: Annotated[
        str | None, typer.Argument(metavar="[WALLET]", help="Only what this wallet has.")
    ] = None,
    *,
    url: Url = None,
    json: Json = False,
) -> None:
    """Print points and bonds of everybody who ever joined a run."""
    only = None if wallet_key is None else str(public_key(wallet_key))

    async def work(coordinator: Coordinator) -> None:
        from psyche_sdk.views import decode_roster, decode_run  # noqa: PLC0415 - numpy

        snapshot = await coordinator.snapshot()
        state, roster = decode_run(snapshot.run.data), decode_roster(snapshot.roster.data)
        found = [_facts(one, state, roster) for one in await _participants(coordinator)]
        found = sorted((one for one in found if only in (None, one["wallet"])), key=_by_points)
        totals = {
            "points": sum(one["points"] for one in found),
            "bonds_lamports": state.bonds_lamports,
            "forfeited_lamports": state.forfeited_lamports,
        }
        tell({"participants": found, **totals}, [_line(one) for one in found], json=json)
        if not found:
            say("nobody has joined this run" if only is None else f"{only} never joined this run")

    with_run(run, work, url=url)


@app.command()
def collect(run: RunName, *, url: Url = None, wallet: WalletFile = None) -> None:
    """Move points from a run's roster to its members' accounts, and bonds of those gone home.

    Anybody may; it costs the fees. Bonds of members that left, and those that wait in their
    accounts, go to their payees.
    """

    async def work(coordinator: Coordinator) -> None:
        from psyche_client.collecting import (  # noqa: PLC0415 - it imports numpy
            collect_from,
            pay_waiting,
        )
        from psyche_sdk.program_errors import NothingToCollect  # noqa: PLC0415 - as above
        from psyche_sdk.views import collects, decode_roster, decode_run  # noqa: PLC0415 - as above

        snapshot = await coordinator.snapshot()
        state, roster = decode_run(snapshot.run.data), decode_roster(snapshot.roster.data)
        members = [roster.member(slot) for slot in range(roster.capacity)]
        count = 0
        for member in members:
            if not collects(state, member):
                continue
            try:
                await collect_from(coordinator, member)
            except NothingToCollect:
                continue  # somebody else was faster
            count += 1
        left = [one for one in await _participants(coordinator) if one.bond_lamports]
        paid = sum([await pay_waiting(coordinator, one) for one in left])
        if count or not paid:
            say(f"collected from {count} slots" if count else "nothing is to be collected now")
        if paid:
            say(f"bonds that had waited are at their payees: {paid}")
        waits = sum(one.owes and not one.state.is_member for one in members) - count
        if waits > 0:
            say("bonds of members that left come free when no kept round names them any more")

    with_run(run, work, url=url, wallet=wallet_path(wallet))


@app.command()
def payee(
    run: RunName,
    wallet_key: Annotated[str, typer.Argument(metavar="WALLET", help="Where they go.")],
    *,
    url: Url = None,
    wallet: WalletFile = None,
) -> None:
    """Say where this wallet's points and returned bond go."""
    to = public_key(wallet_key)

    async def work(coordinator: Coordinator) -> None:
        await coordinator.set_payee(to)
        say(f"points and bond go to {to}")

    with_run(run, work, url=url, wallet=wallet_path(wallet))


@app.command()
def close(run: RunName, *, url: Url = None, wallet: WalletFile = None) -> None:
    """Close this wallet's account in a run: its rent comes back, its sum of points is gone."""
    from solders.pubkey import Pubkey  # noqa: PLC0415 - a page of help needs no keys

    key_file = wallet_path(wallet)
    mine = load_key(key_file).pubkey()

    async def work(coordinator: Coordinator) -> None:
        from psyche_sdk.errors import AccountMissing  # noqa: PLC0415 - a page of help needs none
        from psyche_sdk.views import decode_participant  # noqa: PLC0415 - it imports numpy

        try:
            account = await coordinator.participant(mine)
        except AccountMissing:
            raise CommandError(
                f"{mine} has no account in this run", hint="nothing is to be done", code=Code.CHAIN
            ) from None
        held = decode_participant(account.data)
        await coordinator.close_participant(
            rent_payer=Pubkey(held.rent_payer),
            payee=Pubkey(held.payee) if held.bond_lamports else None,
        )
        say(f"closed; {sol(account.lamports)} are back")

    with_run(run, work, url=url, wallet=key_file)


async def _participants(coordinator: Coordinator) -> list[Participant]:
    from psyche_sdk import pda  # noqa: PLC0415 - a page of help needs no chain
    from psyche_sdk._generated.accounts import PARTICIPANT_DISCRIMINATOR  # noqa: PLC0415 - as above
    from psyche_sdk.views import decode_participant  # noqa: PLC0415 - as above

    wanted = ((0, PARTICIPANT_DISCRIMINATOR), (RUN_OFFSET, bytes(coordinator.address)))
    filters = [
        {"memcmp": {"offset": at, "bytes": base64.b64encode(part).decode(), "encoding": "base64"}}
        for at, part in wanted
    ]
    options = {"encoding": "base64", "filters": filters}
    answer = await coordinator.transport.call("getProgramAccounts", [str(pda.PROGRAM_ID), options])
    data = [base64.b64decode(one["account"]["data"][0]) for one in answer]
    return [decode_participant(one) for one in data]


def _facts(account: Participant, run: Run, roster: Roster) -> dict[str, Any]:
    """What a wallet has: in its account, and on the roster."""
    from psyche_client.cli.runs import key  # noqa: PLC0415 - a page of help needs no keys

    now = account.instance == run.instance
    members = [roster.member(slot) for slot in range(roster.capacity)]
    mine = [one for one in members if now and one.wallet == account.wallet and one.member_id]
    waiting = sum(one.points for one in mine)
    slashed = sum(one.points_slashed for one in mine)
    net = account.points_earned + waiting - account.points_slashed - slashed
    return {
        "wallet": key(account.wallet),
        "payee": key(account.payee),
        "points": max(net, 0) if now else 0,
        "points_earned": account.points_earned,
        "points_slashed": account.points_slashed,
        "points_to_collect": waiting,
        "rounds_served": account.rounds_served + sum(one.rounds_served for one in mine),
        "epochs_served": account.epochs_served + sum(one.epochs_served for one in mine),
        "slots": [one.slot for one in mine],
        "bond_lamports": sum(one.bond_lamports for one in mine),
        "bond_waiting_lamports": account.bond_lamports,
        "barred": account.barred,
    }


def _by_points(facts: dict[str, Any]) -> tuple[int, str]:
    return -facts["points"], facts["wallet"]


def _line(facts: dict[str, Any]) -> str:
    words = f"{facts['wallet']}  points {facts['points']}"
    if facts["points_to_collect"]:
        words += f" ({facts['points_to_collect']} to collect)"
    if facts["bond_lamports"]:
        words += f"  bond {sol(facts['bond_lamports'])}"
    if facts["bond_waiting_lamports"]:
        words += f"  {sol(facts['bond_waiting_lamports'])} wait in its account"
    if facts["payee"] != facts["wallet"]:
        words += f"  to {facts['payee']}"
    return words + ("  barred" if facts["barred"] else "")
