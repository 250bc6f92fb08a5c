"""Checkpoints of real networks: one client alone, two, and an owner's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from solders.pubkey import Pubkey

from psyche_client.model.checkpoint import load, save
from psyche_client.model.digest import digest_of
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
    changes = {"wallets": clients, "members": clients, "steps": steps, "epoch_rounds": 2}
    with chain("localnet", packaged_program()) as here, small_run(here.url, work, **changes) as run:
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


@pytest.mark.slow
def test_each_epoch_of_two_leaves_a_checkpoint_that_the_other_confirmed(tmp_path: Path) -> None:
    with network(tmp_path, clients=2, steps=4) as run:
        run.wait_finished()

        assert max(cooldowns(run, 0)) < PROMPTLY
        kept = seen(run).checkpoints
        assert [one.step for one in kept] == [2, 4]
        for checkpoint in kept:
            assert all(len(one.confirmed_by) == 1 for one in checkpoint.publications)
        assert kept[-1].digest.hex() == run.digests()[0]
        assert_equal_bits(run)


@pytest.mark.slow
def test_a_paused_run_goes_on_from_the_parameters_that_its_owner_sets(tmp_path: Path) -> None:
    # A test's folder may have too long a name for a URI on chain.
    with network(tmp_path, clients=2, steps=6) as run, TemporaryDirectory() as short:
        run.wait_step(1)
        run.pause()
        before = seen(run)
        assert before.agreed is not None
        path = state_path(Store(run.stage.home(0)), before.agreed.digest)
        parameters = {name: values.copy() for name, values in load(path).parameters.items()}
        first = next(iter(parameters))
        parameters[first] += np.float32(0.5)
        own = Path(short) / "own.safetensors"
        save(own, parameters, step=before.step, chain_hash=before.chain_hash)
        digest = digest_of(parameters, before.step)

        asyncio.run(_set(run, digest, own.as_uri()))
        run.wait_finished()

        after = seen(run)
        assert after.step == 6
        assert after.chain_hash != before.chain_hash
        assert_equal_bits(run)
        assert_nothing_lost(run.facts())
        held = load(run.stage.home(0) / "model.safetensors").parameters
        assert abs(held[first] - parameters[first]).mean() < 0.1


async def _set(run: SmallRun, digest: bytes, uri: str) -> None:
    address = Pubkey.from_string(run.stage.run)
    async with Coordinator(run.stage.url, address, payer=run.stage.owner) as owner:
        await owner.set_checkpoint(SetCheckpointArgs(digest=digest, uri=uri))
        await owner.resume()
