"""An embedded chain whose clock stands, and solana-py's client of it."""

import pytest
from solana.rpc.async_api import AsyncClient

from psyche_sdk.localnet import Localnet
from support.localnet_rpc import ALICE, SOL


@pytest.fixture
async def chain():
    async with Localnet(slot_ms=0, unix_seconds=1_800_000_000, seed=b"rpc") as running:
        running.airdrop(ALICE.pubkey(), 10 * SOL)
        yield running


@pytest.fixture
async def client(chain):
    async with AsyncClient(chain.url) as running:
        yield running
