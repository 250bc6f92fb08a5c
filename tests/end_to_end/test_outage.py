"""A chain that stands still or goes away in mid-run: clients wait, say so, and go on."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from psyche_sdk.localnet import LocalnetProcess, packaged_program
from psyche_sdk.views import Phase, decode_run
from support.chains import SLOT_MS
from support.small_run import SmallRun, assert_equal_bits, assert_nothing_lost, small_run

STEPS, EPOCH_ROUNDS = 8, 3
ROUND_STEP = 7  # in the last epoch


@contextmanager
def stopped(chain: LocalnetProcess) -> Iterator[None]:
    """The chain's process stands still; it keeps its connections."""
    os.kill(chain.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(chain.pid, signal.SIGCONT)


@pytest.mark.slow
def test_clients_wait_for_a_chain_that_stands_still_and_for_one_that_is_restarted(
    tmp_path: Path,
) -> None:
    state = tmp_path / "chain"

    def start(port: int = 0) -> LocalnetProcess:
        return LocalnetProcess(port, slot_ms=SLOT_MS, programs=packaged_program(), state=state)

    with ExitStack() as stack:
        chain = stack.enter_context(start())
        run = stack.enter_context(
            small_run(chain.url, tmp_path, steps=STEPS, epoch_rounds=EPOCH_ROUNDS)
        )
        run.start(0, 1, 2)
        # Between two epochs, where clients only look: who has sent something waits for it and
        # says nothing for a minute and a half.
        waits_for_members(run, epoch=1)
        with stopped(chain):
            says(run, "no answer")
        waits_for_members(run, epoch=2)
        chain.stop()
        says(run, "connection refused")
        chain = stack.enter_context(start(chain.port))
        # And in mid-round.
        run.wait_step(ROUND_STEP)
        chain.stop()
        stack.enter_context(start(chain.port))
        finishes(run)


def waits_for_members(run: SmallRun, *, epoch: int) -> None:
    """The run has come to the pause before an epoch."""

    def there() -> bool:
        now = decode_run(run.snapshot().run.data)
        return now.epoch == epoch and now.phase is Phase.WAITING_FOR_MEMBERS

    run.wait(there, f"epoch {epoch} is near")


def says(run: SmallRun, what: str) -> None:
    """A client logs a line about the chain."""

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
