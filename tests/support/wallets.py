"""Wallets in files, as the command line takes them."""

from __future__ import annotations

from pathlib import Path

from solders.keypair import Keypair

from psyche_client.cli.keys import load_key


def who(folder: Path, name: str) -> Keypair:
    """The keys of somebody whose wallet lies in a folder."""
    return load_key(folder / f"{name}.json")


def options(folder: Path, name: str, chain: str) -> list[str]:
    """What a command is told of the wallet and of the chain's URL."""
    return ["--wallet", str(folder / f"{name}.json"), "--url", chain]
