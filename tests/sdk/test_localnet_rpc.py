"""JSON-RPC of the embedded chain, through solana-py's unmodified client."""

import base64
import struct

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.core import RPCException
from solana.rpc.models import DataSliceOpts, MemcmpOpts, TxOpts
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.rpc.errors import InvalidParamsMessage
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.transaction import VersionedTransaction

from psyche_sdk.localnet import Localnet
from psyche_sdk.localnet._records import History
from support.chains import payment, signed

ALICE = Keypair.from_seed(bytes([1]) * 32)
BOB = Pubkey.from_bytes(bytes([2]) * 32)
OWNER = Pubkey.from_bytes(bytes([3]) * 32)
SOL = 10**9


@pytest.fixture
async def chain():
    async with Localnet(slot_ms=0, unix_seconds=1_800_000_000, seed=b"rpc") as running:
        running.airdrop(ALICE.pubkey(), 10 * SOL)
        yield running


@pytest.fixture
async def client(chain):
    async with AsyncClient(chain.url) as running:
        yield running


async def blockhash_of(client):
    return (await client.get_latest_blockhash()).value.blockhash


def put(chain, number, data):
    address = Pubkey.from_bytes(bytes([number]) * 32)
    chain.set_account(address, Account(SOL, data, OWNER, False, 0))
    return address


async def raw(client, method, *params):
    """Posts a request that solana-py's own methods could not make."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    return (await client._provider.session.post(client._provider.endpoint_uri, json=body)).json()


async def test_the_chain_says_that_it_is_healthy_and_what_it_is(client):
    assert await client.is_connected()
    assert (await client.get_version()).value.solana_core.startswith("4.")
    assert (await client.get_genesis_hash()).value != Hash.default()


async def test_an_airdrop_is_a_transaction_like_any_other(client):
    signature = (await client.request_airdrop(BOB, SOL)).value

    await client.confirm_transaction(signature)

    assert (await client.get_balance(BOB)).value == SOL


async def test_two_equal_airdrops_in_one_slot_are_two_transactions(client):
    first = (await client.request_airdrop(BOB, SOL)).value
    second = (await client.request_airdrop(BOB, SOL)).value

    assert first != second
    assert (await client.get_balance(BOB)).value == 2 * SOL


async def test_an_airdrop_beyond_the_faucet_is_refused(client):
    with pytest.raises(RPCException) as raised:
        await client.request_airdrop(BOB, 2**63)

    assert "airdrop refused" in raised.value.args[0].message


async def test_an_account_is_read_whole_and_in_slices(chain, client):
    address = put(chain, 9, bytes(range(200)))

    whole = (await client.get_account_info(address, encoding="base64")).value
    part = (
        await client.get_account_info(
            address, encoding="base64", data_slice=DataSliceOpts(offset=10, length=3)
        )
    ).value

    assert (whole.data, whole.owner, whole.lamports) == (bytes(range(200)), OWNER, SOL)
    assert part.data == bytes([10, 11, 12])


async def test_base58_is_offered_up_to_128_bytes_and_refused_beyond(chain, client):
    short, long = put(chain, 9, bytes([0, 0, 7])), put(chain, 10, bytes(129))

    assert (await client.get_account_info(short, encoding="base58")).value.data == b"\0\0\7"
    answer = await raw(client, "getAccountInfo", str(long), {"encoding": "base58"})
    assert answer["error"]["code"] == -32600
    assert "use Base64" in answer["error"]["message"]


async def test_an_encoding_that_is_not_offered_is_refused_by_name(client):
    config = {"encoding": "base64+zstd"}

    answer = await raw(client, "getAccountInfo", str(BOB), config)

    assert answer["error"]["code"] == -32602
    assert "base64+zstd is not offered" in answer["error"]["message"]


async def test_many_accounts_come_in_order_with_null_for_those_that_are_not(chain, client):
    here = put(chain, 9, b"here")

    found = (await client.get_multiple_accounts([BOB, here])).value

    assert found[0] is None
    assert found[1].data == b"here"


async def test_program_accounts_are_filtered_by_size_and_content(chain, client):
    put(chain, 9, b"abc")
    wanted = put(chain, 10, b"xbc")
    put(chain, 11, b"xbcd")

    found = await client.get_program_accounts(
        OWNER, encoding="base64", filters=[3, MemcmpOpts(offset=0, bytes="31")]
    )
    exact = await raw(
        client,
        "getProgramAccounts",
        str(OWNER),
        {
            "encoding": "base64",
            "filters": [
                {"dataSize": 3},
                {"memcmp": {"offset": 0, "bytes": "eA==", "encoding": "base64"}},
            ],
        },
    )

    assert found.value == []
    assert [entry["pubkey"] for entry in exact["result"]] == [str(wanted)]


async def test_rent_is_the_networks_own(client):
    assert (await client.get_minimum_balance_for_rent_exemption(0)).value == 890_880
    assert (await client.get_minimum_balance_for_rent_exemption(100)).value == 1_586_880


@pytest.mark.parametrize("price", [0, 1, 5_000_000])
@pytest.mark.parametrize("limited", [False, True])
async def test_the_fee_of_a_message_is_what_executing_it_costs(client, price, limited):
    limits = [set_compute_unit_limit(77_777)] if limited else []
    instructions = [*limits, set_compute_unit_price(price), payment(ALICE, BOB, SOL)]
    transaction = signed(ALICE, await blockhash_of(client), *instructions)

    promised = (await client.get_fee_for_message(transaction.message)).value
    signature = (await client.send_transaction(transaction)).value

    assert (await client.get_transaction(signature)).value.transaction.meta.fee == promised
    paid = 10 * SOL - SOL - (await client.get_balance(ALICE.pubkey())).value
    assert paid == promised


async def test_the_fee_of_an_expired_message_is_unknown(client):
    message = Message.new_with_blockhash([], ALICE.pubkey(), Hash(bytes([5]) * 32))

    assert (await client.get_fee_for_message(message)).value is None


@pytest.mark.parametrize("encoding", ["json", "jsonParsed", "base64", "base58"])
async def test_a_transaction_is_told_in_every_encoding(client, encoding):
    transaction = signed(ALICE, await blockhash_of(client), payment(ALICE, BOB, SOL))
    signature = (await client.send_transaction(transaction)).value

    found = (await client.get_transaction(signature, encoding)).value

    assert found.slot == 1
    assert found.block_time == 1_800_000_000
    assert found.transaction.meta.post_balances[1] == SOL
    assert found.transaction.meta.compute_units_consumed == 150
    assert "Program 11111111111111111111111111111111 success" in found.transaction.meta.log_messages


async def test_a_versioned_transaction_is_told_only_to_those_who_can_read_it(client):
    message = MessageV0.try_compile(
        ALICE.pubkey(), [payment(ALICE, BOB, SOL)], [], await blockhash_of(client)
    )
    signature = (await client.send_transaction(VersionedTransaction(message, [ALICE]))).value

    answer = await raw(client, "getTransaction", str(signature), {"encoding": "json"})
    found = (await client.get_transaction(signature, max_supported_transaction_version=0)).value

    assert answer["error"]["code"] == -32015
    assert found.transaction.version == 0


async def test_the_signatures_of_an_address_come_newest_first_and_in_pages(chain, client):
    signatures = []
    for lamports in (SOL, 2 * SOL, 3 * SOL):
        transaction = signed(ALICE, await blockhash_of(client), payment(ALICE, BOB, lamports))
        signatures.append((await client.send_transaction(transaction)).value)
        chain.advance()

    newest = (await client.get_signatures_for_address(BOB, limit=2)).value
    older = (await client.get_signatures_for_address(BOB, before=newest[-1].signature)).value
    newer = (await client.get_signatures_for_address(BOB, until=signatures[0])).value

    assert [entry.signature for entry in newest] == [signatures[2], signatures[1]]
    assert [entry.signature for entry in older] == [signatures[0]]
    assert [entry.signature for entry in newer] == [signatures[2], signatures[1]]


async def test_simulating_changes_nothing_and_shows_accounts_afterwards(client):
    transaction = signed(ALICE, await blockhash_of(client), payment(ALICE, BOB, SOL))

    result = await raw(
        client,
        "simulateTransaction",
        base64.b64encode(bytes(transaction)).decode(),
        {"encoding": "base64", "accounts": {"encoding": "base64", "addresses": [str(BOB)]}},
    )

    value = result["result"]["value"]
    assert value["err"] is None
    assert value["accounts"][0]["lamports"] == SOL
    assert (await client.get_balance(BOB)).value == 0


async def test_simulating_can_take_a_fresh_blockhash(client):
    transaction = signed(ALICE, Hash(bytes([5]) * 32), payment(ALICE, BOB, SOL))
    text = base64.b64encode(bytes(transaction)).decode()

    stale = await raw(client, "simulateTransaction", text, {"encoding": "base64"})
    config = {"encoding": "base64", "replaceRecentBlockhash": True}
    fresh = await raw(client, "simulateTransaction", text, config)

    assert stale["result"]["value"]["err"] == "BlockhashNotFound"
    assert fresh["result"]["value"]["err"] is None
    assert fresh["result"]["value"]["replacementBlockhash"]["lastValidBlockHeight"] == 151


async def test_simulating_checks_signatures_only_if_asked(client):
    blockhash = await blockhash_of(client)
    transaction = signed(ALICE, blockhash, payment(ALICE, BOB, SOL))
    transaction.signatures = signed(ALICE, blockhash, payment(ALICE, BOB, 1)).signatures

    careless = (await client.simulate_transaction(transaction)).value
    careful = (await client.simulate_transaction(transaction, sig_verify=True)).value

    assert careless.err is None
    assert str(careful.err) == "TransactionErrorFieldless.SignatureFailure"


async def filled(client, size):
    """Returns a transaction of exactly `size` bytes."""
    blockhash = await blockhash_of(client)
    room = size - len(bytes(signed(ALICE, blockhash, Instruction(SYSTEM_PROGRAM, bytes(200), []))))
    transaction = signed(ALICE, blockhash, Instruction(SYSTEM_PROGRAM, bytes(200 + room), []))
    assert len(bytes(transaction)) == size
    return transaction


async def test_a_transaction_one_byte_longer_than_a_packet_is_refused(client):
    with pytest.raises(RPCException) as raised:
        await client.send_transaction(await filled(client, 1233), TxOpts(skip_preflight=True))

    assert isinstance(raised.value.args[0], InvalidParamsMessage)
    assert "too large" in raised.value.args[0].message


async def test_a_transaction_that_fills_a_packet_is_taken(client):
    options = TxOpts(skip_preflight=True)

    signature = (await client.send_transaction(await filled(client, 1232), options)).value

    assert (await client.get_signature_statuses([signature])).value[0] is not None


async def test_bytes_behind_a_transaction_are_refused(client):
    transaction = signed(ALICE, await blockhash_of(client), payment(ALICE, BOB, SOL))
    text = base64.b64encode(bytes(transaction) + b"x").decode()

    answer = await raw(client, "sendTransaction", text, {"encoding": "base64"})

    assert "trailing bytes" in answer["error"]["message"]


async def test_accounts_from_a_lookup_table_are_written_and_told(chain, client):
    table = put_lookup_table(chain, [BOB])
    message = MessageV0.try_compile(
        ALICE.pubkey(), [payment(ALICE, BOB, SOL)], [table], await blockhash_of(client)
    )
    assert BOB not in message.account_keys

    signature = (await client.send_transaction(VersionedTransaction(message, [ALICE]))).value
    config = {"maxSupportedTransactionVersion": 0}
    found = (await raw(client, "getTransaction", str(signature), config))["result"]

    assert (await client.get_balance(BOB)).value == SOL
    assert found["meta"]["loadedAddresses"] == {"writable": [str(BOB)], "readonly": []}
    assert found["meta"]["postBalances"][-1] == SOL


def put_lookup_table(chain, addresses):
    program = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")
    address = Pubkey.from_bytes(bytes([12]) * 32)
    head = struct.pack("<IQQBB34x", 1, 2**64 - 1, 0, 0, 0)
    data = head + b"".join(bytes(entry) for entry in addresses)
    chain.set_account(address, Account(SOL, data, program, False, 0))
    return AddressLookupTableAccount(address, addresses)


async def test_old_transactions_are_forgotten_one_by_one(chain, client):
    chain._bank.history = History(2)
    signatures = [(await client.request_airdrop(BOB, SOL)).value for _ in range(3)]

    statuses = (await client.get_signature_statuses(signatures)).value

    assert [status is not None for status in statuses] == [False, True, True]


async def test_a_payer_without_money_is_refused_by_name(client):
    pauper = Keypair.from_seed(bytes([8]) * 32)
    transaction = signed(pauper, await blockhash_of(client), payment(pauper, BOB, 1))

    with pytest.raises(RPCException) as raised:
        await client.send_transaction(transaction)

    assert str(raised.value.args[0].data.err) == "TransactionErrorFieldless.AccountNotFound"


async def test_a_payer_who_cannot_pay_the_fee_is_refused_by_name(chain, client):
    pauper = Keypair.from_seed(bytes([8]) * 32)
    chain.set_account(pauper.pubkey(), Account(4_999, b"", SYSTEM_PROGRAM, False, 0))
    transaction = signed(pauper, await blockhash_of(client), payment(pauper, BOB, 1))

    with pytest.raises(RPCException) as raised:
        await client.send_transaction(transaction)

    error = str(raised.value.args[0].data.err)
    assert error == "TransactionErrorFieldless.InsufficientFundsForFee"


async def test_a_bad_signature_is_refused_even_without_preflight(client):
    blockhash = await blockhash_of(client)
    transaction = signed(ALICE, blockhash, payment(ALICE, BOB, SOL))
    transaction.signatures = signed(ALICE, blockhash, payment(ALICE, BOB, 1)).signatures

    with pytest.raises(RPCException) as raised:
        await client.send_transaction(transaction, TxOpts(skip_preflight=True))

    assert "TransactionSignatureVerificationFailure" in str(raised.value.args[0])
    assert (await client.get_balance(BOB)).value == 0


async def test_a_slot_that_the_chain_has_not_reached_cannot_be_asked_for(client):
    answer = await raw(client, "getBalance", str(BOB), {"minContextSlot": 50})

    assert answer["error"]["code"] == -32016
    assert answer["error"]["data"] == {"contextSlot": 1}


async def test_other_facts_of_the_chain_are_told(client):
    assert (await client.get_transaction_count()).value == 1
    assert (await client.get_minimum_ledger_slot()).value == 1
    assert (await client.get_first_available_block()).value == 1
    assert (await client.get_slot_leader()).value
    fees = (await client.get_recent_prioritization_fees()).value
    assert [fee.prioritization_fee for fee in fees] == [0]
