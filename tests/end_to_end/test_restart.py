"""Clients that are killed come back over what lies on their disks, and the run goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from psyche_sdk._rules.roster import MemberState
from psyche_sdk.localnet import packaged_program
from support.chains import chain
from support.small_run import SmallRun, assert_equal_bits, assert_nothing_lost, small_run

STEPS = 10
EPOCH_ROUNDS = 5
KILL_STEP = 7  # in the second epoch, so that there is an agreed state to go on from


@pytest.fixture
def run(tmp_path: Path) -> Iterator[SmallRun]:
    with (
        chain("localnet", packaged_program()) as here,
        small_run(here.url, tmp_path, steps=STEPS, epoch_rounds=EPOCH_ROUNDS) as made,
    ):
        yield made


@pytest.mark.slow
def test_a_run_whose_every_client_was_killed_goes_on_from_the_disks(run: SmallRun) -> None:
    run.start(0, 1, 2)
    run.wait_step(KILL_STEP)
    for client in run.clients.values():
        client.kill()
    before = run.facts()
    assert KILL_STEP <= before.step < STEPS
    held = {number: run.member(number) for number in run.clients}
    run.start(0, 1, 2)
    run.wait_finished()
    facts = run.facts()
    assert facts.step == STEPS
    assert_equal_bits(run)
    assert_nothing_lost(facts)
    assert facts.sequences["repeated"] == facts.sequences["in_flight"] == 0
    assert run.events(0, "round")[-1]["accepted"] == len(run.clients), "they found each other again"
    for number, member in held.items():
        assert member is not None
        fetched = [event["what"] for event in run.events(number, "fetched")]
        assert "piece" not in fetched, "the agreed parameters lay on its disk"
        assert len(run.events(number, "joined")) == 1, "it came back into the slot that it held"
        assert [event["step"] for event in run.events(number, "momentum")] == [EPOCH_ROUNDS]


@pytest.mark.slow
def test_a_client_that_is_restarted_alone_comes_back_and_ends_in_step(run: SmallRun) -> None:
    run.start(0, 1, 2)
    run.wait_step(KILL_STEP)
    run.clients[2].kill()
    before = run.member(2)
    run.start(2)
    run.wait_finished()
    after = run.member(2)
    assert before is not None
    assert after is not None
    assert run.facts().step == STEPS
    assert_equal_bits(run)
    assert_nothing_lost(run.facts())
    assert after.state is MemberState.LEFT, "who is done hands its slot back"
    if before.member_id == after.member_id:
        assert after.slot == before.slot
    assert "piece" not in [event["what"] for event in run.events(2, "fetched")]
    assert [event["step"] for event in run.events(2, "momentum")] == [EPOCH_ROUNDS]
