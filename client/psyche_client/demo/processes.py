"""Client processes of the demo: executables of their own that never outlive their starter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 5.0
"""How long a client has to hand its share back before it is killed."""


@dataclass(slots=True)
class ClientProcess:
    """One `psyche join` in a session of its own, so that Ctrl-C reaches the demo alone."""

    name: str
    home: Path
    process: subprocess.Popen[bytes]

    @staticmethod
    def start(
        name: str, home: Path, arguments: list[str], *, module: str = "psyche_client.cli"
    ) -> ClientProcess:
        """Starts `psyche ARGUMENTS`, or another module so, with its words in `home/client.log`."""
        home.mkdir(parents=True, exist_ok=True)
        with (home / "client.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=client_environment(os.environ),
                start_new_session=True,
            )
        return ClientProcess(name, home, process)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL, the way a machine vanishes."""
        if self.alive:
            self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Asks it to leave the run; kills it when it does not."""
        if not self.alive:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def last_words(self) -> str:
        """What it said last: its error if it has one."""
        try:
            lines = (self.home / "client.log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        errors = [at for at, line in enumerate(lines) if line.startswith("error: ")]
        return "\n".join(lines[errors[-1] if errors else -1 :])


def stop_all(clients: list[ClientProcess]) -> None:
    """Stops every client at once rather than one after the other."""
    running = [client for client in clients if client.alive]
    for client in running:
        client.process.send_signal(signal.SIGINT)
    for client in running:
        try:
            client.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            client.kill()


def client_environment(base: Mapping[str, str]) -> dict[str, str]:
    """One arithmetic thread a client: several share this machine's cores."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**base, **threads, "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}
