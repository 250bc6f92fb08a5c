"""What the embedded chain makes of a transaction: tried, refused, taken, remembered."""

import base64
import struct

import pytest
from solana.rpc.core import RPCException
from solana.rpc.models import TxOpts
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.errors import InvalidParamsMessage
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.transaction import VersionedTransaction

from psyche_sdk.localnet._records import History
from support.chains import payment, signed
from support.localnet_rpc import ALICE, BOB, SOL, blockhash_of, raw


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
