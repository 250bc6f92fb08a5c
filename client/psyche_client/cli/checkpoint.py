"""`psyche run checkpoint`: the parameters from which a paused run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from psyche_client.cli.errors import CommandError
from psyche_client.cli.opened import with_run
from psyche_client.cli.output import say
from psyche_client.cli.run import RunName
from psyche_client.cli.settings import Url, WalletFile, wallet_path

if TYPE_CHECKING:
    from psyche_sdk.coordinator import Coordinator

app = typer.Typer(
    help="Set the parameters from which a paused run goes on.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

DIGEST_BYTES = 32


@app.callback()
def root() -> None:
    """Set the parameters from which a paused run goes on."""


@app.command(name="set")
def set_(
    run: RunName,
    *,
    digest: Annotated[
        str,
        typer.Option(metavar="HEX", help="Their digest, for the step at which the run stands."),
    ],
    uri: Annotated[
        str,
        typer.Option(metavar="URI", help="Where they lie: file:///PATH or iroh:NODE [peers]."),
    ] = "",
    url: Url = None,
    wallet: WalletFile = None,
) -> None:
    """Let a paused run go on from other parameters; its history begins anew."""
    from psyche_sdk.instructions import SetCheckpointArgs  # noqa: PLC0415 - a page of help needs no chain
    from psyche_sdk.views import URI_BYTES_MAX, uri_fits  # noqa: PLC0415 - as above

    named = _digest(digest)
    if uri and not uri_fits(uri):
        raise CommandError(
            "the URI cannot stand on chain",
            hint=f"give 1 to {URI_BYTES_MAX} printable ASCII characters without a space",
        )

    async def work(coordinator: Coordinator) -> None:
        await coordinator.set_checkpoint(SetCheckpointArgs(digest=named, uri=uri))
        say(f"{coordinator.address} goes on from {named.hex()}; resume it with `psyche run resume`")

    with_run(run, work, url=url, wallet=wallet_path(wallet))


def _digest(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != DIGEST_BYTES or not any(found):
        raise CommandError(
            "that is no digest",
            hint="a digest has 64 hexadecimal digits; `psyche run show` prints the agreed one",
        )
    return found
