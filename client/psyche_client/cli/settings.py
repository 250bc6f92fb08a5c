"""Options of several commands; chain and wallet are the Solana CLI's own where none is named."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from psyche_client.cli.errors import CommandError

MONIKERS = {
    "localhost": "http://127.0.0.1:8899",
    "devnet": "https://api.devnet.solana.com",
    "testnet": "https://api.testnet.solana.com",
    "mainnet-beta": "https://api.mainnet-beta.solana.com",
}
"""The names that the Solana CLI knows, and their RPC endpoints."""

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        "-u",
        metavar="URL",
        help="RPC endpoint, or localhost, devnet, testnet, mainnet-beta [the Solana CLI's].",
    ),
]
WalletFile = Annotated[
    Path | None,
    typer.Option("--wallet", "-k", metavar="FILE", help="Key file [the Solana CLI's]."),
]
MicroBatch = Annotated[int, typer.Option(min=1, max=4_096, help="Sequences in a backward pass.")]
Bfloat16 = Annotated[
    bool, typer.Option("--bf16", help="Multiply matrices in bfloat16 for the gradient.")
]
Recompute = Annotated[
    bool, typer.Option("--recompute", help="Compute layers twice: less memory, more time.")
]
Shard = Annotated[
    bool, typer.Option("--shard", help="With torchrun: a part of the model a rank (FSDP2).")
]
RankSeconds = Annotated[
    int,
    typer.Option(
        min=1, max=86_400, help="With torchrun: how long a rank may be silent within a share."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@dataclass(frozen=True, slots=True)
class SolanaConfig:
    """What the Solana CLI's file says."""

    url: str
    wallet: Path


def solana_folder() -> Path:
    """The Solana CLI's folder of settings."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "solana"


def solana_config() -> SolanaConfig:
    """Reads the Solana CLI's file; its defaults where there is none."""
    folder = solana_folder()
    values: dict[str, str] = {}
    try:
        lines = (folder / "cli" / "config.yml").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and not key.startswith((" ", "#", "-")):
            values[key.strip()] = value.strip().strip("'\"")
    wallet = values.get("keypair_path") or str(folder / "id.json")
    return SolanaConfig(
        url=values.get("json_rpc_url") or MONIKERS["localhost"], wallet=Path(wallet).expanduser()
    )


def endpoint(url: str | None) -> str:
    """The RPC endpoint that an option or the Solana CLI's file names.

    Raises:
        CommandError: it is neither a URL nor a name that is known.
    """
    chosen = url or solana_config().url
    chosen = MONIKERS.get(chosen, chosen)
    try:
        parts = urlsplit(chosen)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        good = False
    if not good:
        raise CommandError(
            f"`{chosen}` is no RPC endpoint",
            hint=f"write a URL such as http://127.0.0.1:8899, or one of {', '.join(MONIKERS)}",
        )
    return chosen


def wallet_path(wallet: Path | None) -> Path:
    """The key file that an option or the Solana CLI's file names."""
    return wallet.expanduser() if wallet else solana_config().wallet


_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, slots=True)
class Rank:
    """Which of how many processes this is, as `torchrun` says: else the only one."""

    number: int = 0
    count: int = 1


def rank() -> Rank:
    """This process's rank.

    Raises:
        CommandError: the variables of `torchrun` contradict each other, or some are missing.
    """
    found = {name: os.environ.get(name, "") for name in _TORCHRUN}
    number, count, *place = found.values()
    if not (number.isdecimal() and count.isdecimal()):
        return Rank()
    if int(number) >= int(count) or (int(count) > 1 and not all(place)):
        told = ", ".join(f"{name}={value or '(unset)'}" for name, value in found.items())
        raise CommandError(
            f"{told} name no rank",
            hint="let torchrun start the ranks; for a client of one process unset these variables",
        )
    return Rank(int(number), int(count))
