"""A quiet embedded chain with a rich account, and a client of it, for tests of the JSON-RPC."""

from solders.account import Account
from solders.keypair import Keypair
from solders.pubkey import Pubkey

ALICE = Keypair.from_seed(bytes([1]) * 32)
BOB = Pubkey.from_bytes(bytes([2]) * 32)
OWNER = Pubkey.from_bytes(bytes([3]) * 32)
SOL = 10**9


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
