"""Where things are written: data on stdout, words on stderr."""

from __future__ import annotations

import json
import sys

LAMPORTS_PER_SOL = 1_000_000_000


def say(line: str) -> None:
    """One line for people, on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def put(line: str) -> None:
    """One line of data, on stdout."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def put_json(value: object) -> None:
    """One JSON document, on stdout."""
    put(json.dumps(value, indent=2, allow_nan=False))


def sol(lamports: int) -> str:
    """Lamports as SOL, without trailing zeros and without rounding."""
    whole, rest = divmod(lamports, LAMPORTS_PER_SOL)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".") + " SOL"


def count_bytes(count: float) -> str:
    """A number of bytes for people, in steps of 1,000."""
    step = 1_000.0
    for unit in ("B", "KB", "MB"):
        if count < step:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= step
    return f"{count:.1f} GB"
