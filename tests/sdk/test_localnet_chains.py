import base64

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solana.rpc.core import RPCException
from solana.rpc.models import TxOpts
from solana.rpc.websocket_api import SolanaWsClient
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from psyche_sdk.localnet import packaged_program
from support import chains
from support.chains import CHAIN_KINDS, chain, payment, signed

ALICE = Keypair.from_seed(bytes([1]) * 32)
BOB = Keypair.from_seed(bytes([2]) * 32)
SOL = 10**9
PROGRAMS = packaged_program()


@pytest.fixture(scope="module", params=CHAIN_KINDS)
def here(request):
    with chain(request.param, programs=PROGRAMS) as running:
        running.fund(ALICE.pubkey(), 10 * SOL)
        yield running


def client_of(here):
    return AsyncClient(here.url, commitment=Confirmed)


async def test_a_transfer_arrives_and_costs_its_fee_on_every_chain(here):
    async with client_of(here) as client:
        before = (await client.get_balance(ALICE.pubkey())).value
        blockhash = (await client.get_latest_blockhash()).value.blockhash
        transaction = signed(ALICE, blockhash, payment(ALICE, BOB.pubkey(), SOL))

        signature = (await client.send_transaction(transaction)).value
        await client.confirm_transaction(signature, Confirmed, sleep_seconds=0.05)

        assert (await client.get_balance(BOB.pubkey())).value == SOL
        assert (await client.get_balance(ALICE.pubkey())).value == before - SOL - 5000
        meta = (await client.get_transaction(signature)).value.transaction.meta
        assert (meta.err, meta.fee) == (None, 5000)


async def test_a_failing_transaction_is_refused_with_its_error_and_logs_on_every_chain(here):
    async with client_of(here) as client:
        blockhash = (await client.get_latest_blockhash()).value.blockhash
        transaction = signed(ALICE, blockhash, payment(ALICE, BOB.pubkey(), 10**6 * SOL))

        with pytest.raises(RPCException) as raised:
            await client.send_transaction(transaction, TxOpts(preflight_commitment=Confirmed))

        failure = raised.value.args[0]
        text = "Transaction simulation failed: Error processing Instruction 0: "
        assert failure.message == text + "custom program error: 0x1"
        assert failure.data.err.index == 0
        assert failure.data.err.err.code == 1
        assert any("insufficient lamports" in line for line in failure.data.logs)


async def test_an_unknown_blockhash_is_refused_by_name_on_every_chain(here):
    async with client_of(here) as client:
        transaction = signed(ALICE, Hash(bytes([9]) * 32), payment(ALICE, BOB.pubkey(), 1))

        with pytest.raises(RPCException) as raised:
            await client.send_transaction(transaction, TxOpts(preflight_commitment=Confirmed))

        text = "Transaction simulation failed: Blockhash not found"
        assert raised.value.args[0].message == text


async def test_a_subscriber_hears_of_an_account_that_changes_on_every_chain(here):
    carol = Pubkey.from_bytes(bytes([3]) * 32)
    async with SolanaWsClient(here.ws_url) as socket:
        await socket.account_subscribe(pubkey=carol, encoding="base64", commitment=Confirmed)

        chains.call(here.url, "requestAirdrop", str(carol), SOL)
        notification = await socket.recv()

        assert notification.result.value.lamports == SOL
        assert notification.result.context.slot > 0


async def test_a_bad_signature_is_refused_on_every_chain(here):
    async with client_of(here) as client:
        blockhash = (await client.get_latest_blockhash()).value.blockhash
        transaction = signed(ALICE, blockhash, payment(ALICE, BOB.pubkey(), 1))
        other = signed(ALICE, blockhash, payment(ALICE, BOB.pubkey(), 2))
        transaction.signatures = other.signatures

        with pytest.raises(RPCException) as raised:
            await client.send_transaction(transaction, TxOpts(preflight_commitment=Confirmed))

        assert "did not pass signature verification" in raised.value.args[0].message


TRANSACTION = {"encoding": "base64", "preflightCommitment": "confirmed"}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("noSuchMethod", [], -32601),
        ("getBalance", [], -32602),
        ("getBalance", ["x"], -32602),
        ("getAccountInfo", [str(BOB.pubkey()), {"encoding": "x"}], -32602),
        ("getMultipleAccounts", [[str(BOB.pubkey())] * 101], -32602),
        ("getSlot", [{"minContextSlot": 10**12}], -32016),
        ("getBlockTime", [10**12], -32004),
        ("getTransaction", ["x"], -32602),
        ("sendTransaction", [], -32602),
        ("sendTransaction", ["AAAA", TRANSACTION], -32602),
        ("sendTransaction", ["!", TRANSACTION], -32602),
        ("sendTransaction", [base64.b64encode(bytes(1233)).decode(), TRANSACTION], -32602),
        ("sendTransaction", [base64.b64encode(bytes(9999)).decode(), TRANSACTION], -32602),
    ],
)
def test_a_mistaken_call_gets_the_same_code_on_every_chain(here, method, params, code):
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}

    answer = chains.request(here.url, call)

    assert answer["error"]["code"] == code


@pytest.mark.parametrize("encoding", ["json", "base64"])
async def test_the_facts_of_a_transaction_are_the_same_on_every_chain(here, encoding):
    async with client_of(here) as client:
        blockhash = (await client.get_latest_blockhash()).value.blockhash
        note = payment(ALICE, BOB.pubkey(), 10**6 + len(encoding))
        signature = (await client.send_transaction(signed(ALICE, blockhash, note))).value
        await client.confirm_transaction(signature, Confirmed, sleep_seconds=0.05)

        config = {"encoding": encoding, "commitment": "confirmed"}
        found = here.call("getTransaction", str(signature), config)

    assert set(found) >= {"slot", "blockTime", "transaction", "meta"}
    meta = found["meta"]
    assert (meta["err"], meta["status"]) == (None, {"Ok": None})
    assert (meta["fee"], meta["computeUnitsConsumed"]) == (5000, 150)
    assert meta["innerInstructions"] == []
    assert meta["logMessages"] == [
        "Program 11111111111111111111111111111111 invoke [1]",
        "Program 11111111111111111111111111111111 success",
    ]


def test_the_program_is_loaded_and_answers_alike_on_every_chain(here):
    (program_id,) = PROGRAMS
    latest = here.call("getLatestBlockhash", {"commitment": "confirmed"})["value"]
    unknown = Instruction(program_id, bytes(8), [])
    transaction = signed(ALICE, Hash.from_string(latest["blockhash"]), unknown)

    text = base64.b64encode(bytes(transaction)).decode()
    config = {"encoding": "base64", "commitment": "confirmed"}
    found = here.call("simulateTransaction", text, config)["value"]

    assert found["err"] == {"InstructionError": [0, {"Custom": 101}]}
    assert found["logs"][0] == f"Program {program_id} invoke [1]"
    assert any("InstructionFallbackNotFound" in line for line in found["logs"])
