"""Time on the embedded chain: slots, blockhashes that expire, duplicates, sysvars."""

import struct

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.core import RPCException
from solana.rpc.models import TxOpts
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.sysvar import CLOCK

from psyche_sdk.localnet import Localnet, LocalnetConfig, NotManual
from support.chains import payment, signed
from support.localnet_rpc import ALICE, BOB, SOL

NOON = 1_800_000_000
SLOT_HASHES = Pubkey.from_string("SysvarS1otHashes111111111111111111111111111")
SKIP_PREFLIGHT = TxOpts(skip_preflight=True)


async def latest(client):
    return (await client.get_latest_blockhash()).value


async def send(client, blockhash, lamports, opts=None):
    return await client.send_transaction(
        signed(ALICE, blockhash, payment(ALICE, BOB, lamports)), opts
    )


async def is_valid(client, blockhash):
    """solana-py has no such method of its own."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "isBlockhashValid", "params": [str(blockhash)]}
    answer = await client._provider.session.post(client._provider.endpoint_uri, json=body)
    return answer.json()["result"]["value"]


def refusal_of(raised):
    return str(raised.value.args[0].data.err)


async def test_a_manual_chain_moves_only_when_advanced(chain, client):
    chain.advance(3, seconds=10)

    assert (await client.get_slot()).value == 4
    assert (await client.get_block_time(4)).value == NOON + 10


async def test_advance_takes_400_milliseconds_a_slot_unless_told(chain):
    chain.advance(5)

    assert chain.unix_seconds == NOON + 2


async def test_a_chain_that_follows_the_clock_refuses_to_be_advanced():
    async with Localnet(slot_ms=400) as chain:
        with pytest.raises(NotManual):
            chain.advance()


async def test_programs_see_slot_and_time_in_the_clock_sysvar(chain):
    chain.advance(7, seconds=60)

    slot, _, epoch, _, seconds = struct.unpack("<QqQQq", chain.account(CLOCK).data)

    assert (slot, epoch, seconds) == (8, 0, NOON + 60)


async def test_slot_hashes_hold_the_newest_512_slots_newest_first(chain):
    chain.advance(600)

    data = chain.account(SLOT_HASHES).data
    (count,) = struct.unpack_from("<Q", data)
    slots = [struct.unpack_from("<Q", data, 8 + 40 * i)[0] for i in range(count)]
    hashes = {data[16 + 40 * i : 48 + 40 * i] for i in range(count)}

    assert slots == list(range(600, 88, -1))
    assert len(hashes) == 512


async def test_transactions_change_the_hashes_of_later_slots():
    async with Localnet(slot_ms=0, seed=b"x") as quiet, Localnet(slot_ms=0, seed=b"x") as busy:
        busy.airdrop(BOB, SOL)
        quiet.advance()
        busy.advance()

        assert quiet.account(SLOT_HASHES).data != busy.account(SLOT_HASHES).data


async def test_a_blockhash_serves_150_slots_and_not_one_more(chain, client):
    blockhash = (await latest(client)).blockhash
    chain.advance(150)
    await send(client, blockhash, SOL)
    chain.advance()

    with pytest.raises(RPCException) as raised:
        await send(client, blockhash, 2 * SOL)

    assert refusal_of(raised) == "TransactionErrorFieldless.BlockhashNotFound"
    assert (await client.get_balance(BOB)).value == SOL


async def test_the_last_valid_block_height_is_the_last_slot_of_a_blockhash(chain, client):
    found = await latest(client)
    chain.advance(found.last_valid_block_height - chain.slot)
    assert await is_valid(client, found.blockhash)

    chain.advance()

    assert not await is_valid(client, found.blockhash)


async def test_the_same_transaction_is_refused_as_long_as_its_blockhash_lives(chain, client):
    blockhash = (await latest(client)).blockhash
    await send(client, blockhash, SOL)

    for _ in range(150):
        chain.advance()
        chain.airdrop(ALICE.pubkey(), 1)  # LiteSVM alone forgets after some 35 of these
        with pytest.raises(RPCException) as raised:
            await send(client, blockhash, SOL)
        assert refusal_of(raised) == "TransactionErrorFieldless.AlreadyProcessed"

    assert (await client.get_balance(BOB)).value == SOL


async def test_without_preflight_an_expired_transaction_is_dropped_in_silence(client):
    stale = Hash(bytes([7]) * 32)

    signature = (await send(client, stale, SOL, SKIP_PREFLIGHT)).value

    assert (await client.get_signature_statuses([signature])).value == [None]
    assert (await client.get_balance(BOB)).value == 0


async def test_without_preflight_a_failing_transaction_lands_and_pays_its_fee(client):
    blockhash = (await latest(client)).blockhash

    signature = (await send(client, blockhash, 100 * SOL, SKIP_PREFLIGHT)).value

    status = (await client.get_signature_statuses([signature])).value[0]
    assert status.err.err.code == 1
    assert (await client.get_balance(ALICE.pubkey())).value == 10 * SOL - 5000


async def test_with_preflight_a_failing_transaction_costs_nothing(client):
    blockhash = (await latest(client)).blockhash

    with pytest.raises(RPCException):
        await send(client, blockhash, 100 * SOL)

    assert (await client.get_balance(ALICE.pubkey())).value == 10 * SOL


async def test_slots_follow_the_clock():
    async with Localnet(slot_ms=10) as chain, AsyncClient(chain.url) as client:
        first = chain.slot
        while chain.slot < first + 5:
            await client.get_slot()

        info = (await client.get_epoch_info()).value

    assert info.absolute_slot >= first + 5
    assert info.block_height == info.absolute_slot


@pytest.mark.parametrize(
    "settings",
    [
        {"slot_ms": 9},
        {"slot_ms": -1},
        {"port": 65_535},
        {"port": -1},
        {"seed": bytes(33)},
        {"unix_seconds": -1.0},
        {"unix_seconds": float("nan")},
    ],
)
def test_a_configuration_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        LocalnetConfig(**settings)


@pytest.mark.parametrize(("slots", "seconds"), [(0, None), (-1, None), (1, -1.0), (10**7, None)])
async def test_time_never_goes_back(chain, slots, seconds):
    with pytest.raises(ValueError, match="slots is 1 to"):
        chain.advance(slots, seconds)
