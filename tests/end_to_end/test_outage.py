"""A chain that stands still or goes away in mid-run: clients wait, say so, and go on."""

import os
import signal
from pathlib import Path

import pytest

from psyche_sdk.localnet import LocalnetProcess, packaged_program
from support.chains import SLOT_MS
from support.small_run import SmallRun, assert_equal_bits, assert_nothing_lost, small_run

STEPS = 8
STILL_STEP, AWAY_STEP = 2, 4


@pytest.mark.slow
def test_clients_wait_for_a_chain_that_stands_still_and_for_one_that_is_restarted(
    tmp_path: Path,
) -> None:
    state = tmp_path / "chain"
    with LocalnetProcess(slot_ms=SLOT_MS, programs=packaged_program(), state=state) as chain:
        port = chain.port
        with small_run(chain.url, tmp_path, steps=STEPS, epoch_rounds=STEPS) as run:
            run.start(0, 1, 2)
            run.wait_step(STILL_STEP)
            os.kill(chain.pid, signal.SIGSTOP)
            try:
                says(run, "no answer")
            finally:
                os.kill(chain.pid, signal.SIGCONT)
            run.wait_step(AWAY_STEP)
            chain.stop()
            says(run, "connection refused")
            with LocalnetProcess(
                port, slot_ms=SLOT_MS, programs=packaged_program(), state=state
            ) as again:
                assert again.port == port
                finishes(run)


def says(run: SmallRun, what: str) -> None:
    """A client logs a line about the chain; one that waits for its transaction says it later."""

    def told() -> bool:
        errors = (event for number in run.clients for event in run.events(number, "error"))
        return any(what in event["message"] for event in errors)

    run.wait(told, f"a client says: {what}")


def finishes(run: SmallRun) -> None:
    """The run goes on to its end as if nothing had been."""
    run.wait_finished()
    facts = run.facts()
    assert facts.step == STEPS
    assert_equal_bits(run)
    assert_nothing_lost(facts)
