"""How near a payload comes to the fewest bytes of its selection, and how fast it is coded.

The bound is log2 of the number of ways to choose so many of each group's coefficients, and a sign
bit each. Bytes are of whole payloads, header included. Uniform: indices and signs by chance, from
100,000 coefficients up, where the goal holds. Training: a model of 33 million parameters after
some steps on text of Python's own library. Speeds are medians of calls in turn, in seconds of one
core, on 200,000 uniform coefficients; the peer is the numpy coder of version 1 of payloads
(Rice-coded gaps), which came to 1.02 to 1.05 of the bound.

    python -m benchmarks.codec [--json]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from math import comb, log2

import numpy as np

from benchmarks import rice, rows, training
from benchmarks.rows import Row
from psyche_client.optim import Form, PayloadHeader, Selection, body, encode, native
from psyche_client.optim.codec import VERSION

GROUP = 4_096
TOPKS = (2, 4, 8, 16, 32, 64)
#: The goal of bytes is set for so many coefficients and more; below, the header weighs more.
PROMISED_FROM = 100_000
COEFFICIENTS = 200_000
#: Calls of which the median counts, each coder's in turn.
CALLS = 9
HEADER = PayloadHeader(
    instance=bytes(32), epoch=0, round=0, slot=0, member_id=1, layout_digest=bytes(32)
)


def table() -> Iterator[tuple[str, ...]]:
    """The rows as a table."""
    return rows.table(measure())


def measure() -> Iterator[Row]:
    """Sizes, then speeds."""
    for topk in TOPKS:
        form = Form(coefficients=-(-PROMISED_FROM // topk) * GROUP, topk=topk)
        yield size_row(f"bits each, k = {topk}, uniform", form, random_selection(form))
    for step, topk, form, selection in training.selections(TOPKS):
        yield size_row(f"bits each, k = {topk}, training, step {step}", form, selection)
    for topk in TOPKS:
        yield from speed_rows(topk)


def size_row(name: str, form: Form, selection: Selection) -> Row:
    """A payload's bits a coefficient beside the least."""
    sent = len(selection.indices)
    ours = 8 * len(encode(HEADER, selection, form)) / sent
    counted = zip(form.sizes.tolist(), selection.counts.tolist(), strict=True)
    peer = sum(log2(comb(size, count)) + count for size, count in counted) / sent
    ratio, promised = ours / peer, sent >= PROMISED_FROM
    return Row(
        name=name,
        ours=ours,
        peer=peer,
        ratio=ratio,
        goal="at most 1.01" if promised else "",
        holds=ratio <= 1.01 if promised else None,
    )


def rice_bits() -> dict[int, float]:
    """Bits a uniform coefficient, by k, of the coder of version 1, with the header of today."""
    found = {}
    for topk in TOPKS:
        form = Form(coefficients=-(-PROMISED_FROM // topk) * GROUP, topk=topk)
        selection = random_selection(form)
        header = len(encode(HEADER, selection, form)) - len(body.encode(selection, form))
        sent = len(selection.indices)
        found[topk] = 8 * (header + len(rice.encode(selection, form))) / sent
    return found


def random_selection(form: Form) -> Selection:
    """Every group at its limit, indices and signs by chance."""
    rng = np.random.default_rng(1)
    parts = [
        np.sort(rng.choice(int(size), int(limit), replace=False))
        for size, limit in zip(form.sizes, form.limits, strict=True)
    ]
    indices = np.concatenate(parts).astype(np.uint16)
    values = rng.choice(np.array([-1, 1], np.int16), len(indices))
    return Selection(form.limits.astype(np.uint16), indices, values)


def speed_rows(topk: int) -> Iterator[Row]:
    """Million coefficients a second of each coder, beside the peer's."""
    form = Form(coefficients=COEFFICIENTS // topk * GROUP, topk=topk)
    selection = random_selection(form)
    sent, rust = len(selection.indices), native.load(VERSION)
    made, peer_made = body.encode(selection, form), rice.encode(selection, form)
    assert rice.decode(peer_made, form).equals(selection)
    encoders: dict[str, Callable[[], object]] = {
        "peer": lambda: rice.encode(selection, form),
        "numpy": lambda: body.encode(selection, form),
    }
    decoders: dict[str, Callable[[], object]] = {
        "peer": lambda: rice.decode(peer_made, form),
        "numpy": lambda: body.decode(made, form, sent),
    }
    if rust is not None:
        encoders["Rust"] = lambda: native.encode(rust, selection, form)
        decoders["Rust"] = lambda: native.decode(rust, made, form, sent)
    for what, calls, least in (("encode", encoders, 25), ("decode", decoders, 50)):
        speeds = {name: sent / seconds / 1e6 for name, seconds in interleaved(calls).items()}
        for name in [name for name in ("Rust", "numpy") if name in speeds]:
            promised = name == "Rust"
            yield Row(
                name=f"{what}, {name}, M/s, k = {topk}",
                ours=speeds[name],
                peer=speeds["peer"],
                ratio=speeds[name] / speeds["peer"],
                goal=f"at least {least} M/s" if promised else "",
                holds=speeds[name] >= least if promised else None,
            )


def interleaved(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of a core for each call, taken in turn: the machine's moods hit all alike."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(CALLS + 1):
        for name, call in calls.items():
            start = time.thread_time()
            call()
            if number:  # the first one warms up
                times[name].append(time.thread_time() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


if __name__ == "__main__":
    sys.exit(rows.main(measure))
