"""A second `psyche join` with the wallet of one that runs: one of them goes on, and says so."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from psyche_client.cli.errors import Code
from psyche_client.demo.processes import ClientProcess, stop_all
from psyche_client.events import Event, tail
from psyche_sdk.localnet import packaged_program
from support.chains import chain
from support.small_run import SmallRun, assert_nothing_lost, small_run

LONG = 10_000  # steps: it is not over before the test is


@pytest.fixture
def run(tmp_path: Path) -> Iterator[SmallRun]:
    with (
        chain("localnet", packaged_program()) as here,
        small_run(here.url, tmp_path, steps=LONG, epoch_rounds=LONG) as made,
    ):
        yield made


def again(run: SmallRun, home: Path) -> ClientProcess:
    """Starts a client with the wallet of client 0 in some folder."""
    wallet = run.stage.home(0) / "wallet.json"
    arguments = [
        "join", run.stage.run, "--url", run.stage.url, "--wallet", str(wallet),
        "--home", str(home), "--data", str(run.stage.work / "data"), "--network", "direct",
    ]  # fmt: skip
    return ClientProcess.start("again", home, arguments)


def applied(home: Path) -> list[str]:
    """The chain hashes that a client has arrived at, in order."""
    return [e["chain_hash"] for e in tail(home / "events.jsonl") if e["event"] == "round"]


def committed(home: Path) -> list[Event]:
    """What a client committed to."""
    return [e for e in tail(home / "events.jsonl") if e["event"] == "committed"]


@pytest.mark.slow
def test_a_folder_is_for_one_client_and_a_wallet_goes_on_with_the_newest(run: SmallRun) -> None:
    run.start(0, 1, 2)
    run.wait_step(2)

    home = run.stage.home(0)
    refused = again(run, home)
    assert refused.process.wait(60) == Code.DATA
    assert f"error: another client runs in {home}\n\nhint: stop that one" in refused.last_words()

    elsewhere = run.stage.work / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(home / "model.json", elsewhere)
    older = run.clients.pop(0)
    newer = again(run, elsewhere)
    try:
        assert older.process.wait(60) == Code.USAGE
        assert "error: another client goes on with this wallet" in older.last_words()
        run.wait(lambda: committed(elsewhere), "the newer one trains")
        run.pause()  # after a vote on the parameters
        homes = (elsewhere, *map(run.stage.home, (1, 2)))
        last = run.facts().chain_hash.hex()
        run.wait(
            lambda: all(applied(home)[-1:] == [last] for home in homes),
            "every client has applied the last round",
        )
        stop_all([newer, *run.clients.values()])
    finally:
        newer.kill()
    ends = [list(tail(home / "events.jsonl"))[-1] for home in homes]
    assert len({end["digest"] for end in ends}) == 1
    assert {end["chain_hash"] for end in ends} == {run.facts().chain_hash.hex()}
    assert_nothing_lost(run.facts())
