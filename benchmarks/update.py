"""What an update costs beyond the gradient, on one thread of the processor.

`generate` takes a gradient to a selection of coefficients; `aggregate and apply` takes the
selections of four payloads to moved parameters. The best of several runs counts.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.timing import best_seconds
from psyche_client.optim import Layout, UpdateRule
from psyche_client.optim.distro import DisTrO

SIZES = {"4 x 512 x 512": (4, 512), "4 x 1,024 x 1,024": (4, 1_024)}
TOPKS = (8, 32)
MEMBERS = 4


def table() -> Iterator[tuple[str, ...]]:
    """A row for each size and k."""
    yield "parameters", "k", "generate Mparam/s", "aggregate and apply 4, Mparam/s"
    yield ("---",) * 4
    torch.set_num_threads(1)
    for name, (layers, edge) in SIZES.items():
        shapes = {f"layers.{n}.weight": (edge, edge) for n in range(layers)}
        for topk in TOPKS:
            made, moved = _seconds(shapes, topk)
            count = layers * edge * edge / 1e6
            yield name, f"{topk}", f"{count / made:.0f}", f"{count / moved:.0f}"


def _seconds(shapes: dict[str, tuple[int, int]], topk: int) -> tuple[float, float]:
    rule = UpdateRule(topk=topk)
    layout = Layout.from_shapes(shapes, embeddings=rule.embeddings)
    optimizer = DisTrO(layout, rule)
    generator = torch.Generator().manual_seed(1)
    gradients = [
        {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
        for _ in range(MEMBERS)
    ]
    parameters = {name: torch.zeros(shape) for name, shape in shapes.items()}
    step = iter(range(1_000_000))

    def generate(member: int = 0) -> object:
        key = (0, next(step))
        selection = optimizer.generate(gradients[member], key)
        optimizer.settled(key, accepted=True)
        return selection

    selections = [generate(member) for member in range(MEMBERS)]

    def update() -> None:
        optimizer.apply(parameters, optimizer.aggregate(selections), 1 << 20)  # type: ignore[arg-type]  # selections by `generate`

    return best_seconds(generate), best_seconds(update)
