"""Bloom filters of virtual witnesses: right ones, and such as lie."""

from __future__ import annotations

from collections.abc import Collection

from psyche_sdk._rules.bloom import Filter, Form
from support.simulator.chain import SimulatedChain
from support.simulator.snapshot import Record

#: How a witness lies: a filter fuller than any honest one, or just as full as one may be; one of
#: another witness; one made before the entropy was known; one of other payloads.
LIES = ("too full", "full", "copied", "foreseen", "other payloads")


def filter_of(
    world: SimulatedChain, target: Record, slot: int, held: Collection[int], *, lying: bool
) -> bytes:
    """The filter of what a witness holds, if it does not lie."""
    seldom = sorted(LIES, key=lambda one: (world.met[f"filter: {one}"], world.rng.random()))
    lie = seldom[0] if lying else ""
    world.met[f"filter: {lie or 'right'}"] += 1
    count = target.number("committed")
    form = Form.of(count, world.config.bloom_false_positive_ppm)
    if lie in ("too full", "full"):
        ones = min(form.ones_max(count) + (lie == "too full"), form.bits)
        return ((1 << ones) - 1).to_bytes(form.bytes, "little")
    elected = [one for one, _ in target.witnesses()]
    place = elected.index(slot) if slot in elected else 0
    entropy = target.hash("redraw_entropy" if target.number("draws") > 1 else "entropy")
    own = Filter.of(
        form,
        instance=world.now.hash("instance"),
        epoch=target.key[0],
        round_=target.key[1],
        entropy=bytes(32) if lie == "foreseen" else entropy,
        witness=(place + (lie == "copied")) % 32,
    )
    told = [one for one in held if world.rng.random() < 0.5] if lie == "other payloads" else held
    commitments = target.commitments()
    return own.made_of((one, commitments[one].tobytes()) for one in told)
