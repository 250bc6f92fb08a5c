"""Order of the data and backlog: what the rules in Rust answer, and properties of their own."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyche_sdk._rules.backlog import Backlog, Interval
from psyche_sdk._rules.permutation import Permutation
from support.golden import golden

SEED = bytes(range(32))


@pytest.mark.parametrize("case", golden("permutation", "cases"))
def test_the_order_of_the_data_agrees(case: dict[str, Any]) -> None:
    order = Permutation(bytes.fromhex(case["data_seed"]), case["pass"], case["n"])
    ids = order.sequence_ids(np.array(case["offsets"], np.uint64))
    assert ids.tolist() == case["sequence_ids"]
    assert order.positions(ids).tolist() == case["offsets"]


@pytest.mark.parametrize("n", [1, 300, 65_537])
def test_a_pass_visits_every_sequence_once(n: int) -> None:
    ids = Permutation(SEED, 0, n).sequence_ids(np.arange(n))
    assert sorted(ids.tolist()) == list(range(n))


@given(n=st.integers(1000, 2**64 - 1), index=st.integers(0, 2**64 - 1))
def test_the_inverse_leads_back(n: int, index: int) -> None:
    order = Permutation(SEED, 3, n)
    sequence = order.sequence_ids(np.array(index % n, np.uint64))
    assert sequence < n
    assert int(order.positions(sequence)) == index % n


def test_the_shape_of_positions_is_kept() -> None:
    positions = np.arange(12, dtype=np.uint64).reshape(3, 4)
    assert Permutation(SEED, 0, 5000).sequence_ids(positions).shape == (3, 4)
    assert Permutation(SEED, 0, 5000).sequence_ids(np.array([], np.uint64)).shape == (0,)


def test_an_empty_data_set_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sequence"):
        Permutation(SEED, 0, 0)


@pytest.mark.parametrize("row", golden("backlog", "rows"), ids=lambda row: row["entries"])
def test_the_backlog_agrees_after_every_step(row: dict[str, Any]) -> None:
    backlog = Backlog(row["entries"])
    cursor = 0
    for step in row["steps"]:
        taken = backlog.take(step["batch"], cursor)
        cursor += taken.fresh
        assert [list(one) for one in taken.segments] == step["segments"]
        assert (taken.sequences, taken.fresh) == (step["sequences"], step["fresh"])
        assert [list(one) for one in backlog.intervals] == step["after_taking"]
        for first, end, repeated, overlapped in step["given"]:
            returned = backlog.give_back_share(taken.segments, first, end)
            assert returned == (repeated, overlapped)
        assert [list(one) for one in backlog.intervals] == step["after_giving"]


@given(
    entries=st.integers(3, 8),
    given_back=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 20)), max_size=30),
)
def test_the_backlog_loses_no_position(entries: int, given_back: list[tuple[int, int]]) -> None:
    backlog = Backlog(entries)
    expected: set[int] = set()
    for start, length in given_back:
        expected |= set(range(start, start + length))
        backlog.give_back(Interval(start, start + length))
    held = {position for start, end in backlog.intervals for position in range(start, end)}
    assert expected <= held
    assert len(held) == backlog.positions
    assert len(backlog.intervals) < entries
