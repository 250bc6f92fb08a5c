"""Key files in the Solana CLI's format: a JSON list of 64 bytes, for the owner's eyes only."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from psyche_client.cli.errors import CommandError

if TYPE_CHECKING:
    from solders.keypair import Keypair

KEY_BYTES = 64
FILE_BYTES_MAX = 4_096


def load_key(path: Path) -> Keypair:
    """Reads a key file.

    Raises:
        CommandError: there is none, others may read it, or it holds no key. No message shows a
            byte of what is in it.
    """
    from solders.keypair import Keypair  # noqa: PLC0415 - a page of help needs no keys

    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise CommandError(
            f"no wallet at {path}",
            hint=f"make one with `psyche wallet new --out {path}`, or name yours with --wallet",
        ) from None
    except OSError as error:
        raise CommandError(
            f"cannot read the wallet {path}: {error.strerror}", hint="name a key file with --wallet"
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CommandError(
            f"other users may read the wallet {path}", hint=f"run `chmod 600 {path}`"
        )
    try:
        numbers = json.loads(content)
        if not isinstance(numbers, list) or len(numbers) != KEY_BYTES:
            raise ValueError
        return Keypair.from_bytes(bytes(numbers))
    except (ValueError, TypeError, RecursionError):
        raise CommandError(
            f"{path} holds no key", hint=f"a key file is a JSON list of {KEY_BYTES} bytes"
        ) from None


def save_key(key: Keypair, path: Path, *, replace: bool = False) -> None:
    """Writes a key file that only its owner may read.

    Raises:
        CommandError: there is one already and `replace` is not set, or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if replace:
            path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(
            f"there is a wallet at {path} already", hint="choose another file with --out"
        ) from None
    except OSError as error:
        raise CommandError(
            f"cannot write {path}: {error.strerror}", hint="name another place with --out"
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(json.dumps(list(bytes(key))) + "\n")
        file.flush()
        os.fsync(file.fileno())
