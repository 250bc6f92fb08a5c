"""The `psyche` command.

Data goes to stdout, words to stderr. An error is one line and a hint; `errors.Code` lists the exit
codes. Nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> None:
    """Runs one command line (the process's own by default) and ends the process with its code."""
    from psyche_client.cli.app import run  # noqa: PLC0415 - `import psyche_client.cli` stays free

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
