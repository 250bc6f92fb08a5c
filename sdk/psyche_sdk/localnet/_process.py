"""`LocalnetProcess`: the embedded chain in a process of its own, for callers without a loop."""

from __future__ import annotations

import http.client
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from solders.pubkey import Pubkey

from psyche_sdk.localnet._config import SLOT_MS_DEFAULT
from psyche_sdk.localnet.errors import LocalnetError, PortInUse, RpcError

_EXIT_PORT_IN_USE = 3
_STOP_SECONDS = 10.0
_CALL_SECONDS = 30.0
_READY_BYTES_MAX = 64 * 1024
_ERROR_TAIL = 2_000  # characters of the child's stderr that an error shows


class LocalnetProcess:
    """A chain in a child process that ends with this one.

    On Linux the kernel ends it with the thread that called `start`: start it from one that stays.

    Example:
        with LocalnetProcess(slot_ms=50, programs={program_id: "coordinator.so"}) as chain:
            chain.call("getSlot")
    """

    def __init__(
        self,
        port: int = 0,
        slot_ms: int = SLOT_MS_DEFAULT,
        programs: Mapping[Pubkey, str | Path | bytes] | None = None,
        *,
        state: str | Path | None = None,
        unix_seconds: float | None = None,
    ) -> None:
        self._port = port
        self._slot_ms = slot_ms
        self._programs = dict(programs or {})
        self._state = state
        self._unix_seconds = unix_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._ready: dict[str, Any] = {}

    @property
    def url(self) -> str:
        """Where JSON-RPC answers."""
        return str(self._ready["url"])

    @property
    def ws_url(self) -> str:
        """Where subscriptions are taken."""
        return str(self._ready["ws_url"])

    @property
    def port(self) -> int:
        """The port of JSON-RPC."""
        return int(self._ready["port"])

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._child is not None and self._child.poll() is None

    def start(self, timeout_seconds: float = 30.0) -> LocalnetProcess:
        """Starts the chain and waits until it listens.

        Raises PortInUse, or LocalnetError with the child's words; no child is left then.
        """
        if self._child is not None:
            raise LocalnetError("this chain has been started already")
        self._folder = tempfile.TemporaryDirectory(prefix="psyche-localnet-")
        try:
            with (Path(self._folder.name) / "stderr").open("w+b") as words:
                self._child = subprocess.Popen(
                    self._command(Path(self._folder.name)),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=words,
                    start_new_session=True,
                )
                self._ready = self._read_ready(self._child, words, timeout_seconds)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends the child, which saves its state first; harmless if it is not running."""
        child, self._child = self._child, None
        if child is not None:
            child.terminate()
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    def __enter__(self) -> LocalnetProcess:
        """Starts the chain."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops the chain."""
        self.stop()

    def call(self, method: str, *params: Any) -> Any:
        """Calls a JSON-RPC method and returns its result; RpcError for an error answer."""
        self._running()
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_CALL_SECONDS)
        try:
            connection.request("POST", "/", json.dumps(request))
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            error = answer["error"]
            raise RpcError(error["code"], error["message"], error.get("data"))
        return answer["result"]

    def airdrop(self, address: Pubkey, lamports: int) -> str:
        """Pays `lamports` from the faucet; returns the signature."""
        return str(self.call("requestAirdrop", str(address), lamports))

    def advance(self, slots: int = 1, seconds: float | None = None) -> int:
        """Moves a chain with `slot_ms=0` on (default 0.4 seconds a slot); returns the slot."""
        config = {} if seconds is None else {"milliseconds": round(seconds * 1000)}
        return int(self.call("localnetAdvance", slots, config))

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise LocalnetError("the chain is not running")
        return self._child

    def _command(self, folder: Path) -> list[str]:
        command = [sys.executable, "-m", "psyche_sdk.localnet", "--bare", "--quiet"]
        command += ["--port", str(self._port), "--slot-ms", str(self._slot_ms)]
        command += ["--parent-pid", str(os.getpid())]
        if self._state is not None:
            command += ["--state", str(self._state)]
        if self._unix_seconds is not None:
            command += ["--unix-seconds", repr(self._unix_seconds)]
        for program_id, source in self._programs.items():
            path = source
            if isinstance(source, bytes):
                path = folder / f"{program_id}.so"
                path.write_bytes(source)
            command += ["--program", f"{program_id}={path!s}"]
        return command

    def _read_ready(
        self, child: subprocess.Popen[bytes], words: IO[bytes], timeout_seconds: float
    ) -> dict[str, Any]:
        assert child.stdout is not None
        deadline = time.monotonic() + timeout_seconds
        line = b""
        while not line.endswith(b"\n") and len(line) < _READY_BYTES_MAX:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
                raise LocalnetError(f"the chain was not ready after {timeout_seconds:g} seconds")
            part = os.read(child.stdout.fileno(), 4096)
            if not part:
                raise self._failure(child, words)
            line += part
        ready: dict[str, Any] = json.loads(line)
        return ready

    def _failure(self, child: subprocess.Popen[bytes], words: IO[bytes]) -> LocalnetError:
        status = child.wait(_STOP_SECONDS)
        if status == _EXIT_PORT_IN_USE:
            return PortInUse(self._port)
        words.seek(0)
        text = words.read().decode(errors="replace")[-_ERROR_TAIL:].strip()
        return LocalnetError(f"the chain ended with status {status}: {text}")
