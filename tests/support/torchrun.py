"""Several processes as one client, for `SmallRun.start`: `psyche`'s arguments, under torchrun."""

import os
import sys
from pathlib import Path

from psyche_client.demo.processes import ClientProcess
from psyche_client.orphan import die_with

COUNT = 2
MODULE = __name__


def run(arguments: list[str]) -> None:
    """Runs `psyche ARGUMENTS` in two ranks. What `--parent` asks for is done here for all."""
    from torch.distributed.run import main  # noqa: PLC0415 - tests that look at ranks need none

    at = arguments.index("--parent")
    die_with(int(arguments[at + 1]))
    rest = arguments[:at] + arguments[at + 2 :]
    main(["--standalone", "--nproc-per-node", str(COUNT), "-m", "psyche_client.cli", *rest])


def ranks_of(client: ClientProcess) -> list[int]:
    """The process of each rank, by rank."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == client.process.pid:
                words = (folder / "environ").read_bytes().split(b"\0")
                found[next(int(word[5:]) for word in words if word[:5] == b"RANK=")] = folder.name
        except OSError:  # it went away
            continue
    return [int(found[rank]) for rank in range(COUNT)]


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    run(sys.argv[1:])
