"""Subscriptions of the embedded chain, through solana-py's unmodified websocket client."""

import asyncio
import json

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.jsonrpc import SolanaJsonRpcError
from solana.rpc.models import TxOpts
from solana.rpc.websocket_api import SolanaWsClient
from solders.account import Account
from solders.pubkey import Pubkey
from solders.rpc.config import RpcTransactionLogsFilterMentions
from solders.signature import Signature
from solders.system_program import ID as SYSTEM_PROGRAM
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from psyche_sdk.localnet import Localnet, _pubsub, _subscriptions
from support.chains import payment, signed
from support.localnet_rpc import ALICE, BOB, SOL

CAROL = Pubkey.from_bytes(bytes([3]) * 32)


@pytest.fixture
async def socket(chain):
    async with SolanaWsClient(chain.ws_url) as running:
        yield running


async def pay(chain, to, lamports, **options):
    async with AsyncClient(chain.url) as client:
        blockhash = (await client.get_latest_blockhash()).value.blockhash
        transaction = signed(ALICE, blockhash, payment(ALICE, to, lamports))
        return (await client.send_transaction(transaction, TxOpts(**options))).value


def request(method, *params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


async def read_to_the_end(socket):
    while True:
        await socket.recv()


async def test_an_account_is_told_with_its_slot_when_it_changes(chain, socket):
    chain.advance(4)
    handle = await socket.account_subscribe(pubkey=BOB, encoding="base64")

    chain.airdrop(CAROL, SOL)
    chain.airdrop(BOB, 2 * SOL)
    told = await socket.recv()

    assert told.subscription == handle.subscription_id
    assert told.result.context.slot == 5
    assert told.result.value.lamports == 2 * SOL


async def test_changes_that_come_together_are_told_as_one(chain, socket):
    await socket.account_subscribe(pubkey=BOB, encoding="base64")

    for _ in range(5):
        chain.airdrop(BOB, SOL)
    told = await socket.recv()

    assert told.result.value.lamports == 5 * SOL


async def test_an_account_that_is_emptied_is_told_with_nothing_in_it(chain, socket):
    await socket.account_subscribe(pubkey=ALICE.pubkey(), encoding="base64")

    await pay(chain, BOB, 10 * SOL - 5000)
    told = await socket.recv()

    assert told.result.value.lamports == 0
    assert told.result.value.owner == SYSTEM_PROGRAM


async def test_after_unsubscribing_nothing_more_is_told(chain, socket):
    bob = await socket.account_subscribe(pubkey=BOB, encoding="base64")
    carol = await socket.account_subscribe(pubkey=CAROL, encoding="base64")
    await socket.unsubscribe(bob)

    chain.airdrop(BOB, SOL)
    chain.airdrop(CAROL, SOL)
    told = await socket.recv()

    assert told.subscription == carol.subscription_id


async def test_a_signature_is_told_once_it_is_executed(chain, socket):
    async with AsyncClient(chain.url) as client:
        blockhash = (await client.get_latest_blockhash()).value.blockhash
        transaction = signed(ALICE, blockhash, payment(ALICE, BOB, SOL))
        handle = await socket.signature_subscribe(signature=transaction.signatures[0])
        await client.send_transaction(transaction)

    told = await socket.recv()

    assert told.subscription == handle.subscription_id
    assert told.result.value.err is None


async def test_a_signature_that_was_executed_before_is_told_at_once(chain, socket):
    signature = await pay(chain, BOB, SOL)

    await socket.signature_subscribe(signature=signature)

    assert (await socket.recv()).result.value.err is None


async def test_a_failed_transaction_is_told_with_its_error(chain):
    signature = await pay(chain, BOB, 100 * SOL, skip_preflight=True)

    # solders cannot parse this notification, on a real node's bytes either.
    async with connect(chain.ws_url) as bare:
        await bare.send(request("signatureSubscribe", str(signature)))
        await bare.recv()
        told = json.loads(await bare.recv())

    assert told["params"]["result"]["value"] == {"err": {"InstructionError": [0, {"Custom": 1}]}}


async def test_a_signature_subscription_ends_with_its_one_notification(chain):
    signature = await pay(chain, BOB, SOL)
    async with connect(chain.ws_url) as bare:
        await bare.send(request("signatureSubscribe", str(signature)))
        number = json.loads(await bare.recv())["result"]
        assert json.loads(await bare.recv())["method"] == "signatureNotification"

        await bare.send(request("signatureUnsubscribe", number))

        assert "Invalid subscription id" in (await bare.recv())


async def test_slots_are_told_as_they_begin(chain, socket):
    await socket.slot_subscribe()

    chain.advance(3)
    told = (await socket.recv()).result

    assert (told.slot, told.parent) == (4, 3)


async def test_logs_of_all_transactions_are_told_to_who_wants_all(chain, socket):
    await socket.logs_subscribe()

    signature = await pay(chain, BOB, SOL)
    told = (await socket.recv()).result.value

    assert told.signature == signature
    assert told.logs[-1].endswith("success")


async def test_logs_are_told_only_of_transactions_that_mention_an_address(chain, socket):
    await socket.logs_subscribe(filter_=RpcTransactionLogsFilterMentions(CAROL))

    await pay(chain, BOB, SOL)
    wanted = await pay(chain, CAROL, SOL)

    assert (await socket.recv()).result.value.signature == wanted


async def test_accounts_of_a_program_are_told_if_they_match_the_filters(chain, socket):
    await socket.program_subscribe(program_id=SYSTEM_PROGRAM, encoding="base64", filters=[0])
    async with SolanaWsClient(chain.ws_url) as other:
        await other.program_subscribe(program_id=CAROL, encoding="base64")
        await other.account_subscribe(pubkey=BOB, encoding="base64")

        chain.airdrop(BOB, SOL)

        told = {(await socket.recv()).result.value.pubkey for _ in range(2)}
        first_to_other = await other.recv()

    assert BOB in told
    assert first_to_other.result.value.lamports == SOL


async def test_data_too_long_for_base58_is_told_in_words(chain):
    chain.set_account(BOB, Account(SOL, bytes(129), SYSTEM_PROGRAM, False, 0))
    async with connect(chain.ws_url) as socket:
        await socket.send(request("accountSubscribe", str(BOB)))
        await socket.recv()
        chain.airdrop(BOB, SOL)
        told = json.loads(await socket.recv())

    assert "too large" in told["params"]["result"]["value"]["data"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", -32700),
        ("[" * 20_000, -32700),
        ("[]", -32600),
        ("7", -32600),
        ('{"id": 1, "method": "accountSubscribe"}', -32602),
        ('{"id": 1, "method": "accountSubscribe", "params": ["x"]}', -32602),
        ('{"id": 1, "method": "logsSubscribe", "params": [{"mentions": []}]}', -32602),
        ('{"id": 1, "method": "logsSubscribe", "params": [["all"]]}', -32602),
        ('{"id": 1, "method": "signatureSubscribe", "params": ["x"]}', -32602),
        ('{"id": 1, "method": "slotUnsubscribe", "params": [999999]}', -32602),
        ('{"id": 1, "method": "getSlot"}', -32601),
    ],
)
async def test_a_malformed_request_gets_an_error_and_the_connection_stays(chain, message, code):
    async with connect(chain.ws_url) as socket:
        await socket.send(message)
        refused = json.loads(await socket.recv())
        await socket.send('{"jsonrpc": "2.0", "id": 2, "method": "slotSubscribe"}')
        accepted = json.loads(await socket.recv())

    assert refused["error"]["code"] == code
    assert accepted["result"] > 0


async def test_a_message_longer_than_the_limit_ends_the_connection(chain):
    async with connect(chain.ws_url) as socket:
        await socket.send("x" * (_pubsub.MESSAGE_BYTES_MAX + 1))

        with pytest.raises(ConnectionClosed) as raised:
            await socket.recv()

    assert raised.value.rcvd.code == 1009


async def test_a_client_cannot_subscribe_without_end(socket, monkeypatch):
    monkeypatch.setattr(_pubsub, "SUBSCRIPTIONS_MAX", 3)
    for _ in range(3):
        await socket.slot_subscribe()

    with pytest.raises(SolanaJsonRpcError, match="too many subscriptions"):
        await socket.slot_subscribe()


async def test_a_connection_beyond_the_limit_is_turned_away(chain, socket, monkeypatch):
    await socket.slot_subscribe()
    monkeypatch.setattr(_pubsub, "CONNECTIONS_MAX", 1)

    async with connect(chain.ws_url) as other:
        with pytest.raises(ConnectionClosed) as raised:
            await other.recv()

    assert raised.value.rcvd.code == 1013


async def test_a_client_that_does_not_read_is_cut_off(chain, monkeypatch):
    monkeypatch.setattr(_subscriptions, "QUEUE_MESSAGES_MAX", 10)
    async with connect(chain.ws_url) as socket:
        await socket.send('{"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe"}')
        await socket.recv()
        for _ in range(11):
            chain.advance()

        with pytest.raises(ConnectionClosed) as raised:
            await read_to_the_end(socket)

    assert raised.value.rcvd.code == 1008


async def test_other_clients_are_served_while_one_goes_away(chain, socket):
    await socket.account_subscribe(pubkey=BOB, encoding="base64")
    rude = await connect(chain.ws_url)
    await rude.send('{"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe"}')
    await rude.recv()
    rude.transport.abort()

    chain.advance()
    chain.airdrop(BOB, SOL)

    assert (await socket.recv()).result.value.lamports == SOL


async def test_stopping_the_chain_ends_its_connections():
    chain = await Localnet(slot_ms=10).start()
    async with connect(chain.ws_url) as socket:
        await socket.send('{"jsonrpc": "2.0", "id": 1, "method": "slotSubscribe"}')
        await socket.recv()
        stopping = asyncio.create_task(chain.stop())

        with pytest.raises(ConnectionClosed):
            await read_to_the_end(socket)
        await stopping


async def test_an_unknown_signature_is_waited_for_in_silence(chain, socket):
    await socket.signature_subscribe(signature=Signature(bytes([7]) * 64))
    await socket.slot_subscribe()

    await pay(chain, BOB, SOL)
    chain.advance()

    assert (await socket.recv()).result.slot == 2


async def test_an_account_that_a_transaction_left_as_it_was_is_not_told_again(chain, socket):
    await socket.account_subscribe(pubkey=BOB, encoding="base64")
    alice = await socket.account_subscribe(pubkey=ALICE.pubkey(), encoding="base64")
    chain.airdrop(BOB, SOL)
    await socket.recv()

    await pay(chain, BOB, 0)

    assert (await socket.recv()).subscription == alice.subscription_id
