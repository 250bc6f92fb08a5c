"""Compute units are asked for beside the work, and named after what the instruction did."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from psyche_sdk import Coordinator, SendOptions, Usage, _measure, pda
from psyche_sdk._generated import types
from psyche_sdk._generated.events import CODECS
from psyche_sdk._measure import Meter, measured_name
from psyche_sdk.errors import RpcError
from support.fake_cluster import FakeCluster

ALICE = Keypair.from_seed(bytes([1]) * 32)
RUN = pda.run_address(ALICE.pubkey(), "tiny")


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_measure, "_WAITS", (0.0, 0.0))


def logs(data: bytes) -> list[str]:
    return [
        f"Program {pda.PROGRAM_ID} invoke [1]",
        f"Program data: {base64.b64encode(data).decode()}",
        f"Program {pda.PROGRAM_ID} success",
    ]


def phase_changed() -> bytes:
    head = next(tag for tag, codec in CODECS.items() if codec is types.PHASE_CHANGED_CODEC)
    fields = types.PhaseChanged.__dataclass_fields__
    event = types.PhaseChanged(**(dict.fromkeys(fields, 0) | {"run": Pubkey.default()}))
    return head + types.PHASE_CHANGED_CODEC.encode(event)


def transaction(units: int, *, error: object = None, lines: list[str] | None = None) -> Any:
    return {"meta": {"err": error, "computeUnitsConsumed": units, "logMessages": lines}}


async def test_the_largest_count_is_kept_by_name() -> None:
    cluster = FakeCluster()
    cluster.answers["getTransaction"] = [transaction(300), transaction(200)]
    options = SendOptions(poll_seconds=0.001)
    actor = Coordinator(cluster, RUN, payer=ALICE, options=options, measure=True)
    await actor.tick()
    await actor.tick()
    usage = await actor.settle_usage()
    assert usage.units_max() == {"tick": 300}
    assert (usage.units["tick"].count, usage.units["tick"].total) == (2, 500)


@pytest.mark.parametrize(
    ("name", "lines", "expected"),
    [
        ("commit", None, "commit"),
        ("commit", logs(phase_changed()), "commit_and_tick"),
        ("tick", logs(phase_changed()), "tick"),
        ("commit", logs(phase_changed()[:20]), "commit"),
        ("commit", ["Program data: !!", 5], "commit"),
    ],
    ids=["no logs", "a transition", "tick itself", "a broken event", "other lines"],
)
def test_an_instruction_that_moved_the_run_is_counted_apart(
    name: str, lines: Any, expected: str
) -> None:
    assert measured_name(name, {"logMessages": lines}) == expected


@pytest.mark.parametrize(
    "answer",
    [None, 5, {}, {"meta": None}, transaction(1, error="x"), RpcError("no")],
    ids=repr,
)
async def test_what_no_node_tells_stays_uncounted(answer: object) -> None:
    cluster, usage = FakeCluster(), Usage()
    cluster.answers["getTransaction"] = answer
    meter = Meter(cluster, usage, commitment="confirmed")
    meter.landed("tick", "signature")
    await meter.finish()
    assert usage.units == {}


async def test_a_measurement_that_hangs_is_given_up() -> None:
    cluster, usage = FakeCluster(), Usage()
    cluster.answers["getTransaction"] = None
    meter = Meter(cluster, usage, commitment="confirmed")
    meter._tasks.add(asyncio.ensure_future(asyncio.Event().wait()))  # type: ignore[arg-type]
    await meter.finish(timeout_seconds=0.001)
    assert len(asyncio.all_tasks()) == 1
