"""Several processes as one client, for `SmallRun.start`: `psyche`'s arguments, under torchrun."""

import sys

from torch.distributed.run import main

from psyche_client.orphan import die_with

COUNT = 2


def run(arguments: list[str]) -> None:
    """Runs `psyche ARGUMENTS` in two ranks. What `--parent` asks for is done here for all."""
    at = arguments.index("--parent")
    die_with(int(arguments[at + 1]))
    rest = arguments[:at] + arguments[at + 2 :]
    main(["--standalone", "--nproc-per-node", str(COUNT), "-m", "psyche_client.cli", *rest])


if __name__ == "__main__":
    run(sys.argv[1:])
