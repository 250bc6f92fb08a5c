"""`psyche join` that is told to end: it hands its slot back, and others go on."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from psyche_client.cli.app import run as psyche
from psyche_client.cli.errors import Code
from psyche_sdk._rules.roster import MemberState
from psyche_sdk._rules.rounds import RECORDS
from psyche_sdk.localnet import LocalnetProcess, packaged_program
from support.chains import SLOT_MS
from support.small_run import SmallRun, small_run

LEAVE_SECONDS = 2.0
LOAD_SECONDS = 1.0  # of a test machine whose cores are shared
BOND = 20_000_000
LONG = 10_000  # steps: it is not over before the tests are


@pytest.fixture(scope="module")
def chain() -> Iterator[LocalnetProcess]:
    with LocalnetProcess(slot_ms=SLOT_MS, programs=packaged_program()) as process:
        yield process


@pytest.fixture(scope="module")
def run(chain: LocalnetProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRun]:
    """Clients that train, one for each test."""
    work = tmp_path_factory.mktemp("run")
    sizes = {"wallets": 5, "members": 5, "steps": LONG, "epoch_rounds": LONG, "bond": BOND}
    with small_run(chain.url, work, **sizes) as made:
        made.start(0, 1, 2, 3, 4)
        made.wait_step(2)
        yield made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "told"), [(0, signal.SIGINT), (1, signal.SIGTERM)], ids=["Ctrl-C", "kill"]
)
def test_a_client_that_is_told_to_end_leaves_the_run_at_once(
    run: SmallRun, number: int, told: signal.Signals
) -> None:
    client = run.clients.pop(number)
    began = time.monotonic()
    client.process.send_signal(told)
    assert client.process.wait(20) == Code.INTERRUPTED
    assert time.monotonic() - began < LEAVE_SECONDS + LOAD_SECONDS
    member = run.member(number)
    assert member is not None
    assert member.state is MemberState.LEFT
    assert client.last_words() == "interrupted"
    said = (client.home / "client.log").read_text().splitlines()
    assert [line for line in said if line.startswith("holds slot ")], "its person sees what it does"
    assert run.events(number, "stop")
    run.wait_step(run.facts().step + 2)  # the others go on


@pytest.mark.slow
def test_the_bond_that_a_client_deposited_comes_back_when_it_has_left(run: SmallRun) -> None:
    client = run.clients.pop(4)
    member = run.member(4)
    assert member is not None
    assert member.bond_lamports == BOND
    client.process.send_signal(signal.SIGINT)
    assert client.process.wait(20) == Code.INTERRUPTED
    before = run.balance(4)
    run.wait_step(run.facts().step + RECORDS + 1)  # no kept record names it any more

    told = ["rewards", "collect", run.stage.run, "--url", run.stage.url]
    assert psyche([*told, "--wallet", str(run.stage.work / "owner.json")]) == Code.OK

    assert run.balance(4) == before + BOND
    assert run.member(4) is None


@pytest.mark.slow
def test_ctrl_c_ends_a_client_though_the_chain_stands_still(
    run: SmallRun, chain: LocalnetProcess
) -> None:
    client = run.clients.pop(2)
    os.kill(chain.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        client.process.send_signal(signal.SIGINT)
        assert client.process.wait(20) == Code.INTERRUPTED
        assert time.monotonic() - began < LEAVE_SECONDS + LOAD_SECONDS
    finally:
        os.kill(chain.pid, signal.SIGCONT)


@pytest.mark.slow
def test_a_second_ctrl_c_waits_for_nothing(run: SmallRun, chain: LocalnetProcess) -> None:
    client = run.clients.pop(3)
    os.kill(chain.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        client.process.send_signal(signal.SIGINT)
        client.process.send_signal(signal.SIGTERM)  # the same, but the kernel keeps it apart
        assert client.process.wait(20) == Code.INTERRUPTED
        assert time.monotonic() - began < LOAD_SECONDS
    finally:
        os.kill(chain.pid, signal.SIGCONT)
