"""`psyche doctor`: what works here."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from psyche_client.cli import rpc
from psyche_client.cli.errors import CommandError
from psyche_client.cli.keys import load_key
from psyche_client.cli.output import count_bytes, put, put_json
from psyche_client.cli.settings import Json, Url, WalletFile, endpoint, wallet_path

CLOCK_SECONDS_MAX = 30
DISK_BYTES_MIN = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found; `good` is None where it matters only to some."""

    what: str
    good: bool | None
    detail: str

    def line(self) -> str:
        """The finding in one line."""
        mark = {True: "ok", False: "FAILS", None: "-"}[self.good]
        return f"{self.what:<10} {mark:<6} {self.detail}"


def doctor(
    url: Url = None,
    wallet: WalletFile = None,
    home: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder whose disk is looked at.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what works on this machine: Python, chain, clock, wallet, ports, GPU, disk."""
    findings = list(look(endpoint(url), wallet_path(wallet), home or Path.cwd()))
    if json:
        put_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            put(finding.line())
    if any(finding.good is False for finding in findings):
        raise typer.Exit(1)


def look(url: str, wallet: Path, home: Path) -> Iterator[Finding]:
    """Looks at everything, one finding after the other; never raises."""
    good = sys.version_info >= (3, 11)
    yield Finding("python", good, f"{platform.python_version()} on {platform.platform(terse=True)}")
    yield _packages()
    yield _codec()
    yield _update()
    yield from _chain(url)
    yield _wallet(wallet)
    yield _socket()
    yield _gpu()
    yield _disk(home)
    found = shutil.which("solana-test-validator")
    yield Finding("validator", None, found or "not on PATH; only some tests use it")


def _packages() -> Finding:
    missing = [
        name
        for name in ("torch", "iroh", "solana", "solders", "tokenizers", "safetensors")
        if importlib.util.find_spec(name) is None
    ]
    detail = "missing: " + ", ".join(missing) if missing else "all that training needs is here"
    return Finding("packages", not missing, detail)


def _codec() -> Finding:
    from psyche_client.optim.codec import CODER  # noqa: PLC0415 - numpy is not needed for --help

    if CODER == "rust":
        return Finding("codec", True, "payloads are coded by psyche_codec, in Rust")
    return Finding(
        "codec", None, "payloads are coded by numpy; `make native` builds a faster coder"
    )


def _update() -> Finding:
    from psyche_client.optim.native import TRANSFORM  # noqa: PLC0415 - as above

    if TRANSFORM:
        return Finding("update", True, "gradients and votes are added up by psyche_codec, in Rust")
    return Finding(
        "update",
        None,
        "gradients and votes are added up by torch; `make native` builds a faster way",
    )


def _chain(url: str) -> Iterator[Finding]:
    try:
        version = rpc.call(url, "getVersion")
        slot = rpc.call(url, "getSlot", {"commitment": "confirmed"})
        seconds = rpc.call(url, "getBlockTime", slot)
    except CommandError as error:
        yield Finding("chain", None, f"{error} (needed to join a run; the demo brings its own)")
        return
    core = version.get("solana-core", "unknown") if isinstance(version, dict) else "unknown"
    yield Finding("chain", True, f"{url}, version {core}, slot {slot}")
    if isinstance(seconds, int):
        ahead = time.time() - seconds
        yield Finding(
            "clock", abs(ahead) <= CLOCK_SECONDS_MAX, f"{ahead:+.0f} s against the chain's"
        )


def _wallet(path: Path) -> Finding:
    try:
        return Finding("wallet", True, f"{load_key(path).pubkey()} ({path})")
    except CommandError as error:
        return Finding("wallet", None, str(error))


def _socket() -> Finding:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("0.0.0.0", 0))
    except OSError as error:
        return Finding("ports", False, f"no UDP socket: {error.strerror}")
    return Finding("ports", True, "UDP sockets can be opened")


def _gpu() -> Finding:
    try:
        return Finding("gpu", None, _gpu_name())
    except (ImportError, RuntimeError, OSError) as error:
        return Finding("gpu", None, f"torch does not load: {error}")


def _gpu_name() -> str:
    import torch  # noqa: PLC0415 - only this line of the report needs it

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name(0)} ({torch.cuda.device_count()} in all)"
    return f"none; the processor's {torch.get_num_threads()} threads serve"


def _disk(home: Path) -> Finding:
    while not home.exists():
        home = home.parent
    free = shutil.disk_usage(home).free
    return Finding("disk", free >= DISK_BYTES_MIN, f"{count_bytes(free)} free at {home}")
