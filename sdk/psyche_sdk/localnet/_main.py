"""Runs the embedded chain as a program.

On stdout there is one line of JSON once the chain is ready; words for people go to stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from solders.pubkey import Pubkey

from psyche_sdk.localnet._config import SLOT_MS_DEFAULT, LocalnetConfig
from psyche_sdk.localnet._lifeline import end_with_parent, raise_file_limit, watch_parent
from psyche_sdk.localnet._server import Localnet
from psyche_sdk.localnet.errors import LocalnetError, PortInUse, ProgramError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_PORT_IN_USE = 3
_PORT_DEFAULT = 8899
_PACKAGED = Path(__file__).resolve().parents[1] / "_program"


def packaged_program() -> dict[Pubkey, Path]:
    """Returns the coordinator program of this package: its id (from the IDL) and its file.

    Raises ProgramError if this installation has none.
    """
    binary, idl = _PACKAGED / "coordinator.so", _PACKAGED / "coordinator.json"
    if not binary.is_file():
        raise ProgramError(f"this installation has no program: {binary} is missing")
    try:
        address = Pubkey.from_string(json.loads(idl.read_text("utf-8"))["address"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ProgramError(f"cannot read the program's address from {idl}: {error}") from error
    return {address: binary}


async def serve(
    config: LocalnetConfig,
    *,
    ready: Callable[[Localnet], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Runs a chain until `stop` is set or this task is cancelled; calls `ready` once it listens."""
    chain = Localnet.from_config(config)
    await chain.start()
    try:
        if ready is not None:
            ready(chain)
        await (stop or asyncio.Event()).wait()
    finally:
        await chain.stop()


def run(config: LocalnetConfig, *, quiet: bool = False, parent_pid: int | None = None) -> int:
    """Runs a chain until SIGINT or SIGTERM; returns the exit status.

    With `parent_pid` it also ends when that process does.
    """
    raise_file_limit()
    try:
        asyncio.run(_run(config, quiet=quiet, parent_pid=parent_pid))
    except PortInUse as error:
        sys.stderr.write(f"error: {error.strerror}\n")
        return EXIT_PORT_IN_USE
    except (LocalnetError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_FAILED
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Reads the command line, runs a chain, returns the exit status."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.ERROR if options.quiet else logging.INFO)
    try:
        programs: dict[Pubkey, str | Path | bytes] = {}
        if not options.bare:
            programs.update(_packaged_if_any())
        for text in options.program:
            programs.update(_program(text))
        config = LocalnetConfig(
            port=options.port,
            host=options.host,
            slot_ms=options.slot_ms,
            programs=programs,
            state=options.state,
            unix_seconds=options.unix_seconds,
        )
    except ValueError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USAGE
    return run(config, quiet=options.quiet, parent_pid=options.parent_pid)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m psyche_sdk.localnet", description="A Solana chain in one process."
    )
    parser.add_argument(
        "--port",
        type=int,
        default=_PORT_DEFAULT,
        help="port of JSON-RPC; subscriptions have the next one; 0 takes any (default %(default)s)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--slot-ms",
        type=int,
        default=SLOT_MS_DEFAULT,
        help="length of a slot in ms; 0: only localnetAdvance moves slots (default %(default)s)",
    )
    parser.add_argument("--state", type=Path, help="go on from this file and save to it")
    parser.add_argument(
        "--program", action="append", default=[], metavar="ID=FILE", help="load another program"
    )
    parser.add_argument("--bare", action="store_true", help="do not load the packaged program")
    parser.add_argument("--unix-seconds", type=float, help="time at the start, with --slot-ms 0")
    parser.add_argument("--quiet", action="store_true", help="say nothing on stderr but errors")
    parser.add_argument("--parent-pid", type=int, help="end when this parent process does")
    return parser


def _packaged_if_any() -> dict[Pubkey, Path]:
    return packaged_program() if (_PACKAGED / "coordinator.so").is_file() else {}


def _program(text: str) -> dict[Pubkey, Path]:
    address, equals, path = text.partition("=")
    if not equals or not path:
        raise ValueError(f"--program takes ID=FILE, not {text!r}")
    try:
        return {Pubkey.from_string(address): Path(path)}
    except ValueError as error:
        raise ValueError(f"--program {text!r}: not an address: {address}") from error


async def _run(config: LocalnetConfig, *, quiet: bool, parent_pid: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    watcher: asyncio.Task[None] | None = None
    if parent_pid is not None and not end_with_parent(parent_pid):
        watcher = loop.create_task(watch_parent(parent_pid, stop))
    try:
        await serve(config, ready=lambda chain: _announce(chain, quiet), stop=stop)
    finally:
        if watcher is not None:
            watcher.cancel()


def _announce(chain: Localnet, quiet: bool) -> None:
    line = {
        "ready": True,
        "port": chain.port,
        "url": chain.url,
        "ws_url": chain.ws_url,
        "slot": chain.slot,
        "slot_ms": chain.config.slot_ms,
        "programs": [str(program) for program in chain.config.programs],
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    if not quiet:
        sys.stderr.write(f"Embedded chain: {chain.url} and {chain.ws_url}. Ctrl-C stops it.\n")
