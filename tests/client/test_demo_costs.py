"""What a run costs, read from its transactions: names, units, fees, and each one counted once."""

import base64
from typing import Any

import pytest
from solders.pubkey import Pubkey

from psyche_client.demo.costs import (
    CostReader,
    Costs,
    Transaction,
    label,
    parse_transaction,
)
from psyche_sdk import _base58
from psyche_sdk._generated import instructions
from psyche_sdk._generated._program import PROGRAM_ID
from psyche_sdk._generated.events import CODECS

RUN = Pubkey.from_bytes(bytes([5]) * 32)


def transaction(*names: str, events: tuple[str, ...] = (), **changes: Any) -> Transaction:
    values: dict[str, Any] = {"units": 1000, "fee_lamports": 5000, "failed": False}
    return Transaction(instructions=names, events=events, **(values | changes))


def answer(*names: str, logs: list[str] | None = None, **meta: Any) -> dict[str, Any]:
    """A `getTransaction` answer: a compute budget instruction, then the coordinator's."""
    heads = [getattr(instructions, f"{name.upper()}_DISCRIMINATOR") for name in names]
    own = [{"programIdIndex": 1, "data": _base58.encode(head + b"\1\2")} for head in heads]
    budget = {"programIdIndex": 2, "data": _base58.encode(b"\2\0\0\0\1")}
    values: dict[str, Any] = {"fee": 5000, "err": None, "computeUnitsConsumed": 4321}
    return {
        "meta": values | {"logMessages": logs} | meta,
        "transaction": {
            "message": {
                "accountKeys": [str(RUN), str(PROGRAM_ID), "ComputeBudget1"],
                "instructions": [budget, *own],
            }
        },
    }


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (transaction("commit"), "commit"),
        (transaction("commit", events=("MemberChanged",)), "commit"),
        (transaction("commit", events=("PhaseChanged",)), "commit_and_tick"),
        (transaction("attest", events=("RoundSettled",)), "attest_and_tick"),
        (transaction("tick", events=("PhaseChanged",)), "tick"),
        (transaction("allocate", "allocate", "create_run"), "allocate+create_run"),
        (transaction(), "other"),
    ],
)
def test_a_transaction_is_named_by_what_it_did(found: Transaction, name: str) -> None:
    assert label(found) == name


def test_sums_keep_the_most_units_of_each_kind() -> None:
    costs = Costs()
    costs.add([transaction("commit", units=10), transaction("commit", units=30)])
    costs.add([transaction("commit", units=20), transaction("attest", units=7)])
    assert dict(costs.units_max) == {"commit": 30, "attest": 7}
    assert (costs.transactions, costs.fee_lamports, costs.failed) == (4, 20_000, 0)


def test_a_failed_transaction_costs_its_fee_and_says_nothing_of_units() -> None:
    costs = Costs()
    costs.add([transaction("commit", units=99_999, failed=True)])
    assert (costs.transactions, costs.failed, costs.fee_lamports) == (1, 1, 5000)
    assert dict(costs.units_max) == {}


def test_an_answer_is_read_for_the_programs_own_instructions() -> None:
    found = parse_transaction(answer("commit", "tick"))
    assert found == Transaction(("commit", "tick"), (), 4321, 5000, failed=False)


def test_an_instruction_that_this_release_does_not_know_is_unknown() -> None:
    found = answer("commit")
    found["transaction"]["message"]["instructions"][1]["data"] = _base58.encode(b"\xff" * 9)
    assert parse_transaction(found).instructions == ("unknown",)


def test_a_failure_and_what_an_old_node_leaves_out_are_read() -> None:
    found = answer("commit", err={"InstructionError": [1, {"Custom": 6000}]})
    del found["meta"]["computeUnitsConsumed"]
    assert parse_transaction(found) == Transaction(("commit",), (), 0, 5000, failed=True)


def test_events_are_read_from_the_programs_own_log() -> None:
    head = next(head for head, codec in CODECS.items() if _name(codec) == "PhaseChanged")
    codec = CODECS[head]
    data = base64.b64encode(head + bytes(_size(codec))).decode()
    logs = [
        f"Program {PROGRAM_ID} invoke [1]",
        f"Program data: {data}",
        f"Program {PROGRAM_ID} success",
    ]
    found = parse_transaction(answer("commit", logs=logs))
    assert found.events == ("PhaseChanged",)
    assert label(found) == "commit_and_tick"


def _name(codec: Any) -> str:
    try:
        return type(codec.decode(bytes(400))).__name__
    except ValueError:
        return next((_named(codec, n) for n in range(400) if _named(codec, n)), "")


def _named(codec: Any, size: int) -> str:
    try:
        return type(codec.decode(bytes(size))).__name__
    except ValueError:
        return ""


def _size(codec: Any) -> int:
    return next(size for size in range(400) if _named(codec, size))


class Node:
    """A node with transactions, oldest first; remembers what it was asked."""

    def __init__(self) -> None:
        self.signatures: list[str] = []
        self.asked: list[str] = []

    async def call(self, method: str, params: list[Any]) -> Any:
        if method == "getSignaturesForAddress":
            assert params[0] == str(RUN)
            after = params[1].get("until")
            start = self.signatures.index(after) + 1 if after else 0
            return [{"signature": one} for one in reversed(self.signatures[start:])]
        assert method == "getTransaction"
        self.asked.append(params[0])
        return answer("commit")


async def test_each_transaction_is_read_once_and_in_order() -> None:
    node = Node()
    reader = CostReader(node, RUN)  # type: ignore[arg-type]
    node.signatures = ["a", "b"]
    assert (await reader.read()).transactions == 2
    node.signatures.append("c")
    assert (await reader.read()).transactions == 3
    assert (await reader.read()).transactions == 3
    assert node.asked == ["a", "b", "c"]


async def test_a_run_without_transactions_costs_nothing() -> None:
    costs = await CostReader(Node(), RUN).read()  # type: ignore[arg-type]
    assert (costs.transactions, costs.fee_lamports) == (0, 0)


async def test_more_transactions_than_one_answer_holds_are_read_page_by_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("psyche_client.demo.costs.SIGNATURES_MAX", 2)
    node = PagedNode()
    node.signatures = ["a", "b", "c", "d", "e"]
    reader = CostReader(node, RUN)  # type: ignore[arg-type]
    assert (await reader.read()).transactions == 5
    assert node.asked == ["a", "b", "c", "d", "e"]
    node.signatures.append("f")
    assert (await reader.read()).transactions == 6


class PagedNode:
    """A node that keeps to `limit`, `until` and `before`."""

    def __init__(self) -> None:
        self.signatures: list[str] = []
        self.asked: list[str] = []

    async def call(self, method: str, params: list[Any]) -> Any:
        if method == "getTransaction":
            self.asked.append(params[0])
            return answer("commit")
        options = params[1]
        rows = list(reversed(self.signatures))
        if "before" in options:
            rows = rows[rows.index(options["before"]) + 1 :]
        if "until" in options and options["until"] in rows:
            rows = rows[: rows.index(options["until"])]
        return [{"signature": row} for row in rows[: options["limit"]]]
