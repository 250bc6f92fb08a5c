"""A client of `torchrun` that ends before its run: it is told to, or one of its ranks is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from psyche_client.model.checkpoint import load
from psyche_sdk._rules.roster import MemberState
from psyche_sdk.localnet import LocalnetProcess, packaged_program
from support.chains import SLOT_MS, wait_until
from support.small_run import SmallRun, small_run
from support.torchrun import MODULE, alive, ranks_of

FAILED = 1  # is all that torchrun says
LONG = 10_000  # steps: it is not over before the tests are
SECONDS = 120.0
TOLD, LOSES = 1, 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRun]:
    """An ordinary client, and one of torchrun for each test."""
    work = tmp_path_factory.mktemp("run")
    with (
        pytest.MonkeyPatch.context() as patch,
        LocalnetProcess(slot_ms=SLOT_MS, programs=packaged_program()) as chain,
        small_run(chain.url, work, steps=LONG, epoch_rounds=LONG) as made,
    ):
        patch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]), prepend=":")
        made.start(0)
        made.start(TOLD, LOSES, module=MODULE)
        made.wait_step(2)
        yield made


@pytest.mark.slow
def test_ctrl_c_ends_all_ranks_as_it_ends_an_ordinary_client(run: SmallRun) -> None:
    client = run.clients.pop(TOLD)
    ranks = ranks_of(client)

    os.killpg(client.process.pid, signal.SIGINT)  # as a terminal does

    assert client.process.wait(SECONDS) == FAILED
    wait_until(lambda: not any(map(alive, ranks)), "no rank is left")
    member = run.member(TOLD)
    assert member is not None
    assert member.state is MemberState.LEFT
    (stop,) = run.events(TOLD, "stop")
    assert load(client.home / "model.safetensors").step == stop["step"]
    said = (client.home / "client.log").read_text()
    assert said.splitlines().count("interrupted") == 1
    assert "error: " not in said
    assert said.count("Traceback") == said.count("SignalException: ") == 1, "torchrun's own"
    assert "forcefully" not in said, "no rank had to be killed"
    run.wait_step(run.facts().step + 2)  # the others go on


@pytest.mark.slow
def test_a_rank_that_is_killed_ends_its_client_with_an_error(run: SmallRun) -> None:
    client = run.clients.pop(LOSES)
    ranks = ranks_of(client)

    os.kill(ranks[1], signal.SIGKILL)

    assert client.process.wait(SECONDS) == FAILED
    wait_until(lambda: not any(map(alive, ranks)), "no rank is left")
    said = (client.home / "client.log").read_text()
    assert said.count("\nerror: ") == 1
    assert said.count("\nhint: a process of this client ended") == 1
    assert said.count("Traceback") == said.count("ChildFailedError: ") == 1, "torchrun's own"
    assert "forcefully" not in said, "rank 0 ended by itself"
