"""`psyche demo`: a whole network on this machine, from an empty chain to a model that writes."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from psyche_client.cli.state import State, new_state
from psyche_client.cli.view import LiveView
from psyche_client.demo.director import DemoError, DesyncError, Director, Play
from psyche_client.demo.report import disagreement, keep_words, report, write_folder
from psyche_client.demo.stage import Stage, create_run, demo_config, set_stage
from psyche_client.options import DemoOptions
from psyche_sdk.localnet import LocalnetProcess, packaged_program

__all__ = ["DemoError", "DesyncError", "main"]

SLOT_MS = 50
"""Slots of an eighth of the usual length: the demo shows more rounds in its time."""


def main(options: DemoOptions) -> None:
    """Shows the whole network; raises what ends it otherwise. Leaves nothing behind."""
    demo_config(options)  # an impossible number ends here, before anything was started
    if trouble := _main(options):
        raise DesyncError(trouble)


def _main(options: DemoOptions) -> str | None:
    """Shows it, prints the result, and says what is wrong with the clients' parameters."""
    with (
        tempfile.TemporaryDirectory(prefix="psyche-demo-") as folder,
        LocalnetProcess(slot_ms=SLOT_MS, programs=packaged_program()) as chain,
    ):
        if options.json:
            result, _, trouble = _show(options, Path(folder), chain, lambda _: None)
            sys.stdout.write(json.dumps(result) + "\n")
            return trouble
        with LiveView() as view:
            result, state, trouble = _show(options, Path(folder), chain, view.show)
            view.finish(result, state)
        return trouble


def _show(
    options: DemoOptions, work: Path, chain: LocalnetProcess, show: Callable[[State], None]
) -> tuple[dict[str, Any], State, str | None]:
    opening = new_state("demo", demo_config(options).rounds.total_steps)
    show(opening | {"phase": "preparing text and model"})
    # Outside of the event loop: there Ctrl-C would have to wait until all of it is done.
    stage = set_stage(options, work, chain.url)
    director = Director(options, stage, show, lambda: chain.alive)
    try:
        play = asyncio.run(_play(director, stage))
    except DemoError:
        if options.out is not None:
            keep_words(options.out, director.play)
        raise
    if options.out is not None:
        write_folder(options.out, stage, play)
    result = report(stage, play, director.costs.costs, director.state)
    return result, director.state, disagreement(play)


async def _play(director: Director, stage: Stage) -> Play:
    await create_run(stage)
    return await director.run()
