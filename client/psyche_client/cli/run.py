"""`psyche run`: make a run, look at it, steer it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from psyche_client.cli.errors import Code, CommandError
from psyche_client.cli.keys import load_key
from psyche_client.cli.opened import tell, with_run
from psyche_client.cli.output import put, put_json, say, sol
from psyche_client.cli.runs import config_facts, member_facts, run_facts, state_of
from psyche_client.cli.settings import Json, Url, WalletFile, endpoint, wallet_path
from psyche_client.cli.state import State

if TYPE_CHECKING:
    from psyche_sdk.coordinator import Coordinator

app = typer.Typer(
    help="Make a run, look at it, steer it.", no_args_is_help=True, rich_markup_mode=None
)

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's address, or CREATOR/ID.")]
URI_BYTES_MAX = 128
MODEL_NAME = "model.json"


@app.command()
def create(
    file: Annotated[Path, typer.Argument(metavar="RUN.TOML", help="The run's file.")],
    *,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Prepared data of the run.")],
    model_uri: Annotated[
        str, typer.Option(metavar="URI", help="Where clients find model.json [DIR/model.json].")
    ] = "",
    places: Annotated[
        list[str] | None,
        typer.Option(
            "--place", metavar="URI", help="Where clients fetch the data; https, http or tcp."
        ),
    ] = None,
    start: Annotated[
        bool, typer.Option("--start", help="Let it wait for members at once.")
    ] = False,
    url: Url = None,
    wallet: WalletFile = None,
    json: Json = False,
) -> None:
    """Check a run's file, write its model.json, and create the run, paused."""
    from psyche_client.config import load  # noqa: PLC0415 - a page of help reads no file
    from psyche_client.data.manifest import Manifest  # noqa: PLC0415 - it imports numpy
    from psyche_client.founding import found  # noqa: PLC0415 - as above
    from psyche_client.store import write_durably  # noqa: PLC0415 - as above
    from psyche_sdk import pda  # noqa: PLC0415 - as above

    config, manifest = load(file), Manifest.read(data)
    document = data / MODEL_NAME
    uri = model_uri or document.resolve().as_uri()
    if len(uri.encode()) > URI_BYTES_MAX:
        raise CommandError(
            f"the URI of {MODEL_NAME} has {len(uri.encode())} bytes, at most {URI_BYTES_MAX} fit",
            hint="name a shorter one with --model-uri",
        )
    plan = found(config, manifest, model_uri=uri, places=places or ())
    key = load_key(wallet_path(wallet))
    write_durably(document, plan.document.encode())
    address = str(pda.run_address(key.pubkey(), config.run.id))

    async def work(coordinator: Coordinator) -> None:
        await _refuse_existing(coordinator, config.run.id)
        await coordinator.create_run(plan.args)
        if start:
            await coordinator.resume()
        rent = (await coordinator.snapshot()).lamports
        facts = {"address": address, "run": f"{key.pubkey()}/{config.run.id}", "rent": rent}
        tell(facts, [f"{address}"], json=json)
        say(f"created {facts['run']}; its accounts hold {sol(rent)}, which comes back on closing")
        if not start:
            say(f"it is paused: let it begin with `psyche run resume {address}`")

    with_run(address, work, url=url, wallet=wallet_path(wallet))


@app.command()
def show(run: RunName, *, url: Url = None, json: Json = False) -> None:
    """Print a run: phase, members, counters."""

    async def work(coordinator: Coordinator) -> None:
        snapshot = await coordinator.snapshot()
        facts = run_facts(snapshot.run.data, str(coordinator.address))
        members = member_facts(snapshot.roster.data)
        if json:
            put_json(facts | {"roster": members, "lamports": snapshot.lamports})
            return
        for name, value in facts.items():
            for inner, item in (value if isinstance(value, dict) else {"": value}).items():
                put(f"{'.'.join(filter(None, (name, inner))):<24} {_shown(item)}")
        for member in members:
            put("  ".join(f"{name} {value}" for name, value in member.items()))

    with_run(run, work, url=url)


@app.command(name="list")
def list_runs(*, url: Url = None, json: Json = False) -> None:
    """Print all runs of the program on this chain."""
    from psyche_sdk import HttpTransport, _accounts  # noqa: PLC0415 - a page of help needs no chain

    async def work() -> list[dict[str, Any]]:
        transport = HttpTransport(endpoint(url))
        try:
            runs = await _accounts.search(transport, _accounts.RUN, commitment="confirmed")
        finally:
            await transport.close()
        return [run_facts(account.data, str(account.address)) for account in runs]

    found = asyncio.run(work())
    if json:
        put_json(found)
    for facts in [] if json else found:
        put(
            f"{facts['address']}  {facts['id']:<16} {facts['phase']:<20} "
            f"step {facts['step']}/{facts['total_steps']}"
        )
    if not found:
        say("no runs here yet")


@app.command()
def watch(run: RunName, *, url: Url = None, json: Json = False) -> None:
    """Follow a run until Ctrl-C: a picture on a terminal, lines elsewhere."""
    from psyche_client.cli.view import LiveView, plain_line  # noqa: PLC0415 - rich is slow to load

    async def work(coordinator: Coordinator) -> None:
        with LiveView(every_seconds=0.0) as view:
            state: State | None = None
            async for snapshot in coordinator.watch():
                state = state_of(snapshot, state)
                if json:
                    put(dumps(state))  # one object a line: a stream
                elif view.live:
                    view.show(state)
                else:
                    put(plain_line(state, now=snapshot.unix_seconds or 0))

    with_run(run, work, url=url)


@app.command()
def config(run: RunName, *, url: Url = None, json: Json = False) -> None:
    """Print the configuration that stands on chain."""

    async def work(coordinator: Coordinator) -> None:
        facts = config_facts((await coordinator.run()).data)
        tell(facts, [f"{name:<28} {value}" for name, value in facts.items()], json=json)

    with_run(run, work, url=url)


@app.command()
def resume(run: RunName, *, url: Url = None, wallet: WalletFile = None) -> None:
    """Let a paused run wait for members."""
    _act(run, "waits for members", lambda one: one.resume(), url=url, wallet=wallet)


@app.command()
def pause(run: RunName, *, url: Url = None, wallet: WalletFile = None) -> None:
    """Pause a run: at once, or after its epoch where one is under way."""
    _act(run, "pauses", lambda one: one.pause(), url=url, wallet=wallet)


@app.command()
def abort(run: RunName, *, url: Url = None, wallet: WalletFile = None) -> None:
    """Pause a run that hangs; what was under way is trained again."""
    _act(run, "is paused", lambda one: one.abort(), url=url, wallet=wallet)


@app.command()
def close(run: RunName, *, url: Url = None, wallet: WalletFile = None) -> None:
    """Close a run's accounts; their rent goes back to who paid it."""
    _act(run, "is closed", _close, url=url, wallet=wallet)


async def _close(coordinator: Coordinator) -> None:
    """Closes the run; who vanished long ago is no member any more once somebody says so.

    Whoever paid the rent gets it back, also after the run was handed over.
    """
    from solders.pubkey import Pubkey  # noqa: PLC0415 - a page of help needs no keys

    from psyche_sdk.program_errors import TooEarly  # noqa: PLC0415 - as above
    from psyche_sdk.views import Phase, decode_run  # noqa: PLC0415 - it imports numpy

    found = decode_run((await coordinator.run()).data)
    if found.phase in (Phase.PAUSED, Phase.FINISHED):
        with contextlib.suppress(TooEarly):
            await coordinator.tick()
    await coordinator.close_run(Pubkey(found.rent_payer))


def _act(
    run: str,
    done: str,
    action: Callable[[Coordinator], Awaitable[Any]],
    *,
    url: str | None,
    wallet: Path | None,
) -> None:
    """Sends one instruction of the owner's and says that it took effect."""

    async def work(coordinator: Coordinator) -> None:
        await action(coordinator)
        say(f"{coordinator.address} {done}")

    with_run(run, work, url=url, wallet=wallet_path(wallet))


def _shown(item: object) -> object:
    if isinstance(item, list):
        return " ".join(map(str, item))
    return "-" if item is None else item


async def _refuse_existing(coordinator: Coordinator, name: str) -> None:
    """One wallet's runs have different ids; the chain would refuse with a bare number."""
    from psyche_sdk.errors import AccountMissing  # noqa: PLC0415 - a page of help needs no chain

    try:
        await coordinator.run()
    except AccountMissing:
        return
    raise CommandError(
        f"this wallet has a run `{name}` already, at {coordinator.address}",
        hint="choose another run.id, or close that one with `psyche run close`",
        code=Code.REFUSED,
    )
