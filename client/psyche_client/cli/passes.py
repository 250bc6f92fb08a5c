"""`psyche pass`: who may join a run that has a join authority."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psyche_client.cli.errors import Code, CommandError
from psyche_client.cli.keys import load_key
from psyche_client.cli.opened import public_key, tell, with_run
from psyche_client.cli.output import say
from psyche_client.cli.run import RunName
from psyche_client.cli.settings import Json, Url, WalletFile, wallet_path

if TYPE_CHECKING:
    from psyche_sdk.coordinator import Coordinator
    from psyche_sdk.views import Pass

app = typer.Typer(help="Permit wallets to join a run.", no_args_is_help=True, rich_markup_mode=None)

WalletName = Annotated[str, typer.Argument(metavar="WALLET", help="The wallet's public key.")]
DAY_SECONDS = 86_400
DAYS_MAX = 36_500


@app.command()
def issue(
    run: RunName,
    wallet_key: WalletName,
    *,
    days: Annotated[
        float, typer.Option(metavar="DAYS", help="How long it is good, from now on.")
    ] = 30.0,
    url: Url = None,
    wallet: WalletFile = None,
) -> None:
    """Permit a wallet to join, or renew that; the wallet of --wallet is the join authority."""
    if not 0 < days <= DAYS_MAX:
        raise CommandError(
            f"a pass cannot be good for {days} days", hint="more than 0, at most 36500"
        )
    holder, key_file = public_key(wallet_key), wallet_path(wallet)
    signer = load_key(key_file).pubkey()

    async def work(coordinator: Coordinator) -> None:
        snapshot = await coordinator.snapshot()
        now = time.time() if snapshot.unix_seconds is None else snapshot.unix_seconds
        _refuse_stranger(snapshot.run.data, str(signer))
        expiry = int(now + days * DAY_SECONDS)
        await coordinator.issue_pass(holder, expiry)
        say(f"{holder} may join until {_date(expiry)}")

    with_run(run, work, url=url, wallet=key_file)


@app.command()
def revoke(
    run: RunName, wallet_key: WalletName, *, url: Url = None, wallet: WalletFile = None
) -> None:
    """Close a wallet's pass; its rent goes back to who paid it. A member stays a member."""
    from solders.pubkey import Pubkey  # noqa: PLC0415 - a page of help needs no keys

    from psyche_sdk.errors import AccountMissing  # noqa: PLC0415 - as above
    from psyche_sdk.views import decode_pass  # noqa: PLC0415 - as above

    holder = public_key(wallet_key)

    async def work(coordinator: Coordinator) -> None:
        try:
            found = decode_pass((await coordinator.join_pass(holder)).data)
        except AccountMissing:
            raise CommandError(
                f"{holder} has no pass for this run",
                hint="`psyche pass list RUN` prints those that there are",
                code=Code.CHAIN,
            ) from None
        await coordinator.revoke_pass(holder, Pubkey(found.rent_payer))
        say(f"the pass of {holder} is closed")

    with_run(run, work, url=url, wallet=wallet_path(wallet))


@app.command(name="list")
def list_passes(run: RunName, *, url: Url = None, json: Json = False) -> None:
    """Print a run's passes."""

    async def work(coordinator: Coordinator) -> None:
        from psyche_sdk.views import decode_pass, decode_run  # noqa: PLC0415 - it imports numpy

        snapshot = await coordinator.snapshot()
        now = time.time() if snapshot.unix_seconds is None else snapshot.unix_seconds
        state = decode_run(snapshot.run.data)
        passes = [decode_pass(account.data) for account in await coordinator.passes()]
        found = [_facts(one, one.admits(state, int(now))) for one in passes]
        found.sort(key=lambda one: str(one["wallet"]))
        lines = [
            f"{one['wallet']}  until {_date(one['expiry'])}  {'' if one['valid'] else 'not valid'}"
            for one in found
        ]
        tell(found, [line.rstrip() for line in lines], json=json)
        if not found:
            say("no passes for this run")

    with_run(run, work, url=url)


def _refuse_stranger(data: bytes, signer: str) -> None:
    """The chain would refuse with a bare name."""
    from psyche_client.cli.runs import key  # noqa: PLC0415 - a page of help needs no keys
    from psyche_sdk.views import decode_run  # noqa: PLC0415 - as above

    authority = decode_run(data).join_authority
    if authority is None:
        raise CommandError(
            "this run has no join authority: everybody may join without a pass",
            hint="its owner names one with `psyche run join-authority`",
            code=Code.REFUSED,
        )
    if key(authority) != signer:
        raise CommandError(
            f"only the run's join authority, {key(authority)}, issues passes",
            hint="name its key file with --wallet",
            code=Code.REFUSED,
        )


def _facts(found: Pass, valid: bool) -> dict[str, Any]:
    from psyche_client.cli.runs import key  # noqa: PLC0415 - a page of help needs no keys

    return {
        "wallet": key(found.wallet),
        "expiry": found.expiry,
        "issuer": key(found.issuer),
        "rent_payer": key(found.rent_payer),
        "valid": valid,
    }


def _date(unix_seconds: int) -> str:
    """A moment for people, in UTC."""
    try:
        return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return f"Unix second {unix_seconds}"
