"""From positions of a round to the sequences of the run's order."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psyche_client.data.errors import DataError
from psyche_client.data.remote import Remote
from psyche_client.data.shards import Shards
from psyche_client.work import Workload
from psyche_sdk.views import decode_run, sequence_ids
from support.accounts import run_bytes
from support.corpus import LENGTH, TOKENS, write_corpus

SEQUENCES = 50
#: So long a place that nobody opens is waited for: then a test fails.
SECONDS_MAX = 5.0
CONFIG = decode_run(run_bytes(config={"data_sequences": SEQUENCES})).config


class Counted:
    """A corpus whose i-th sequence is full of i."""

    def sequences(self, ids: Any) -> Any:
        assert ids.dtype == np.int64
        if (ids >= SEQUENCES).any():
            raise DataError("there is no such sequence")
        return np.repeat(ids[:, None], 5, axis=1)


@pytest.fixture
def workload() -> Workload:
    return Workload(Counted, CONFIG)  # type: ignore[arg-type]


def test_a_share_is_the_sequences_of_the_runs_order(workload: Workload) -> None:
    positions = np.array([3, 4, 49, 50, 51], np.uint64)
    found = workload.sequences(positions)
    assert found.shape == (5, 5)
    assert found[:, 0].tolist() == sequence_ids(CONFIG, positions).tolist()


def test_what_cannot_be_fetched_ahead_is_told_when_it_is_read() -> None:
    def refuse() -> Any:
        raise DataError("nobody has it")

    positions = np.array([3], np.uint64)
    broken = Workload(refuse, CONFIG)
    broken.prefetch(positions)
    with pytest.raises(DataError, match="nobody has it"):
        broken.sequences(positions)


class Slow:
    """A folder as a place of data that answers only while its gate is open."""

    name = "slow"

    def __init__(self, folder: Path) -> None:
        self.folder, self.gate = folder, threading.Event()
        self.asked, self.waited = 0, False

    async def read(self, file: str, start: int, size: int) -> bytes:
        self.asked += 1
        self.waited |= not await asyncio.to_thread(self.gate.wait, SECONDS_MAX)
        return (self.folder / file).read_bytes()[start : start + size]

    async def whole(self, file: str, _bytes_max: int) -> bytes:
        return (self.folder / file).read_bytes()


def test_a_slow_place_makes_nobody_wait_for_what_was_known_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, place = write_corpus(tmp_path), Slow(tmp_path)
    remote, coming = Remote([place]), list[Any]()
    block = remote.block
    monkeypatch.setattr(remote, "block", lambda *some: coming.append(block(*some)) or coming[-1])
    shards = Shards(
        tmp_path / "here",
        tokenizer_sha256=manifest.tokenizer_sha256,
        merkle_root=manifest.merkle_root(),
        remote=remote,
    )
    config = decode_run(run_bytes(config={"data_sequences": shards.count})).config
    workload = Workload(lambda: shards, config)
    order = sequence_ids(config, np.arange(shards.count, dtype=np.uint64))
    for asked, sequence in enumerate((0, 33_000, 37_510)):  # of a block each
        share = np.flatnonzero(order == sequence).astype(np.uint64)
        workload.prefetch(share)  # returns, though nothing comes
        place.gate.set()  # it comes while another share is trained
        for one in coming:
            one.result()
        place.gate.clear()
        first = workload.sequences(share)[0, 0]  # nothing comes any more
        assert first == TOKENS[sequence * LENGTH]
        assert (place.asked, place.waited) == (asked + 1, False)


def test_a_pass_trains_every_sequence_once(workload: Workload) -> None:
    for start in (0, SEQUENCES):
        positions = np.arange(start, start + SEQUENCES, dtype=np.uint64)
        assert sorted(workload.sequences(positions)[:, 0].tolist()) == list(range(SEQUENCES))
