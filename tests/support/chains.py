"""The chains that end-to-end tests run on: the embedded one and solana-test-validator.

@pytest.mark.parametrize("kind", CHAIN_KINDS)
def test_something(kind):
    with chain(kind, programs={program_id: path}) as here:
        here.fund(alice.pubkey(), 10**9)
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from solders.account import Account
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from psyche_sdk.localnet import Localnet, LocalnetProcess

CHAIN_KINDS = ["localnet", pytest.param("validator", marks=pytest.mark.validator)]
SLOT_MS = 50  # of both kinds: eight ticks a slot are 50 ms
_BINARY = "solana-test-validator"
_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "bin"
_READY_SECONDS = 60.0
_POLL_SECONDS = 0.05
_DYNAMIC_PORTS = 40
# Runs a program that the kernel ends when the tests end, however they do.
_LAUNCHER = (
    "import ctypes, os, signal, sys;"
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


@dataclass(frozen=True)
class Chain:
    """A running chain."""

    kind: str
    url: str
    ws_url: str

    def call(self, method: str, *params: Any) -> Any:
        """Calls a JSON-RPC method and returns its result."""
        return call(self.url, method, *params)

    def fund(self, address: Pubkey, lamports: int) -> None:
        """Adds lamports to an account and waits until they are there."""
        wanted = self._balance(address) + lamports
        self.call("requestAirdrop", str(address), lamports)
        wait_until(lambda: self._balance(address) >= wanted, "the airdrop arrives")

    def _balance(self, address: Pubkey) -> int:
        config = {"commitment": "confirmed"}
        return int(self.call("getBalance", str(address), config)["value"])


@contextmanager
def chain(
    kind: str,
    programs: Mapping[Pubkey, str | Path] | None = None,
    *,
    slot_ms: int = SLOT_MS,
    accounts: Mapping[Pubkey, Account] | None = None,
) -> Iterator[Chain]:
    """Runs a chain of a kind ("localnet" or "validator") with programs and accounts loaded.

    Where there is no validator the test is skipped, but fails if the variable CI is set.
    """
    if kind == "localnet":
        with (
            _saved(accounts or {}) as state,
            LocalnetProcess(slot_ms=slot_ms, programs=programs, state=state) as process,
        ):
            yield Chain(kind, process.url, process.ws_url)
    elif kind == "validator":
        with _validator(_validator_binary(), programs or {}, accounts or {}) as running:
            yield running
    else:
        raise ValueError(f"no such chain: {kind}")


def call(url: str, method: str, *params: Any) -> Any:
    """Calls a JSON-RPC method and returns its result; RuntimeError for an error answer."""
    answer = request(url, {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
    if "error" in answer:
        raise RuntimeError(f"{method}: {answer['error']}")
    return answer["result"]


def request(url: str, body: Any) -> Any:
    """Posts a JSON body and returns the answer's."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def wait_until(true: Any, what: str, seconds: float = _READY_SECONDS) -> None:
    """Polls until `true()` holds; fails the test by name after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} seconds in vain until {what}")
        time.sleep(_POLL_SECONDS)


def signed(
    payer: Keypair, blockhash: Hash, *instructions: Instruction, signers: tuple[Keypair, ...] = ()
) -> VersionedTransaction:
    """Returns a signed legacy transaction."""
    message = Message.new_with_blockhash(list(instructions), payer.pubkey(), blockhash)
    return VersionedTransaction(message, [payer, *signers])


def payment(payer: Keypair, to: Pubkey, lamports: int) -> Instruction:
    """Returns a transfer."""
    params = TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports)
    return transfer(params)


@contextmanager
def _saved(accounts: Mapping[Pubkey, Account]) -> Iterator[Path | None]:
    """The state of an embedded chain that has these accounts; None if there are none."""
    if not accounts:
        yield None
        return

    async def save(path: Path) -> None:
        async with Localnet(slot_ms=0, state=path) as made:
            for address, account in accounts.items():
                made.set_account(address, account)

    with tempfile.TemporaryDirectory(prefix="accounts-") as folder:
        path = Path(folder) / "chain.state"
        asyncio.run(save(path))
        yield path


def _validator_binary() -> str:
    found = shutil.which(_BINARY) or shutil.which(_BINARY, path=str(_BESIDE))
    if found is None:
        reason = f"{_BINARY} is neither on PATH nor in {_BESIDE}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def _validator(
    binary: str, programs: Mapping[Pubkey, str | Path], accounts: Mapping[Pubkey, Account]
) -> Iterator[Chain]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="validator-"))
        port = _free_ports()
        command = [sys.executable, "-c", _LAUNCHER, binary, "--ledger", f"{folder}/ledger"]
        command += ["--reset", "--quiet", "--ticks-per-slot", "8", "--rpc-port", str(port)]
        command += ["--faucet-port", str(port + 2), "--gossip-port", str(port + 3)]
        command += ["--dynamic-port-range", f"{port + 4}-{port + 4 + _DYNAMIC_PORTS}"]
        for program_id, path in programs.items():
            command += ["--bpf-program", str(program_id), str(path)]
        for address, account in accounts.items():
            path = Path(folder) / f"{address}.json"
            path.write_text(json.dumps(_as_json(address, account)))
            command += ["--account", str(address), str(path)]
        words = stack.enter_context((Path(folder) / "words").open("w+b"))
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
        )
        stack.callback(_end, child)
        here = Chain("validator", f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port + 1}")
        wait_until(lambda: _produces_blocks(child, here, words.name), "the validator is ready")
        yield here


def _as_json(address: Pubkey, account: Account) -> dict[str, Any]:
    """An account as `solana account --output json` writes it."""
    fields = {
        "lamports": account.lamports,
        "data": [base64.b64encode(account.data).decode(), "base64"],
        "owner": str(account.owner),
        "executable": account.executable,
        "rentEpoch": 0,
        "space": len(account.data),
    }
    return {"pubkey": str(address), "account": fields}


def _produces_blocks(child: subprocess.Popen[bytes], here: Chain, words: str) -> bool:
    if child.poll() is not None:
        pytest.fail(f"{_BINARY} ended: {Path(words).read_text(errors='replace')[-2000:]}")
    try:
        return bool(
            here.call("getHealth") == "ok" and here.call("getSlot", {"commitment": "confirmed"}) > 0
        )
    except (OSError, RuntimeError, ValueError, http.client.HTTPException):
        return False


def _end(child: subprocess.Popen[bytes]) -> None:
    os.kill(child.pid, signal.SIGTERM) if child.poll() is None else None
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _free_ports() -> int:
    """Returns the first of some 50 ports in a row that nobody listened on just now."""
    for _ in range(50):
        base = random.SystemRandom().randrange(20_000, 60_000)
        if all(_is_free(base + offset) for offset in range(4 + _DYNAMIC_PORTS)):
            return base
    raise RuntimeError("found no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
