"""Two processes as one client: the payload that one would send, and no bit of the parameters."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from psyche_client.cli.errors import Code
from psyche_client.optim.rule import UpdateRule
from psyche_client.options import Compute
from psyche_client.ranks import Ranks, lead
from psyche_client.trainer import Trainer
from support.client import CAPACITY, INSTANCE, PAYLOAD_BYTES_MAX, key, tiny_document, tokens

#: DDP imports for seconds what test_trainer.py imports, too.
pytestmark = pytest.mark.xdist_group("shapes")

COMMON_MIN = 0.99
"""Of the indices that one process or two select, how many both do; and signs of those are equal."""
FOLLOWER = ["-m", "psyche_client.cli", "join", "a/b"]


@contextlib.contextmanager
def second(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that is rank 1, where this one is rank 0, as torchrun would have it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (place | {"RANK": "0"}).items():
            patch.setenv(name, value)
        child = subprocess.Popen(
            [sys.executable, *arguments],
            env=dict(os.environ) | {"RANK": "1", "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield child
        finally:
            child.kill()
            child.communicate()


def trainer_of(ranks: Ranks | None, *, shard: bool = False, local_steps: int = 1) -> Trainer:
    document = tiny_document()
    values = UpdateRule.from_value({**document.update_rule, "schedule": dict(document.schedule)})
    changed = replace(values, local_steps=local_steps).to_value()
    del changed["schedule"]
    return Trainer(
        replace(
            document,
            architecture=replace(document.architecture, num_hidden_layers=2),
            update_rule=changed,
        ),
        instance=INSTANCE,
        members_max=CAPACITY,
        payload_bytes_max=PAYLOAD_BYTES_MAX,
        compute=Compute(micro_batch=2, shard=shard),
        ranks=ranks,
    )


def agree(alone: Trainer, together: Trainer, number: int, count: int) -> None:
    """Both train the same share of a round, and apply what one of them sent."""
    sequences, at = tokens(number, count), key(number, 1)
    one, two = alone.train(sequences, at), together.train(sequences, at)
    first, second = alone.read(one.payload, at), together.read(two.payload, at)
    assert first is not None
    assert second is not None
    signs = [dict(zip(s.indices.tolist(), s.values.tolist(), strict=True)) for s in (first, second)]
    common = signs[0].keys() & signs[1].keys()

    assert len(common) >= COMMON_MIN * len(signs[0].keys() | signs[1].keys())
    assert all(signs[0][index] == signs[1][index] for index in common)
    assert abs(one.loss - two.loss) < 1e-5
    assert one.tokens == two.tokens

    for trainer in (alone, together):
        trainer.settle((0, number), number, [(at, one.payload)])
    assert alone.digest(number + 1) == together.digest(number + 1)


def ended(other: subprocess.Popen[str]) -> tuple[int, str]:
    _, words = other.communicate(timeout=60)
    return other.returncode, words


def test_two_ranks_send_what_one_would() -> None:
    with second(FOLLOWER) as child:
        with lead(2) as ranks:
            for shard, local_steps in [(False, 1), (True, 1), (False, 2), (True, 2)]:
                alone = trainer_of(None, local_steps=local_steps)
                together = trainer_of(ranks, shard=shard, local_steps=local_steps)
                child.send_signal(signal.SIGINT)  # rank 0 alone decides what Ctrl-C does
                # Several passes and equal parts; a rank with one sequence more; a rank with none.
                for number, count in enumerate([8, 7, 1]):
                    agree(alone, together, number, count)

        assert ended(child) == (Code.OK, "")


def test_a_rank_ends_with_rank_0() -> None:
    with second(FOLLOWER) as child:
        first = [sys.executable, "-c", "from psyche_client.ranks import Ranks; Ranks()"]
        subprocess.run(first, timeout=100, check=True, stderr=subprocess.DEVNULL)

        code, words = ended(child)

    assert code == Code.INTERNAL
    assert words.startswith("error: rank 0 gave no more work: ")
