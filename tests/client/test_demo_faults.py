"""A demo's accidents come from its seed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from psyche_client.demo.faults import faults_of

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(2, 16), st.integers(1, 100_000))
def test_somebody_but_the_first_dies_early_and_another_comes_later(
    seed: int, clients: int, steps: int
) -> None:
    faults = faults_of(seed, clients, steps)
    assert faults == faults_of(seed, clients, steps)
    assert 1 <= faults.victim < clients
    assert steps / 10 <= faults.kill_step <= steps / 5 + 1
    assert faults.kill_step <= faults.join_step <= steps / 4 + 1


def test_every_other_client_may_be_the_victim_of_some_seed() -> None:
    assert {faults_of(seed, 4, 100).victim for seed in range(64)} == {1, 2, 3}
    assert len({faults_of(seed, 4, 1000).kill_step for seed in range(64)}) > 30
