"""Saving the embedded chain to a file and going on from it."""

import json
import stat
import tempfile

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.core import RPCException
from solders.account import Account
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey

from psyche_sdk.localnet import Localnet, LocalnetError, StateError
from support.chains import payment, signed

ALICE = Keypair.from_seed(bytes([1]) * 32)
BOB = Pubkey.from_bytes(bytes([2]) * 32)
PROGRAM = Pubkey.from_bytes(bytes([9]) * 32)
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
SLOT_HASHES = Pubkey.from_string("SysvarS1otHashes111111111111111111111111111")
SOL = 10**9
NOON = 1_800_000_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "below" / "chain.json"


def chain_at(path, **more):
    return Localnet(slot_ms=0, unix_seconds=NOON, state=path, **more)


def token_program():
    """Returns the bytes of a program that LiteSVM brings along."""
    svm = LiteSVM()
    data_address = Pubkey(svm.get_account(TOKEN).data[4:36])
    return svm.get_account(data_address).data[45:]


async def test_a_chain_goes_on_where_it_was_stopped(path):
    async with chain_at(path) as first:
        first.airdrop(ALICE.pubkey(), 10 * SOL)
        first.set_account(BOB, Account(SOL, b"kept", TOKEN, False, 0))
        first.advance(700, seconds=1000)
        hashes, transactions = first.account(SLOT_HASHES).data, first._bank.slots.transactions

    async with chain_at(path) as second:
        assert second.account(ALICE.pubkey()).lamports == 10 * SOL
        assert second.account(BOB).data == b"kept"
        assert second.slot == 702
        assert second.unix_seconds == NOON + 1000
        assert second.account(SLOT_HASHES).data == hashes
        assert second._bank.slots.transactions == transactions


async def test_a_transaction_of_before_is_not_executed_again(path):
    async with chain_at(path) as first, AsyncClient(first.url) as client:
        first.airdrop(ALICE.pubkey(), 10 * SOL)
        blockhash = (await client.get_latest_blockhash()).value.blockhash
        transaction = signed(ALICE, blockhash, payment(ALICE, BOB, SOL))
        await client.send_transaction(transaction)

    async with chain_at(path) as second, AsyncClient(second.url) as client:
        with pytest.raises(RPCException, match="Blockhash not found"):
            await client.send_transaction(transaction)
        assert second.account(BOB).lamports == SOL


async def test_programs_are_kept_with_the_accounts(path):
    async with chain_at(path, programs={PROGRAM: token_program()}) as first:
        before = first.account(PROGRAM)

    async with chain_at(path) as second:
        assert second.account(PROGRAM).executable
        assert second.account(PROGRAM).data == before.data
        code = second.account(Pubkey(before.data[4:36]))
        assert code.data[45:] == token_program()


async def test_two_chains_never_have_the_same_blockhashes():
    async with Localnet(slot_ms=0) as first, Localnet(slot_ms=0) as second:
        assert first._bank.slots.blockhash != second._bank.slots.blockhash


async def test_the_file_is_readable_by_its_owner_alone_and_leaves_no_other_behind(path):
    async with chain_at(path):
        pass

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


async def saved(path):
    async with chain_at(path) as chain:
        chain.airdrop(BOB, SOL)
        chain.advance()
    return json.loads(path.read_text())


def set_in(document, keys, value):
    *outer, last = keys
    for key in outer:
        document = document[key]
    document[last] = value


@pytest.mark.parametrize(
    ("keys", "value", "why"),
    [
        (["format"], "other", "not a saved chain"),
        (["version"], 2, "version 2"),
        (["slot"], -1, "damaged"),
        (["slot"], "7", "damaged"),
        (["genesis"], "00", "damaged"),
        (["running"], "zz" * 32, "damaged"),
        (["slot_hashes"], [[1, "00" * 32]] * 513, "damaged"),
        (["slot_hashes"], 5, "damaged"),
        (["unix_seconds"], "noon", "damaged"),
        (["unix_seconds"], 1e300, "damaged"),
        (["accounts"], [], "damaged"),
        (["accounts", "x"], {}, "damaged"),
        (["accounts", str(BOB), "data"], "!", "damaged"),
        (["accounts", str(BOB), "lamports"], 2**64, "damaged"),
        (["accounts", str(BOB), "executable"], True, "cannot be restored"),
    ],
)
async def test_a_damaged_file_is_refused_by_name(path, keys, value, why):
    document = await saved(path)
    set_in(document, keys, value)
    path.write_text(json.dumps(document))

    with pytest.raises(StateError, match=why) as raised:
        await chain_at(path).start()

    assert str(path) in str(raised.value) or why == "cannot be restored"


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00", "[" * 100_000])
async def test_a_file_that_is_no_state_is_refused(path, text):
    path.parent.mkdir()
    path.write_text(text)

    with pytest.raises(StateError, match="not a saved chain"):
        await chain_at(path).start()


async def test_a_place_that_cannot_be_written_is_told_by_name(tmp_path):
    (tmp_path / "file").write_text("")
    async with Localnet(slot_ms=0) as chain:
        with pytest.raises(StateError, match="cannot save the chain to"):
            chain.save(tmp_path / "file" / "chain.json")


async def test_a_place_that_cannot_be_written_is_told_at_the_start(path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    chain = chain_at(path)
    with pytest.raises(StateError, match=r"cannot save the chain to .*: Permission denied"):
        await chain.start()
    with pytest.raises(LocalnetError, match="not running"):
        _ = chain.slot


async def logs_of_a_call(chain):
    """Calls the token program with nothing and returns what it logs."""
    async with AsyncClient(chain.url) as client:
        chain.airdrop(ALICE.pubkey(), SOL)
        blockhash = (await client.get_latest_blockhash()).value.blockhash
        transaction = signed(ALICE, blockhash, Instruction(PROGRAM, b"\xff", []))
        return (await client.simulate_transaction(transaction)).value.logs


async def test_a_program_runs_from_the_first_slot_on_and_after_it_was_restored(path):
    async with chain_at(path, programs={PROGRAM: token_program()}) as first:
        fresh = await logs_of_a_call(first)

    async with chain_at(path) as second:
        restored = await logs_of_a_call(second)

    assert fresh[0] == f"Program {PROGRAM} invoke [1]"
    assert any("Error: Invalid instruction" in line for line in fresh)
    assert restored == fresh
