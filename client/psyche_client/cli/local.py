"""`psyche demo`, `psyche localnet`, `psyche join`: commands that run until they are done."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psyche_client.cli.errors import Code, CommandError
from psyche_client.cli.keys import load_key
from psyche_client.cli.output import lamports_of, put_json, say
from psyche_client.cli.settings import (
    Bfloat16,
    MicroBatch,
    RankSeconds,
    Recompute,
    Shard,
    Url,
    WalletFile,
    endpoint,
    rank,
    wallet_path,
)
from psyche_client.cli.words import words
from psyche_client.options import RANK_SECONDS, Compute, DemoOptions, JoinOptions
from psyche_client.orphan import die_with

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from psyche_sdk.localnet import Localnet, LocalnetConfig


def demo(
    *,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout; no live view.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep models, payloads and accounts in this folder."),
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, max=100_000, help="Rounds to train.")] = None,
    clients: Annotated[int, typer.Option(min=2, max=16, help="Clients that start.")] = 3,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Fixes parameters, data order and faults.")
    ] = 0,
    overlap: Annotated[
        int, typer.Option(min=0, max=1, help="Rounds that a payload may lag behind.")
    ] = 1,
    faults: Annotated[
        bool, typer.Option("--faults/--no-faults", help="Kill a client, let another join.")
    ] = True,
) -> None:
    """Train a small model with a whole network on this machine, and watch it."""
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CommandError(f"{out} is not an empty folder", hint="name a new one with --out")
    if out is not None:
        _make_folder(out)  # now, and not once the whole network has trained
    from psyche_client.demo import main  # noqa: PLC0415 - a page of help needs no network

    main(
        DemoOptions(
            json=json,
            out=out,
            rounds=rounds,
            clients=clients,
            seed=seed,
            overlap=overlap,
            faults=faults,
        )
    )


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"{path} cannot be made: {error.strerror}",
            hint="name a folder that you may write with --out",
            code=Code.DATA,
        ) from None


def localnet(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65_534, help="JSON-RPC; subscriptions have the next one.")
    ] = 8_899,
    slot_ms: Annotated[int, typer.Option(min=10, max=60_000, help="Length of a slot.")] = 400,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Go on from this file, and save to it.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Say where it is as JSON on stdout.")
    ] = False,
    program: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=FILE", help="Load this program, too; may stand more than once."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Run a Solana chain on this machine, with the program on it, until Ctrl-C."""
    from psyche_sdk.localnet import (  # noqa: PLC0415 - a page of help needs no chain
        LocalnetConfig,
        PortInUse,
        packaged_program,
    )

    programs: dict[Pubkey, str | Path | bytes] = {**packaged_program()}
    programs.update(_program(text) for text in program or ())
    config = LocalnetConfig(port=port, slot_ms=slot_ms, state=state, programs=programs)
    try:
        asyncio.run(_serve(config, json=json, quiet=quiet))
    except PortInUse as error:
        raise CommandError(
            f"port {error.port} is in use",
            hint="stop the program that has it, or choose another with --port (0 takes any)",
            code=Code.NETWORK,
        ) from None


def _program(text: str) -> tuple[Pubkey, Path]:
    """Address and file of a program named on the command line."""
    from solders.pubkey import Pubkey  # noqa: PLC0415 - a page of help needs no chain

    address, _, file = text.partition("=")
    try:
        found = Pubkey.from_string(address)
    except ValueError:
        raise CommandError(
            f"`{text}` names no program", hint="write --program ADDRESS=FILE.so"
        ) from None
    if not Path(file).is_file():
        raise CommandError(f"`{text}`: there is no file `{file}`", hint="name the program's .so")
    return found, Path(file)


async def _serve(config: LocalnetConfig, *, json: bool, quiet: bool) -> None:
    from psyche_sdk.localnet import serve  # noqa: PLC0415 - as above

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def ready(chain: Localnet) -> None:
        if json:
            put_json({"url": chain.url, "ws_url": chain.ws_url, "slot": chain.slot})
        if quiet:
            return
        say(f"a chain at {chain.url}, subscriptions at {chain.ws_url}; Ctrl-C stops it")
        for program in chain.config.programs:
            say(f"the program is {program}")

    await serve(config, ready=ready, stop=stop)


def join(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's address, or CREATOR/ID.")],
    *,
    url: Url = None,
    wallet: WalletFile = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Prepared data, where the run's is local.")
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="This client's folder [~/.local/share/psyche/RUN]."),
    ] = None,
    network: Annotated[
        str,
        typer.Option(metavar="direct|n0", help="Addresses from the chain alone, or relays too."),
    ] = "n0",
    name: Annotated[str, typer.Option(help="What people call this client.")] = "",
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Keep every payload, for a replay.")
    ] = False,
    validate: Annotated[
        bool, typer.Option("--validate", help="Measure the loss on held-out text, too.")
    ] = False,
    bond_max: Annotated[
        str, typer.Option(metavar="SOL", help="The largest bond that this wallet deposits.")
    ] = "0",
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Tell nothing but what ends it; see events.jsonl.")
    ] = False,
    micro_batch: MicroBatch = 8,
    bf16: Bfloat16 = False,
    recompute: Recompute = False,
    shard: Shard = False,
    rank_seconds: RankSeconds = RANK_SECONDS,
    parent: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Train in a run until it is finished. Ctrl-C hands the batch back and leaves."""
    if network not in ("direct", "n0"):
        raise CommandError(f"no network is called `{network}`", hint="choose direct or n0")
    if parent is not None:
        die_with(parent)  # first of all: what follows takes its time to load
    place = rank()
    if shard and place.count == 1:
        raise CommandError(
            "--shard parts the model among the processes of torchrun, and here is one alone",
            hint="start several with torchrun --nproc-per-node N, or leave --shard out",
        )
    if place.count > 1:
        die_with(os.getppid())  # torchrun: killed, it could not take its ranks along
    if place.number:
        from psyche_client.ranks import follow  # noqa: PLC0415 - it imports torch

        follow(wait_seconds=rank_seconds)
        return
    from psyche_client.joining import main  # noqa: PLC0415 - it imports torch

    # The client's own events say the same.
    logging.getLogger("psyche_sdk").addHandler(logging.NullHandler())
    folder = home or Path.home() / ".local" / "share" / "psyche" / run.replace("/", "-")
    key_file = wallet_path(wallet)
    main(
        JoinOptions(
            run=run,
            url=endpoint(url),
            wallet=key_file,
            data=data,
            home=folder,
            network=network,
            name=name,
            keep_all=keep_all,
            validate=validate,
            bond_lamports_max=lamports_of(bond_max),
            compute=Compute(
                micro_batch=micro_batch, bfloat16=bf16, recompute=recompute, shard=shard
            ),
            ranks=place.count,
            rank_seconds=rank_seconds,
        ),
        load_key(key_file),
        (lambda _: None) if quiet else _tell,
    )


def _tell(event: Mapping[str, Any]) -> None:
    """Says on stderr what a client does."""
    line = words(event)
    if line is not None:
        with contextlib.suppress(OSError):  # nobody listens any more
            say(line)
