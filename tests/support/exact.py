"""The bits of fixed updates, to compare machines: `python exact.py COUNT` prints their hash.

The name of torch's kernels stands before it.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from psyche_client.optim import DisTrO, Layout, selftest
from support.optim import SHAPES, random_selection, small_rule

#: More than one tile, and one that ends within a selection group.
WIDE: dict[str, tuple[int, ...]] = {**SHAPES, "wide.weight": (832, 1024)}


def digest(count: int, *, device: str = "cpu", reverse: bool = False) -> str:
    """sha256 of the parameters after updates by `count` payloads, signs and whole numbers.

    torch finds it, and so does the extension where it is installed. Nothing that goes in comes
    from torch, whose random numbers differ between processors.
    """
    found = [_digest(count, device, reverse, compiled=compiled) for compiled in (False, True)]
    assert found[0] == found[1], "torch and the extension differ"
    return found[0]


def _digest(count: int, device: str, reverse: bool, *, compiled: bool) -> str:
    rng = np.random.default_rng(7)
    found = hashlib.sha256()
    for cap, value_bits in ((0, 1), (1, 1), (0, 12), (2_500, 12)):
        rule = small_rule(vote_cap=cap, value_bits=value_bits, topk=64, weight_decay_micro=100_000)
        replica = DisTrO(
            Layout.from_shapes(WIDE),
            rule,
            members_max=count,
            device=torch.device(device),
            compiled=compiled,
        )
        selections = [random_selection(seed, replica.form_at(0)) for seed in range(count)]
        given = {n: rng.standard_normal(s, np.float32) for n, s in sorted(WIDE.items())}
        parameters = {name: torch.from_numpy(one).to(device) for name, one in given.items()}
        ordered = selections[::-1] if reverse else selections
        replica.update(parameters, ordered, rule.schedule.peak)
        for one in parameters.values():
            found.update(one.cpu().numpy().tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    selftest.check()
    sys.stdout.write(f"{torch.backends.cpu.get_cpu_capability()} {digest(int(sys.argv[1]))}")
