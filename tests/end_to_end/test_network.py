"""One network on each kind of chain: created from Python, trained by three processes."""

from pathlib import Path

import pytest

from psyche_sdk.localnet import packaged_program
from support.chains import CHAIN_KINDS, chain
from support.small_run import assert_equal_bits, assert_nothing_lost, small_run


@pytest.mark.slow
@pytest.mark.parametrize("kind", CHAIN_KINDS)
def test_three_processes_train_a_run_to_its_end_with_equal_bits(kind: str, tmp_path: Path) -> None:
    with chain(kind, packaged_program()) as here, small_run(here.url, tmp_path) as run:
        run.start(0, 1, 2)
        run.wait_finished()
        facts = run.facts()
        assert facts.step == run.stage.config.rounds.total_steps
        assert_equal_bits(run)
        assert_nothing_lost(facts)
        assert facts.sequences["repeated"] == facts.sequences["in_flight"] == 0
        committed = [len(run.events(number, "committed")) for number in run.clients]
        assert all(committed), "every client did a part"


MEANS = """
rule = "mean"
local_steps = 2
local_learning_rate = 0.0
local_state = "kept"
value_exponent = 3
vote_cap = 0
"""


@pytest.mark.slow
def test_members_of_a_run_of_means_end_with_equal_bits(tmp_path: Path) -> None:
    with (
        chain("localnet", packaged_program()) as here,
        small_run(here.url, tmp_path, update=MEANS) as run,
    ):
        run.start(0, 1, 2)
        run.wait_finished()
        assert run.facts().step == run.stage.config.rounds.total_steps
        assert_equal_bits(run)
        assert_nothing_lost(run.facts())
        losses = [event["loss"] for event in run.events(0, "committed")]
        assert losses[-1] < losses[0]
