"""What tests of the client share: training is done, and a chain started, once a module."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from psyche_client.cli.app import run
from psyche_client.cli.errors import Code
from psyche_client.trainer import Trainer
from psyche_sdk.localnet import LocalnetProcess, packaged_program
from support.client import (
    key,
    tiny_trainer,
    tokens,
)
from support.mallory import PAYLOAD, Mallory
from support.network import (
    Peer,
    introduce,
    raw_endpoint,
    roster,
    start_peer,
)
from support.replica import World


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return tiny_trainer()


@pytest.fixture(scope="module")
def payloads(trainer: Trainer) -> list[bytes]:
    trainer.load_initial()
    return [trainer.train(tokens(number), key(number, 1)).payload for number in range(3)]


@pytest.fixture(scope="module")
def digests(trainer: Trainer, payloads: list[bytes]) -> list[bytes]:
    """Digest before each round and after the last, each as its step has it."""
    trainer.load_initial()
    found = [trainer.digest(0)]
    for number, payload in enumerate(payloads):
        trainer.settle((0, number), number, [(key(number, 1), payload)])
        found.append(trainer.digest(number + 1))
    return found


@pytest.fixture
async def world(tmp_path: Path, trainer: Trainer, payloads: list[bytes]) -> AsyncIterator[World]:
    trainer.load_initial()
    made = World(tmp_path, trainer, payloads)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def chain() -> Iterator[str]:
    """The URL of an embedded chain with the program on it."""
    with LocalnetProcess(slot_ms=50, programs=packaged_program()) as started:
        yield started.url


@pytest.fixture(scope="module")
def folder(chain: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wallets that hold 10 SOL each: alice's and bob's."""
    path = tmp_path_factory.mktemp("wallets")
    for name in ("alice", "bob"):
        file = str(path / f"{name}.json")
        assert run(["wallet", "new", "--out", file]) == Code.OK
        assert run(["wallet", "airdrop", "10", "--wallet", file, "--url", chain]) == Code.OK
    return path


@pytest_asyncio.fixture
async def trio() -> AsyncIterator[tuple[Peer, Peer, Mallory]]:
    """Alice who holds the payload, bob who wants it, and mallory: all three members."""
    alice, bob = await start_peer(1), await start_peer(2)
    mallory = Mallory(await raw_endpoint(66))
    members = {**roster([alice, bob]), mallory.key: mallory.member}
    await introduce([alice, bob])
    for peer in (alice, bob):
        peer.exchange.set_members(members)
    alice.shelf.put(PAYLOAD)
    yield alice, bob, mallory
    await asyncio.gather(alice.stop(), bob.stop(), mallory.stop())
