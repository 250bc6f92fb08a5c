"""What an update costs beyond the gradient, beside pytorch-optimizer's DeMo, on one thread.

Whole: gather, clip, decay, transform, select, zero and encode, then aggregate and apply 4 payloads;
by the Rust extension where it is installed, and by torch alone.
The peer's whole step with 4 payloads, none of which is sent or received; it neither clips nor
encodes. "No exchange" is its step for a member alone, which leaves aggregation out. Speeds are in
million parameters a second of one core; the best of several calls, ours and the peer's in turn.
Memory is the peak that the kernel saw in a process of its own.

    python -m benchmarks.transform [--json]
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks import rows
from benchmarks.peer import Peer
from benchmarks.rows import Row
from psyche_client.optim import (
    DisTrO,
    Layout,
    PayloadHeader,
    Selection,
    UpdateRule,
    encode,
    native,
)

SIZES = {"4 x 512 x 512": (4, 512), "4 x 1,024 x 1,024": (4, 1_024)}
TOPKS = (8, 32)
MEMBERS = 4
CALLS = 12
Shapes = dict[str, tuple[int, int]]


def table() -> Iterator[tuple[str, ...]]:
    """The rows as a table."""
    return rows.table(measure())


def measure() -> Iterator[Row]:
    """Speeds for each k and size, then memory."""
    torch.set_num_threads(1)
    for topk in TOPKS:
        for size, (layers, edge) in SIZES.items():
            shapes = {f"layers.{n}.weight": (edge, edge) for n in range(layers)}
            yield from _speed_rows(f"k = {topk}, {size}", shapes, topk)
    for topk in TOPKS:
        yield _memory_row(topk)


def random_gradients(shapes: Shapes, seed: int) -> dict[str, Tensor]:
    """Normal numbers, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def selections_of(layout: Layout, rule: UpdateRule, shapes: Shapes, count: int) -> list[Selection]:
    """What so many members with different gradients would send."""
    found = []
    optimizer = DisTrO(layout, rule)
    for seed in range(count):
        optimizer.reset()
        found.append(optimizer.generate(random_gradients(shapes, seed), (0, 0)))
    return found


def interleaved(
    calls: dict[str, Callable[[], object]], prepare: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Least seconds of a core for each call, in turn, so that the machine's moods hit all alike."""
    best = dict.fromkeys(calls, float("inf"))
    for number in range(CALLS + 1):
        prepare()
        for name, call in calls.items():
            start = time.thread_time()
            call()
            if number:  # the first one warms up
                best[name] = min(best[name], time.thread_time() - start)
    return best


def engines() -> dict[str, bool]:
    """What computes here, and whether that is the extension."""
    return {"Rust": True, "torch": False} if native.TRANSFORM else {"torch": False}


def _speed_rows(where: str, shapes: Shapes, topk: int) -> Iterator[Row]:
    rule = UpdateRule(topk=topk, weight_decay_micro=100_000)
    layout = Layout.from_shapes(shapes)
    gradients = random_gradients(shapes, 99)
    selections = selections_of(layout, rule, shapes, MEMBERS)
    peer, alone = (Peer(gradients, topk=topk, members=members) for members in (MEMBERS, 1))

    def prepare() -> None:
        peer.prepare()
        alone.prepare()

    calls: dict[str, Callable[[], object]] = {"peer": peer.step, "alone": alone.step}
    for engine, compiled in engines().items():
        optimizer = DisTrO(layout, rule, compiled=compiled)
        for name, call in _parts(optimizer, gradients, list(selections)).items():
            calls[f"{name}, {engine}"] = call
    seconds = interleaved(calls, prepare)
    for engine in engines():
        yield from _engine_rows(where, engine, seconds, layout.parameters / 1e6)


def _parts(
    optimizer: DisTrO, gradients: dict[str, Tensor], selections: list[Selection]
) -> dict[str, Callable[[], object]]:
    """What a round computes beyond the gradient, in three calls."""
    parameters = {name: torch.zeros_like(one) for name, one in gradients.items()}
    digest = optimizer.layout.digest()
    header = PayloadHeader(
        instance=bytes(32), epoch=0, round=0, slot=0, member_id=1, layout_digest=digest
    )

    def generate() -> None:
        optimizer.settled((0, 0), accepted=True)
        selections[0] = optimizer.generate(gradients, (0, 0))

    return {
        "generate": generate,
        "encode": lambda: encode(header, selections[0], optimizer.form_at(0)),
        "update": lambda: optimizer.update(parameters, selections, 1 << 20),
    }


def _engine_rows(
    where: str, engine: str, seconds: dict[str, float], millions: float
) -> Iterator[Row]:
    update = seconds[f"update, {engine}"]
    sending = seconds[f"generate, {engine}"] + seconds[f"encode, {engine}"]
    for name, took, beside in (
        ("whole", sending + update, "peer"),
        ("whole, peer without exchange", sending + update, "alone"),
        ("generate and encode", sending, "peer"),
        ("aggregate and apply", update, "peer"),
    ):
        ratio = seconds[beside] / took
        promised = name == "whole" and engine == "Rust"
        yield Row(
            name=f"{name}, {engine}, {where}",
            ours=millions / took,
            peer=millions / seconds[beside],
            ratio=ratio,
            goal="at least 3 times" if promised else "",
            holds=ratio >= 3 if promised else None,
        )


def _memory_row(topk: int) -> Row:
    """Ours: MiB at the peak of two rounds beyond parameters and gradients. Peer: MiB of those."""
    child = [sys.executable, "-m", "benchmarks.peak", str(topk)]
    ours, parameters = map(float, subprocess.check_output(child, text=True).split())
    ratio = ours / parameters
    return Row(
        name=f"memory beyond parameters and gradients, MiB, to parameters, k = {topk}",
        ours=ours,
        peer=parameters,
        ratio=ratio,
        goal="at most 1.2 x parameters",
        holds=ratio <= 1.2,
    )


if __name__ == "__main__":
    sys.exit(rows.main(measure))
