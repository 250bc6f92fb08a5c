"""The `psyche` command.

Data goes to stdout, words to stderr. An error is one line and a hint; `errors.Code` lists the exit
codes. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""Exit code of Ctrl-C; `errors.Code` has it too, but is not loaded yet."""


def main(arguments: list[str] | None = None) -> None:
    """Runs one command line (the process's own by default) and ends the process with its code."""
    try:
        from psyche_client.cli.app import run  # noqa: PLC0415 - `import psyche_client.cli` stays free
    except KeyboardInterrupt:  # nothing was begun yet
        sys.stderr.write("interrupted\n")
        _end(INTERRUPTED)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    code = run(sys.argv[1:] if arguments is None else arguments)
    if "torch" in sys.modules:
        _end(code)  # taking torch apart takes longer than anything else that Ctrl-C waits for
    sys.exit(code)


def _end(code: int) -> NoReturn:
    """Ends the process as it stands; the command has closed all that it opened."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody listens any more
            stream.flush()
    os._exit(code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A closed terminal and a plain kill end a command as Ctrl-C does: cleanly."""
    del number, frame
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)
