"""How near a payload comes to the fewest bytes that its choice of coefficients can take.

The bound is log2 of the number of ways to choose k of 4,096, and a sign bit each. Bytes are of
whole payloads, header included. Times are the best of several runs over the same selection.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import lgamma, log

import numpy as np

from benchmarks.timing import best_seconds
from psyche_client.optim import (
    Expectation,
    Form,
    Layout,
    PayloadHeader,
    Selection,
    decode,
    encode,
)

GROUP = 4_096
SHAPES = {f"layers.{n}.weight": (1_024, 1_024) for n in range(4)}
TOPKS = (4, 8, 32, 64)


def table() -> Iterator[tuple[str, ...]]:
    """A row for each k."""
    yield "k of 4,096", "coefficients", "bits each", "bound", "ratio", "encode M/s", "decode M/s"
    yield ("---",) * 7
    layout = Layout.from_shapes(SHAPES)
    for topk in TOPKS:
        form = layout.form(topk)
        selection = random_selection(form)
        header = PayloadHeader(
            instance=bytes(32), epoch=0, round=0, slot=0, member_id=1, layout_digest=layout.digest()
        )
        data = encode(header, selection, form)
        expect = Expectation(
            instance=bytes(32),
            epoch=0,
            round=0,
            slot=0,
            member_id=1,
            layout_digest=layout.digest(),
            form=form,
            bytes_max=form.bytes_max,
        )
        assert decode(data, expect).equals(selection)
        count = len(selection.indices)
        encoded = best_seconds(lambda s=selection, f=form, h=header: encode(h, s, f))
        decoded = best_seconds(lambda d=data, e=expect: decode(d, e))
        each, least = 8 * len(data) / count, bound_bits(topk)
        yield (
            f"{topk}",
            f"{count:,}",
            f"{each:.3f}",
            f"{least:.3f}",
            f"{each / least:.4f}",
            f"{count / encoded / 1e6:.1f}",
            f"{count / decoded / 1e6:.1f}",
        )


def bound_bits(topk: int) -> float:
    """Least bits a coefficient: (log2 C(4096, k) + k) / k."""
    ways = lgamma(GROUP + 1) - lgamma(topk + 1) - lgamma(GROUP - topk + 1)
    return (ways / log(2) + topk) / topk


def random_selection(form: Form) -> Selection:
    """Every group at its limit, indices and signs by chance."""
    rng = np.random.default_rng(1)
    parts = [
        np.sort(rng.choice(int(size), int(limit), replace=False))
        for size, limit in zip(form.sizes, form.limits, strict=True)
    ]
    indices = np.concatenate(parts).astype(np.uint16)
    signs = rng.choice(np.array([-1, 1], np.int8), len(indices))
    return Selection(form.limits.astype(np.uint16), indices, signs)
