"""A client that a demo started does not outlive it."""

import os
import signal
import subprocess
import sys

import pytest

ORPHAN = "from psyche_client.orphan import die_with; import os, signal, sys; "
CHILD = ORPHAN + "die_with(os.getppid()); print('ready', flush=True); signal.pause()"
PARENT = (
    "import subprocess, sys; "
    f"subprocess.run([sys.executable, '-c', {CHILD!r}], stdin=subprocess.DEVNULL)"
)


def test_a_child_of_a_parent_that_is_gone_ends_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN + f"die_with({os.getpid() + 2**22}); print('alive')"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == b""


JOIN = """
import sys
import psyche_client.cli

class Watched:
    def find_spec(self, name, path=None, target=None):
        if name == "psyche_client.joining":
            print("loads torch", flush=True)

sys.meta_path.insert(0, Watched())
psyche_client.cli.main(["join", "run", "--parent", sys.argv[1]])
"""


def test_a_client_ends_with_its_parent_while_its_libraries_load_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", JOIN, str(os.getpid() + 2**22)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == b""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it takes a second")
def test_a_child_dies_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        parent.kill()
        # The child holds the other end of the pipe: it closes when the child is gone.
        assert parent.stdout.read() == b""
