"""Checkpoints of real networks: one client alone, two, and an owner's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from solders.pubkey import Pubkey

from psyche_client.model.checkpoint import load, save
from psyche_client.model.digest import Parameters, digest_of
from psyche_client.resync import state_path
from psyche_client.store import Store
from psyche_sdk.coordinator import Coordinator
from psyche_sdk.instructions import SetCheckpointArgs
from psyche_sdk.localnet import packaged_program
from psyche_sdk.views import Run, decode_run
from support.chains import chain
from support.small_run import SmallRun, assert_equal_bits, assert_nothing_lost, small_run

#: Cooldown takes 30 s by time.
PROMPTLY = 12.0
STEPS, EPOCH_ROUNDS = 6, 2


def seen(run: SmallRun) -> Run:
    """The run's account."""
    return decode_run(run.snapshot().run.data)


def cooldowns(run: SmallRun, number: int) -> list[float]:
    """How long each Cooldown took, as a client saw it."""
    phases = run.events(number, "phase")
    return [b["t"] - a["t"] for a, b in pairwise(phases) if a["phase"] == "cooldown"]


@contextmanager
def network(work: Path, *, clients: int, steps: int) -> Iterator[SmallRun]:
    """A run of so many clients with an epoch of two rounds, on a chain of its own."""
    changes = {"wallets": clients, "members": clients, "epoch_rounds": EPOCH_ROUNDS}
    with (
        chain("localnet", packaged_program()) as here,
        small_run(here.url, work, steps=steps, **changes) as run,
    ):
        run.start(*range(clients))
        yield run


@pytest.mark.slow
def test_a_client_alone_publishes_and_waits_for_nobody(tmp_path: Path) -> None:
    with network(tmp_path, clients=1, steps=4) as run:
        run.wait_finished()

        assert max(cooldowns(run, 0)) < PROMPTLY
        kept = seen(run).checkpoints
        assert [one.step for one in kept] == [2, 4]
        assert [one.confirmations for one in kept] == [0, 0]
        assert len(run.events(0, "published")) == 2


@dataclass(frozen=True)
class Pair:
    """A run of two whose owner set parameters in between, once it is over."""

    run: SmallRun
    before: Run  # the account when the owner set them
    own: Parameters  # what the owner set


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    # A test's folder may have too long a name for a URI on chain.
    with (
        network(tmp_path_factory.mktemp("pair"), clients=2, steps=STEPS) as run,
        TemporaryDirectory() as short,
    ):
        run.wait_step(1)
        run.pause()
        before = seen(run)
        assert before.agreed is not None
        path = state_path(Store(run.stage.home(0)), before.agreed.digest)
        parameters = {name: values.copy() for name, values in load(path).parameters.items()}
        parameters[next(iter(parameters))] += np.float32(0.5)
        own = Path(short) / "own.safetensors"
        save(own, parameters, step=before.step, chain_hash=before.chain_hash)
        digest = digest_of(parameters, before.step)

        asyncio.run(_set(run, digest, own.as_uri()))
        run.wait_finished()
        yield Pair(run, before, parameters)


@pytest.mark.slow
def test_each_epoch_of_two_leaves_a_checkpoint_that_the_other_confirmed(pair: Pair) -> None:
    after, took = seen(pair.run), cooldowns(pair.run, 0)
    assert max(took) < PROMPTLY
    assert len(took) == after.epoch
    kept = [pair.before.checkpoints[-1], *after.checkpoints]
    ends = [*range(pair.before.step, STEPS, EPOCH_ROUNDS), STEPS]  # the first by the pause
    assert [one.step for one in kept] == [ends[0], *ends[-2:]]
    for checkpoint in kept:
        assert all(len(one.confirmed_by) == 1 for one in checkpoint.publications)
    assert kept[-1].digest.hex() == pair.run.digests()[0]
    assert_equal_bits(pair.run)


@pytest.mark.slow
def test_a_paused_run_goes_on_from_the_parameters_that_its_owner_sets(pair: Pair) -> None:
    after = seen(pair.run)
    assert after.step == STEPS
    assert after.chain_hash != pair.before.chain_hash
    assert_equal_bits(pair.run)
    assert_nothing_lost(pair.run.facts())
    held = load(pair.run.stage.home(0) / "model.safetensors").parameters
    first = next(iter(pair.own))
    assert abs(held[first] - pair.own[first]).mean() < 0.1


async def _set(run: SmallRun, digest: bytes, uri: str) -> None:
    address = Pubkey.from_string(run.stage.run)
    async with Coordinator(run.stage.url, address, payer=run.stage.owner) as owner:
        await owner.set_checkpoint(SetCheckpointArgs(digest=digest, uri=uri))
        await owner.resume()
