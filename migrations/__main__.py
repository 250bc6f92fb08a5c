"""Migrates accounts to the present layout version; without --apply it only says what it would do.

    python -m migrations 0001 --url http://127.0.0.1:8899
    python -m migrations 0001 --url http://127.0.0.1:8899 --run ADDRESS --wallet wallet.json --apply

Exit codes: 0 nothing is left to do (or only planned), 1 something is, 2 a wrong argument.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from solders.pubkey import Pubkey

from migrations import m0001_layout_version_2
from psyche_client.cli.errors import CommandError
from psyche_client.cli.keys import load_key
from psyche_sdk import HttpTransport
from psyche_sdk.errors import PsycheError

MIGRATIONS = {"0001": m0001_layout_version_2}


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m migrations", description="Migrate accounts; plans only, unless --apply."
    )
    parser.add_argument("number", choices=sorted(MIGRATIONS), help="of the migration")
    parser.add_argument("--url", required=True, help="JSON-RPC of a node")
    parser.add_argument("--run", type=Pubkey.from_string, action="append", default=[])
    parser.add_argument("--wallet", type=Path, help="pays the fees; needed with --apply")
    parser.add_argument("--apply", action="store_true", help="do it")
    given = parser.parse_args(words)
    if given.apply and given.wallet is None:
        parser.error("--apply needs --wallet: who pays the fees")
    return given


async def migrate(given: argparse.Namespace) -> int:
    """Plans, applies if asked to, and verifies."""
    migration = MIGRATIONS[given.number]
    transport = HttpTransport(given.url)
    try:
        steps = await migration.plan(transport, given.run)
        if not given.apply:
            for step in steps:
                print(f"would {step}")
            print(f"{len(steps)} to do; nothing was sent" if steps else "nothing to do")
            return 0
        async for step, outcome in migration.apply(transport, load_key(given.wallet), steps):
            print(f"{step}: {outcome}", flush=True)
        wrong = await migration.verify(transport, given.run)
    finally:
        await transport.close()
    for line in wrong:
        print(line)
    print(f"{len(wrong)} left to do" if wrong else "verified: nothing is left to do")
    return 1 if wrong else 0


def main(words: list[str] | None = None) -> int:
    """Runs a migration; an error is one line and what to do."""
    try:
        return asyncio.run(migrate(arguments(words)))
    except (PsycheError, CommandError) as error:
        print(f"error: {error}", file=sys.stderr)
        if hint := getattr(error, "hint", ""):
            print(f"\nhint: {hint}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
