"""What a run costs on chain, read from the chain itself: units and fees of each transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from solders.pubkey import Pubkey

from psyche_sdk import _base58
from psyche_sdk._generated import instructions
from psyche_sdk._generated._program import PROGRAM_ID
from psyche_sdk._generated.events import events_in
from psyche_sdk._transport import Transport

TRANSITIONS: Final = ("PhaseChanged", "RoundSettled", "EntropyStored", "WitnessesDrawn")
SIGNATURES_MAX: Final = 1_000
_SUFFIX = "_DISCRIMINATOR"
INSTRUCTIONS: Final = {
    value: name.removesuffix(_SUFFIX).lower()
    for name, value in vars(instructions).items()
    if name.endswith(_SUFFIX)
}
"""Discriminator -> name."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction that named the run.

    Attributes:
        instructions: names of the coordinator's instructions in it, in order.
        events: names of the events that it emitted.
    """

    instructions: tuple[str, ...]
    events: tuple[str, ...]
    units: int
    fee_lamports: int
    failed: bool


@dataclass(slots=True)
class Costs:
    """Sums over a run's transactions."""

    transactions: int = 0
    failed: int = 0
    fee_lamports: int = 0
    units_max: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, transactions: Iterable[Transaction]) -> None:
        """Counts more transactions; failed ones cost fees but say nothing about units."""
        for transaction in transactions:
            self.transactions += 1
            self.fee_lamports += transaction.fee_lamports
            if transaction.failed:
                self.failed += 1
                continue
            name = label(transaction)
            self.units_max[name] = max(self.units_max[name], transaction.units)


def label(transaction: Transaction) -> str:
    """`commit`, or `commit_and_tick` where the instruction made a transition on the way."""
    name = "+".join(dict.fromkeys(transaction.instructions)) or "other"
    moved = any(event in TRANSITIONS for event in transaction.events)
    return f"{name}_and_tick" if moved and "tick" not in transaction.instructions else name


class CostReader:
    """Reads a run's transactions from the chain, each once."""

    def __init__(self, transport: Transport, run: Pubkey) -> None:
        self._transport, self._run = transport, run
        self._newest: str | None = None
        self.costs = Costs()

    async def read(self) -> Costs:
        """Counts what has landed since the last time.

        Raises:
            RpcError: the chain did not answer.
        """
        for signature in reversed(await self._new_signatures()):
            found = await self._transport.call(
                "getTransaction",
                [signature, {"encoding": "json", "maxSupportedTransactionVersion": 0}],
            )
            if found is not None:
                self.costs.add([parse_transaction(found)])
            self._newest = signature
        return self.costs

    async def _new_signatures(self) -> list[str]:
        """Newest first; an answer holds at most SIGNATURES_MAX, so it is asked page by page."""
        options: dict[str, object] = {"limit": SIGNATURES_MAX, "commitment": "confirmed"}
        if self._newest is not None:
            options["until"] = self._newest
        signatures: list[str] = []
        while True:
            rows = await self._transport.call("getSignaturesForAddress", [str(self._run), options])
            signatures += [row["signature"] for row in rows]
            if len(rows) < SIGNATURES_MAX:
                return signatures
            options["before"] = signatures[-1]


def parse_transaction(answer: Mapping[str, Any]) -> Transaction:
    """One `getTransaction` answer (encoding `json`)."""
    meta, message = answer["meta"], answer["transaction"]["message"]
    keys = message["accountKeys"]
    names = []
    for instruction in message["instructions"]:
        if keys[instruction["programIdIndex"]] == str(PROGRAM_ID):
            names.append(INSTRUCTIONS.get(_base58.decode(instruction["data"])[:8], "unknown"))
    events = events_in(meta.get("logMessages") or ())
    return Transaction(
        instructions=tuple(names),
        events=tuple(type(event).__name__ for event in events),
        units=meta.get("computeUnitsConsumed") or 0,
        fee_lamports=meta["fee"],
        failed=meta["err"] is not None,
    )
