"""Where things are written: data on stdout, words on stderr."""

from __future__ import annotations

import json
import re
import sys

from psyche_client.cli.errors import CommandError
from psyche_client.lamports import LAMPORTS_PER_SOL, sol

__all__ = [
    "LAMPORTS_PER_SOL",
    "count_bytes",
    "harmless",
    "lamports_of",
    "put",
    "put_json",
    "put_text",
    "say",
    "sol",
]


def say(line: str) -> None:
    """One line for people, on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def put(line: str) -> None:
    """One line of data, on stdout."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def put_text(text: str) -> None:
    """Text that others or a model wrote, on stdout: as it is, but harmless on a terminal."""
    put(harmless(text) if sys.stdout.isatty() else text)


def put_json(value: object) -> None:
    """One JSON document, on stdout."""
    put(json.dumps(value, indent=2, allow_nan=False))


def harmless(text: str, *, plain: bool = False) -> str:
    """Text that others or a model wrote, for a terminal: what would steer it is U+FFFD.

    Args:
        text: any.
        plain: use ASCII alone; what it lacks is a question mark.
    """
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
    return shown.encode("ascii", "replace").decode() if plain else shown


def lamports_of(text: str) -> int:
    """An amount of SOL, written with a point, as lamports.

    Raises:
        CommandError: it is no amount of whole lamports.
    """
    found = re.fullmatch(r"(\d{1,9})(?:\.(\d{1,9}))?", text.strip())
    if found is None:
        raise CommandError(
            f"`{text}` is no amount of SOL",
            hint="write it with at most nine decimals, such as 0.05",
        )
    return int(found[1]) * LAMPORTS_PER_SOL + int((found[2] or "").ljust(9, "0"))


def count_bytes(count: float) -> str:
    """A number of bytes for people, in steps of 1,000."""
    step = 1_000.0
    for unit in ("B", "KB", "MB"):
        if count < step:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= step
    return f"{count:.1f} GB"
