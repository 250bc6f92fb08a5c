"""All commands, put together; and the one place where errors become words."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from typing import Annotated

import typer

from psyche_client.cli import (
    checkpoint,
    data,
    doctor,
    local,
    model,
    owner,
    passes,
    rewards,
    wallet,
)
from psyche_client.cli import run as runs
from psyche_client.cli.errors import Code, show

app = typer.Typer(
    name="psyche",
    help="Strangers train one large language model together; a Solana program referees.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root(
    debug: Annotated[bool, typer.Option(help="Show tracebacks.")] = False,
) -> None:
    """Strangers train one large language model together; a Solana program referees."""
    del debug  # taken out of the arguments by `run`, so that it may stand anywhere


app.command("demo")(local.demo)
app.command("localnet")(local.localnet)
app.command("join")(local.join)
runs.app.command("rates")(owner.rates)
runs.app.command("authority")(owner.authority)
runs.app.command("join-authority")(owner.join_authority)
runs.app.add_typer(checkpoint.app, name="checkpoint")
app.add_typer(runs.app, name="run")
app.add_typer(passes.app, name="pass")
app.add_typer(rewards.app, name="rewards")
app.add_typer(data.app, name="data")
app.add_typer(model.app, name="model")
app.add_typer(wallet.app, name="wallet")
app.command("doctor")(doctor.doctor)


def commands() -> list[str]:
    """Every command by its words, a group before what is in it; "" is `psyche` itself."""
    return [" ".join(path) for path in _paths(typer.main.get_command(app), ())]


def _paths(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from _paths(inner, (*path, name))


def run(arguments: list[str]) -> int:
    """Runs one command line; errors are shown, never raised.

    Returns:
        The process's exit code (`Code`).
    """
    debug = "--debug" in arguments
    rest = [argument for argument in arguments if argument != "--debug"]
    try:
        outcome = typer.main.get_command(app).main(
            args=rest, prog_name="psyche", standalone_mode=False
        )
    except typer.TyperException as error:
        return _usage(error)
    except typer.Abort:
        return Code.INTERRUPTED
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            traceback.print_exc()
        return show(error)
    if outcome == Code.INTERRUPTED:  # typer turns Ctrl-C into a code
        return show(KeyboardInterrupt())
    return outcome if isinstance(outcome, int) else Code.OK


def _usage(error: typer.TyperException) -> Code:
    """Shows what is wrong with a command line; a command without its words shows its help."""
    message = error.format_message()
    if message.startswith("Usage:"):
        sys.stderr.write(message + "\n")
        return Code.USAGE
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "psyche"
    sys.stderr.write(f"error: {message}\n\nhint: try `{command} --help`\n")
    return Code.USAGE
