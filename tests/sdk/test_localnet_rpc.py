"""JSON-RPC of the embedded chain, through solana-py's unmodified client."""

import pytest
from solana.rpc.core import RPCException
from solana.rpc.models import DataSliceOpts, MemcmpOpts
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.message import Message, MessageV0
from solders.transaction import VersionedTransaction

from support.chains import payment, signed
from support.localnet_rpc import ALICE, BOB, OWNER, SOL, blockhash_of, put, raw


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
