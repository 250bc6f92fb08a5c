"""From positions of a round to the sequences of the run's order."""

from typing import Any

import numpy as np
import pytest

from psyche_client.data.errors import DataError
from psyche_client.work import Workload
from psyche_sdk.views import decode_run, sequence_ids
from support.accounts import run_bytes

SEQUENCES = 50
CONFIG = decode_run(run_bytes(config={"data_sequences": SEQUENCES})).config


class Shards:
    """A corpus whose i-th sequence is full of i."""

    def sequences(self, ids: Any) -> Any:
        assert ids.dtype == np.int64
        if (ids >= SEQUENCES).any():
            raise DataError("there is no such sequence")
        return np.repeat(ids[:, None], 5, axis=1)


@pytest.fixture
def workload() -> Workload:
    return Workload(Shards, CONFIG)  # type: ignore[arg-type]


def test_a_share_is_the_sequences_of_the_runs_order(workload: Workload) -> None:
    positions = np.array([3, 4, 49, 50, 51], np.uint64)
    found = workload.sequences(positions)
    assert found.shape == (5, 5)
    assert found[:, 0].tolist() == sequence_ids(CONFIG, positions).tolist()


def test_a_pass_trains_every_sequence_once(workload: Workload) -> None:
    for start in (0, SEQUENCES):
        positions = np.arange(start, start + SEQUENCES, dtype=np.uint64)
        assert sorted(workload.sequences(positions)[:, 0].tolist()) == list(range(SEQUENCES))
