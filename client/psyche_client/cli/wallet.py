"""`psyche wallet`: keys that sign and pay."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from psyche_client.cli import rpc
from psyche_client.cli.errors import Code, CommandError
from psyche_client.cli.keys import load_key, save_key
from psyche_client.cli.output import LAMPORTS_PER_SOL, put, put_json, say, sol
from psyche_client.cli.settings import Json, Url, WalletFile, endpoint, wallet_path

app = typer.Typer(help="Make, show and fill a wallet.", no_args_is_help=True, rich_markup_mode=None)

AIRDROP_SECONDS = 30.0
POLL_SECONDS = 0.25


@app.command()
def new(
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the key goes [the Solana CLI's].")
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace a key that is there: it is lost.")] = False,
    json: Json = False,
) -> None:
    """Make a new key, readable by you alone, and print its address."""
    from solders.keypair import Keypair  # noqa: PLC0415 - a page of help needs no keys

    path = wallet_path(out)
    key = Keypair()
    save_key(key, path, replace=force)
    say(f"wrote {path}; who has this file has the wallet")
    if json:
        put_json({"address": str(key.pubkey()), "path": str(path)})
    else:
        put(str(key.pubkey()))


@app.command()
def show(wallet: WalletFile = None, url: Url = None, json: Json = False) -> None:
    """Print a wallet's address and what is in it."""
    address = str(load_key(wallet_path(wallet)).pubkey())
    lamports = balance(endpoint(url), address)
    if json:
        put_json({"address": address, "lamports": lamports})
    else:
        put(f"{address}  {sol(lamports)}")


@app.command()
def airdrop(
    amount: Annotated[float, typer.Argument(metavar="SOL", min=0.000000001, max=1_000_000)] = 1.0,
    wallet: WalletFile = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Ask a test chain for SOL, and wait until it is there."""
    target = endpoint(url)
    address = str(load_key(wallet_path(wallet)).pubkey())
    before = balance(target, address)
    lamports = round(amount * LAMPORTS_PER_SOL)
    rpc.call(target, "requestAirdrop", address, lamports, {"commitment": "confirmed"})
    after = _wait_for_more(target, address, before)
    if json:
        put_json({"address": address, "lamports": after})
    else:
        put(f"{address}  {sol(after)}")


def balance(url: str, address: str) -> int:
    """Confirmed lamports of an address.

    Raises:
        CommandError: no chain answers, or not with a balance.
    """
    found = rpc.call(url, "getBalance", address, {"commitment": "confirmed"})
    try:
        return int(found["value"])
    except (KeyError, TypeError, ValueError):
        raise CommandError(f"{url} gave no balance", code=Code.CHAIN) from None


def _wait_for_more(url: str, address: str, before: int) -> int:
    end = time.monotonic() + AIRDROP_SECONDS
    while time.monotonic() < end:
        now = balance(url, address)
        if now > before:
            return now
        time.sleep(POLL_SECONDS)
    raise CommandError(
        f"{url} took the request, but no SOL came within {AIRDROP_SECONDS:.0f} s",
        hint="public test chains limit airdrops; try less, or later",
        code=Code.FUNDS,
    )
