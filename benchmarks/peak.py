"""Prints the MiB that two rounds need beyond parameters and gradients, and those of parameters.

A process of its own, for the kernel keeps one high-water mark a process:

    python -m benchmarks.peak K
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from benchmarks.transform import MEMBERS, random_gradients
from psyche_client.optim import DisTrO, Layout, UpdateRule

SHAPES = {f"layers.{n}.weight": (2_048, 2_048) for n in range(8)}
SMALL = {"w": (512, 512)}


def resident(key: str) -> int:
    """KiB, `VmRSS` now or `VmHWM` since the mark was last lowered."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def rounds(
    shapes: dict[str, tuple[int, int]], rule: UpdateRule, tensors: list[dict[str, torch.Tensor]]
) -> None:
    """Two rounds of one member; the second finds the first still in flight."""
    parameters, gradients = tensors
    layout = Layout.from_shapes(shapes)
    optimizer = DisTrO(layout, rule)
    for now in range(2):
        selection = optimizer.generate(gradients, (0, now))
        optimizer.update(parameters, [selection] * MEMBERS, 1 << 20)


def main() -> int:
    """Warms up on a small layout, so that libraries and their buffers do not count."""
    torch.set_num_threads(1)
    rule = UpdateRule(topk=int(sys.argv[1]), weight_decay_micro=100_000)
    rounds(SMALL, rule, [random_gradients(SMALL, seed) for seed in (1, 2)])
    tensors = [random_gradients(SHAPES, seed) for seed in (1, 2)]
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # lowers the mark to now
    before = resident("VmRSS")
    rounds(SHAPES, rule, tensors)
    parameters = sum(tensor.nbytes for tensor in tensors[0].values())
    print((resident("VmHWM") - before) / 1024, parameters / (1 << 20))
    return 0


if __name__ == "__main__":
    sys.exit(main())
