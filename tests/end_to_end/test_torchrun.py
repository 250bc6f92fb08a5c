"""Processes of `torchrun` are one member of a run, to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from psyche_sdk.localnet import LocalnetProcess, packaged_program
from support.chains import SLOT_MS
from support.small_run import assert_equal_bits, assert_nothing_lost, small_run
from support.torchrun import MODULE


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]), prepend=":")


@pytest.mark.slow
def test_clients_of_one_process_or_two_train_a_run_to_its_end_with_equal_bits(
    tmp_path: Path,
) -> None:
    with (
        LocalnetProcess(slot_ms=SLOT_MS, programs=packaged_program()) as chain,
        small_run(chain.url, tmp_path) as run,
    ):
        run.start(0)
        run.start(1, module=MODULE)
        run.start(2, module=MODULE, more=["--shard"])
        run.wait_finished()

        facts = run.facts()
        assert facts.step == run.stage.config.rounds.total_steps
        assert_equal_bits(run)
        assert_nothing_lost(facts)
        slots = {event["slot"] for number in run.clients for event in run.events(number, "joined")}
        settled = run.events(0, "settled")
        assert len(slots) == len(run.clients), "the ranks of a client are one member"
        assert len(settled) == facts.step
        for number in run.clients:
            (joined,) = run.events(number, "joined")
            assert any(joined["slot"] in one["accepted"] for one in settled)
            assert not run.events(number, "resync"), "equal all the way, not by a vote"
