"""A cluster that answers as a test tells it, in place of a `Transport`."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import Transaction

from psyche_sdk import Coordinator, SendOptions, pda
from psyche_sdk._generated import accounts
from psyche_sdk.errors import RpcError, RpcUnreachable
from psyche_sdk.instructions import MemberArgs

BLOCKHASHES = [
    "4uQeVj5tqViQh7yWWGStvkEG1Zmhx6uasJtWCJziofM",
    "8opHzTAnfzRpPEx21XtnrVTX28YQuCpAjcn1PczScKh",
]
LAST_BLOCK_HEIGHT = 150

Answer = Any  # a value, an exception to raise, or a function of the parameters


class FakeCluster:
    """Answers requests from `answers`; a list of answers is used up until its last one.

    Attributes:
        answers: by method.
        calls: (method, parameters) of each request, in order.
        sockets: streams of notifications, one a subscription; an exception ends the stream.
    """

    url = "fake://cluster"

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[Any]]] = []
        self.accounts: dict[Pubkey, tuple[Pubkey, bytes]] = {}
        self.slot = 100
        self.sockets: list[asyncio.Queue[Any]] = []
        self.answers: dict[str, Answer] = {
            "getLatestBlockhash": lambda _: self.latest_blockhash(0),
            "sendTransaction": "signature",
            "getSignatureStatuses": status(),
            "getBlockHeight": 0,
            "getMultipleAccounts": self._multiple_accounts,
        }

    async def call(self, method: str, params: Sequence[object] = ()) -> Any:
        self.calls.append((method, list(params)))
        await asyncio.sleep(0)
        answer = self.answers[method]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(params)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def subscribe(
        self, method: str, params: Sequence[object] = ()
    ) -> AsyncGenerator[Any, None]:
        self.calls.append((method, list(params)))
        if not self.sockets:
            raise RpcUnreachable("no websocket", url=self.url)
        queue = self.sockets.pop(0)
        yield None
        while True:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            yield item

    async def close(self) -> None:
        self.calls.append(("close", []))

    def sent(self) -> list[Transaction]:
        """The transactions that were sent, in order."""
        return [
            Transaction.from_bytes(base64.b64decode(params[0]))
            for method, params in self.calls
            if method == "sendTransaction"
        ]

    def count(self, method: str) -> int:
        """How often a method was asked for."""
        return sum(called == method for called, _ in self.calls)

    def latest_blockhash(self, index: int) -> dict[str, Any]:
        return {
            "context": {"slot": self.slot},
            "value": {"blockhash": BLOCKHASHES[index], "lastValidBlockHeight": LAST_BLOCK_HEIGHT},
        }

    def add_run(self, run: Pubkey, *, capacity: int = 16, marker: int = 0) -> None:
        """Put the three accounts of a run there; `marker` makes their content differ."""
        self.accounts[run] = (pda.PROGRAM_ID, run_bytes(capacity, marker))
        roster = accounts.ROSTER_DISCRIMINATOR + b"\x02" + bytes(accounts.ROSTER_BYTES - 9)
        self.accounts[pda.roster_address(run)] = (pda.PROGRAM_ID, roster)
        rounds = accounts.ROUNDS_DISCRIMINATOR + b"\x02" + bytes(accounts.ROUNDS_BYTES - 9)
        self.accounts[pda.rounds_address(run)] = (pda.PROGRAM_ID, rounds)

    def _multiple_accounts(self, params: Sequence[Any]) -> dict[str, Any]:
        values = []
        for text in params[0]:
            found = self.accounts.get(Pubkey.from_string(text))
            values.append(None if found is None else account_json(*found))
        return {"context": {"slot": self.slot}, "value": values}


def run_bytes(capacity: int, marker: int = 0) -> bytes:
    """The bytes of a run account that says little."""
    head = accounts.RUN_DISCRIMINATOR + b"\x02\0\0\0" + capacity.to_bytes(2, "little")
    return head + bytes(accounts.RUN_BYTES - len(head) - 1) + bytes([marker])


def account_json(owner: Pubkey, data: bytes) -> dict[str, Any]:
    """An account as nodes answer with it."""
    encoded = base64.b64encode(data).decode()
    return {"owner": str(owner), "lamports": 7, "data": [encoded, "base64"], "executable": False}


def status(error: object = None, *, level: str = "confirmed", slot: int = 101) -> dict[str, Any]:
    """The answer about one signature."""
    found = {"slot": slot, "confirmations": 1, "err": error, "confirmationStatus": level}
    return {"context": {"slot": slot}, "value": [found]}


def no_status() -> dict[str, Any]:
    """The answer about a signature that the node does not know."""
    return {"context": {"slot": 101}, "value": [None]}


def preflight(error: object, logs: Sequence[str] = ()) -> RpcError:
    """What the node's trial of a transaction found."""
    data = {"err": error, "logs": list(logs), "unitsConsumed": 1}
    return RpcError("Transaction simulation failed", code=-32002, data=data)


def custom(index: int, code: int) -> dict[str, Any]:
    """The error of a program, as JSON."""
    return {"InstructionError": [index, {"Custom": code}]}


Handler = Callable[[Sequence[Any]], Any]


ALICE = Keypair.from_seed(bytes([1]) * 32)
BOB = Keypair.from_seed(bytes([2]) * 32)
RUN = pda.run_address(ALICE.pubkey(), "tiny")
QUICK = SendOptions(poll_seconds=0.001, rebroadcast_seconds=0.001)
#: For outcomes that never come.
HASTY = SendOptions(poll_seconds=0.001, rebroadcast_seconds=0.001, timeout_seconds=0.05)
MEMBER = MemberArgs(epoch=0, round=1, slot=2)
TOO_EARLY = 6007


def coordinator(cluster: FakeCluster, **changes: object) -> Coordinator:
    given: dict[str, object] = {"payer": ALICE, "options": QUICK} | changes
    return Coordinator(cluster, RUN, **given)  # type: ignore[arg-type]  # a test's shorthand
