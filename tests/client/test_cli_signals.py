"""How a command ends when it is told to: by Ctrl-C, by a kill, by a terminal that closes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from psyche_client.cli.errors import Code

WAITS = """
import signal, sys, time
{before}
from psyche_client.cli import app, main

@app.app.command("wait")
def wait() -> None:
    try:
        print("waits", flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)

main(["wait"])
"""
# Also where these tests run in a shell's background, which ignores Ctrl-C.
FOREGROUND = "signal.signal(signal.SIGINT, signal.default_int_handler)"
IGNORED = "signal.signal(signal.SIGINT, signal.SIG_IGN)"


@pytest.mark.parametrize(
    ("number", "before"),
    [
        (signal.SIGINT, FOREGROUND),
        (signal.SIGTERM, ""),
        (signal.SIGHUP, ""),
        (signal.SIGTERM, IGNORED),
    ],
    ids=["Ctrl-C", "kill", "closed terminal", "kill of a background job"],
)
def test_a_command_that_is_told_to_end_cleans_up_and_says_so(
    number: signal.Signals, before: str
) -> None:
    command = [sys.executable, "-c", WAITS.format(before=before)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(number)
        data, words = process.communicate(timeout=20)

    assert process.returncode == Code.INTERRUPTED
    assert data == "cleaned up\n"
    assert words == "interrupted\n"


HELD_UP = """
import sys
import psyche_client.cli

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "psyche_client.cli.app":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
psyche_client.cli.main(["doctor"])
"""


def test_ctrl_c_while_the_libraries_load_is_one_word() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELD_UP], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
