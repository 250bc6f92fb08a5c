"""A transaction is sent once, and what became of it is never guessed."""

from __future__ import annotations

import pytest
from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.hash import Hash

from psyche_sdk import program_errors
from psyche_sdk.errors import (
    AnchorError,
    InsufficientFunds,
    OutcomeUnknown,
    RpcAnswerInvalid,
    RpcError,
    RpcUnreachable,
    TransactionExpired,
    TransactionFailed,
    TransactionTooLarge,
)
from psyche_sdk.instructions import AttestArgs
from support.fake_cluster import (
    ALICE,
    BLOCKHASHES,
    BOB,
    HASTY,
    LAST_BLOCK_HEIGHT,
    MEMBER,
    TOO_EARLY,
    FakeCluster,
    coordinator,
    custom,
    no_status,
    preflight,
    status,
)


async def test_payer_and_member_sign_and_the_unit_limit_comes_first() -> None:
    cluster = FakeCluster()
    receipt = await coordinator(cluster, signer=BOB).behind(MEMBER)
    (sent,) = cluster.sent()
    assert sent.message.account_keys[: sent.message.header.num_required_signatures] == [
        ALICE.pubkey(),
        BOB.pubkey(),
    ]
    assert sent.verify_with_results() == [True, True]
    first = sent.message.instructions[0]
    assert sent.message.account_keys[first.program_id_index] == COMPUTE_BUDGET
    assert (receipt.signature, receipt.chain_slot) == (str(sent.signatures[0]), 101)


async def test_a_transition_asks_for_more_units() -> None:
    cluster = FakeCluster()
    actor = coordinator(cluster)
    await actor.behind(MEMBER)
    await actor.behind(MEMBER, transition=True)
    few, many = (bytes(sent.message.instructions[0].data) for sent in cluster.sent())
    assert int.from_bytes(few[1:], "little") < int.from_bytes(many[1:], "little")


async def test_the_same_call_twice_is_two_transactions_under_one_blockhash() -> None:
    cluster = FakeCluster()
    actor = coordinator(cluster)
    first, second = await actor.tick(), await actor.tick()
    assert first.signature != second.signature
    assert cluster.count("getLatestBlockhash") == 1


async def test_what_the_trial_refuses_is_the_programs_own_error_and_costs_nothing() -> None:
    cluster = FakeCluster()
    cluster.answers["sendTransaction"] = preflight(custom(1, TOO_EARLY), ["a log line"])
    actor = coordinator(cluster)
    with pytest.raises(program_errors.TooEarly) as caught:
        await actor.tick()
    assert (caught.value.instruction, caught.value.landed) == ("tick", False)
    assert caught.value.logs == ("a log line",)
    assert actor.usage.transactions == 0


async def test_what_fails_in_a_block_is_the_programs_own_error_and_costs_the_fee() -> None:
    cluster = FakeCluster()
    cluster.answers["getSignatureStatuses"] = status(custom(1, TOO_EARLY))
    actor = coordinator(cluster)
    with pytest.raises(program_errors.TooEarly) as caught:
        await actor.tick()
    assert caught.value.landed
    assert (actor.usage.transactions, actor.usage.failed, actor.usage.lamports_fees) == (1, 1, 5000)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (custom(1, 2001), AnchorError),
        (custom(1, 1), InsufficientFunds),
        ("InsufficientFundsForFee", InsufficientFunds),
        ("AccountNotFound", InsufficientFunds),
        ({"InsufficientFundsForRent": {"account_index": 0}}, InsufficientFunds),
        (custom(0, TOO_EARLY), TransactionFailed),  # of the compute budget program
        (custom(9, TOO_EARLY), TransactionFailed),
        (custom(1, 5_999_999), TransactionFailed),
        ("SomethingNew", TransactionFailed),
        (None, TransactionFailed),
    ],
    ids=str,
)
async def test_other_refusals_have_their_own_class(error: object, expected: type) -> None:
    cluster = FakeCluster()
    cluster.answers["sendTransaction"] = preflight(error)
    with pytest.raises(expected) as caught:
        await coordinator(cluster).tick()
    assert caught.value.hint


async def test_running_out_of_units_is_said_with_the_way_out() -> None:
    cluster = FakeCluster()
    logs = ["Program x failed: exceeded CUs meter at BPF instruction"]
    error = {"InstructionError": [1, "ProgramFailedToComplete"]}
    cluster.answers["sendTransaction"] = preflight(error, logs)
    with pytest.raises(TransactionFailed, match="tick: ProgramFailedToComplete") as caught:
        await coordinator(cluster).tick()
    assert "units" in caught.value.hint


async def test_a_stale_blockhash_is_replaced_once() -> None:
    cluster = FakeCluster()
    cluster.answers["sendTransaction"] = [preflight("BlockhashNotFound"), "signature"]
    cluster.answers["getLatestBlockhash"] = [
        cluster.latest_blockhash(0),
        cluster.latest_blockhash(1),
    ]
    await coordinator(cluster).tick()
    first, second = cluster.sent()
    assert first.message.recent_blockhash != second.message.recent_blockhash


async def test_a_blockhash_that_stays_stale_is_an_error() -> None:
    cluster = FakeCluster()
    cluster.answers["sendTransaction"] = preflight("BlockhashNotFound")
    with pytest.raises(TransactionFailed, match="BlockhashNotFound"):
        await coordinator(cluster).tick()
    assert cluster.count("sendTransaction") == 2


async def test_only_the_same_transaction_is_sent_again() -> None:
    cluster = FakeCluster()
    cluster.answers["getSignatureStatuses"] = [*[no_status()] * 4, status()]
    await coordinator(cluster).tick()
    sent = cluster.sent()
    assert len(sent) > 1
    assert len({bytes(one) for one in sent}) == 1


async def test_a_result_that_is_not_sure_enough_is_waited_for() -> None:
    cluster = FakeCluster()
    early = status(custom(1, TOO_EARLY), level="processed")
    cluster.answers["getSignatureStatuses"] = [early, status(level="confirmed", slot=120)]
    receipt = await coordinator(cluster).tick()
    assert receipt.chain_slot == 120


async def test_a_transaction_that_can_no_longer_land_has_expired() -> None:
    cluster = FakeCluster()
    cluster.answers["getSignatureStatuses"] = no_status()
    cluster.answers["getBlockHeight"] = LAST_BLOCK_HEIGHT + 1
    with pytest.raises(TransactionExpired):
        await coordinator(cluster).tick()


async def test_what_cannot_land_any_more_is_sent_anew_under_another_blockhash() -> None:
    cluster = FakeCluster()
    hashes = [cluster.latest_blockhash(0), cluster.latest_blockhash(1)]
    cluster.answers["getLatestBlockhash"] = hashes
    cluster.answers["getBlockHeight"] = LAST_BLOCK_HEIGHT + 1
    first = str(Hash.from_string(BLOCKHASHES[0]))
    cluster.answers["getSignatureStatuses"] = lambda _: (
        no_status() if str(cluster.sent()[-1].message.recent_blockhash) == first else status()
    )
    assert (await coordinator(cluster).tick()).chain_slot == 101


async def test_while_it_can_land_the_outcome_is_unknown_and_carries_the_signature() -> None:
    cluster = FakeCluster()
    cluster.answers["getSignatureStatuses"] = no_status()
    cluster.answers["getBlockHeight"] = LAST_BLOCK_HEIGHT
    with pytest.raises(OutcomeUnknown) as caught:
        await coordinator(cluster, options=HASTY).tick()
    assert caught.value.signature == str(cluster.sent()[0].signatures[0])


async def test_when_all_nodes_go_away_after_sending_the_outcome_is_unknown() -> None:
    cluster = FakeCluster()
    cluster.answers["getSignatureStatuses"] = RpcUnreachable("gone", sent=True)
    with pytest.raises(OutcomeUnknown, match="gone"):
        await coordinator(cluster, options=HASTY).tick()


async def test_an_answer_lost_after_sending_is_looked_up() -> None:
    cluster = FakeCluster()
    cluster.answers["sendTransaction"] = RpcUnreachable("no answer", sent=True)
    receipt = await coordinator(cluster).tick()
    assert receipt.chain_slot == 101


@pytest.mark.parametrize(
    "error", [RpcUnreachable("connection refused"), RpcError("no", code=-32601)], ids=repr
)
async def test_what_was_not_sent_is_no_unknown_outcome(error: RpcError) -> None:
    cluster = FakeCluster()
    cluster.answers["sendTransaction"] = error
    with pytest.raises(type(error)):
        await coordinator(cluster).tick()


async def test_a_node_that_has_it_already_is_believed() -> None:
    cluster = FakeCluster()
    cluster.answers["sendTransaction"] = preflight("AlreadyProcessed")
    assert (await coordinator(cluster).tick()).chain_slot == 101


async def test_a_transaction_over_the_limit_is_not_sent() -> None:
    cluster = FakeCluster()
    args = AttestArgs(epoch=0, round=0, slot=0, bits=bytes(1200), custody_root=bytes(32))
    with pytest.raises(TransactionTooLarge, match="over the limit"):
        await coordinator(cluster).attest(args)
    assert cluster.sent() == []


@pytest.mark.parametrize("answer", [None, {}, {"value": {}}, {"value": {"blockhash": "0"}}, 7, "x"])
async def test_a_hostile_blockhash_answer_is_a_typed_error(answer: object) -> None:
    cluster = FakeCluster()
    cluster.answers["getLatestBlockhash"] = lambda _: answer
    with pytest.raises(RpcAnswerInvalid):
        await coordinator(cluster).tick()


@pytest.mark.parametrize("answer", [None, {}, {"value": []}, {"value": ["x"]}, {"value": [{}]}])
async def test_a_hostile_status_answer_leaves_the_outcome_unknown(answer: object) -> None:
    cluster = FakeCluster()
    cluster.answers["getSignatureStatuses"] = lambda _: answer
    with pytest.raises(OutcomeUnknown):
        await coordinator(cluster, options=HASTY).tick()
