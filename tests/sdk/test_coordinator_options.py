"""Who pays, what a place in a block costs, and how creating a run is cut into transactions."""

from __future__ import annotations

import pytest
from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from psyche_sdk import Coordinator, SendOptions, instructions
from psyche_sdk._budget import allocations
from psyche_sdk._rules.rounds import rounds_bytes
from psyche_sdk._send import waits
from psyche_sdk._signing import TRANSACTION_BYTES_MAX
from psyche_sdk.errors import (
    ConfigError,
    RpcAnswerInvalid,
)
from psyche_sdk.instructions import CreateRunArgs
from support.fake_cluster import (
    ALICE,
    BOB,
    RUN,
    FakeCluster,
    coordinator,
)
from support.founding import create_args


async def test_without_a_payer_nothing_can_be_sent() -> None:
    with pytest.raises(ConfigError) as caught:
        await coordinator(FakeCluster(), payer=None).tick()
    assert "payer" in caught.value.hint


def longest_args(capacity: int) -> CreateRunArgs:
    """A run's creation at its longest, but for the id, which the address fixes."""
    return create_args(capacity=capacity, model_uri="u" * 128, join_authority=BOB.pubkey())


@pytest.mark.parametrize("capacity", [8, 256, 1024])
async def test_a_run_is_created_with_all_its_room_in_transactions_that_fit(capacity: int) -> None:
    cluster = FakeCluster()
    receipts = await coordinator(cluster, signer=ALICE).create_run(longest_args(capacity))
    sent = cluster.sent()
    assert len(receipts) == len(sent)
    assert max(len(bytes(one)) for one in sent) <= TRANSACTION_BYTES_MAX
    grown = sum(len(one.message.instructions) - 1 for one in sent[1:])
    assert grown == allocations(capacity)


@pytest.mark.parametrize("capacity", [8, 16, 64, 256, 1024])
def test_growth_is_counted_for_the_larger_account(capacity: int) -> None:
    assert allocations(capacity) == -(-rounds_bytes(capacity) // 10_240) - 1


async def test_a_run_of_another_name_than_the_address_is_refused() -> None:
    other = Coordinator(FakeCluster(), Pubkey.default(), payer=ALICE)
    with pytest.raises(ConfigError, match="tiny"):
        await other.create_run(create_args())


@pytest.mark.parametrize(
    "wrong",
    [{"commitment": "sure"}, {"poll_seconds": 0}, {"priority_micro_lamports": -1}],
    ids=str,
)
def test_options_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SendOptions(**wrong)  # type: ignore[arg-type]  # the wrong value is the point


def test_looks_at_the_outcome_come_at_once_then_ever_slower() -> None:
    schedule = waits(0.1)
    assert [next(schedule) for _ in range(7)] == [0.0, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


async def test_a_priority_is_paid_for_by_the_unit() -> None:
    cluster = FakeCluster()
    options = SendOptions(priority_micro_lamports=1_000_000)
    actor = coordinator(cluster, options=options)
    await actor.send("mine", [], units=1234)
    assert actor.usage.lamports_fees == 5000 + 1234


async def test_a_measured_priority_is_the_median_under_its_cap() -> None:
    cluster = FakeCluster()
    fees = [{"slot": 1, "prioritizationFee": fee} for fee in (9_000_000, 0, 2_000_000)]
    cluster.answers["getRecentPrioritizationFees"] = lambda _: fees
    options = SendOptions(
        priority_micro_lamports=None, priority_cap_micro_lamports=1_000_000, poll_seconds=0.001
    )
    actor = coordinator(cluster, options=options)
    await actor.send("mine", [], units=1000)
    await actor.send("mine", [], units=2000)
    assert actor.usage.lamports_fees == 2 * 5000 + 1000 + 2000
    assert cluster.count("getRecentPrioritizationFees") == 1


@pytest.mark.parametrize("answer", [None, 5, [{}], [None], [{"prioritizationFee": "x"}]])
async def test_a_hostile_answer_about_prices_is_a_typed_error(answer: object) -> None:
    cluster = FakeCluster()
    cluster.answers["getRecentPrioritizationFees"] = lambda _: answer
    options = SendOptions(priority_micro_lamports=None)
    with pytest.raises(RpcAnswerInvalid):
        await coordinator(cluster, options=options).tick()


async def test_a_missing_or_needless_signer_is_named_before_anything_is_sent() -> None:
    cluster = FakeCluster()
    actor = coordinator(cluster)
    needs_bob = instructions.tick(
        run=RUN,
        roster=RUN,
        rounds=RUN,
        remaining_accounts=[AccountMeta(BOB.pubkey(), is_signer=True, is_writable=False)],
    )
    with pytest.raises(ConfigError, match="is missing"):
        await actor.send("mine", [needs_bob], units=1000)
    with pytest.raises(ConfigError, match="is not asked for"):
        await actor.send("mine", [], signers=[BOB], units=1000)
    assert cluster.sent() == []
