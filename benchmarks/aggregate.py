"""What aggregation costs from 2 to 256 payloads, beside pytorch-optimizer's DeMo, on one thread.

Ours: `update`, that is votes, inverse transform, signs, weight decay and the parameters' move.
The peer: its whole step with as many payloads less its whole step without exchange, so its
parameters' move does not count. Milliseconds of one core, the best of several calls in turn;
the ratio is the peer's to ours. 4 x 512 x 512 parameters, k = 32.

    python -m benchmarks.aggregate [--json]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import torch

from benchmarks import rows
from benchmarks.peer import Peer
from benchmarks.rows import Row
from benchmarks.transform import interleaved, random_gradients, selections_of
from psyche_client.optim import DisTrO, Layout, UpdateRule

SHAPES = {f"layers.{n}.weight": (512, 512) for n in range(4)}
COUNTS = (2, 4, 8, 16, 32, 64, 128, 256)
TOPK = 32


def table() -> Iterator[tuple[str, ...]]:
    """The rows as a table."""
    return rows.table(measure())


def measure() -> Iterator[Row]:
    """A row for each number of payloads."""
    torch.set_num_threads(1)
    rule = UpdateRule(topk=TOPK, weight_decay_micro=100_000)
    layout = Layout.from_shapes(SHAPES)
    optimizer = DisTrO(layout, rule)
    parameters = {name: torch.zeros(shape) for name, shape in SHAPES.items()}
    selections = selections_of(layout, rule, SHAPES, COUNTS[-1])
    gradients = random_gradients(SHAPES, 1)
    for count in COUNTS:
        peer, alone = (Peer(gradients, topk=TOPK, members=m) for m in (count, 1))

        def prepare(peers: tuple[Peer, Peer] = (peer, alone)) -> None:
            for one in peers:
                one.prepare()

        seconds = interleaved(
            {
                "ours": lambda n=count: optimizer.update(parameters, selections[:n], 1 << 20),
                "peer": peer.step,
                "alone": alone.step,
            },
            prepare,
        )
        ours, theirs = seconds["ours"] * 1e3, (seconds["peer"] - seconds["alone"]) * 1e3
        yield Row(name=f"{count} payloads, ms", ours=ours, peer=theirs, ratio=theirs / ours)


if __name__ == "__main__":
    sys.exit(rows.main(measure))
