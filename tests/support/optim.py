"""Small layouts, random tensors and a plain reference of the update, for the optimizer's tests."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from psyche_client.optim import (
    Expectation,
    Form,
    Layout,
    PayloadHeader,
    Schedule,
    Selection,
    UpdateRule,
    rate_units,
)
from psyche_client.optim.distro import DisTrO, clip_scale
from psyche_client.optim.table import BASIS

#: Every kind of tensor: divided evenly, padded, shorter than an edge, 1-D, an embedding.
SHAPES: dict[str, tuple[int, ...]] = {
    "model.embed_tokens.weight": (130, 96),
    "layers.0.attn.weight": (128, 96),
    "layers.0.latent.weight": (67, 128),
    "layers.0.narrow.weight": (24, 40),
    "layers.0.norm.weight": (96,),
    "lm_head.weight": (130, 96),
}


def small_rule(**changes: object) -> UpdateRule:
    """A rule with a constant rate of .01; any field can be changed."""
    fields: dict[str, object] = {"schedule": Schedule(peak=rate_units("0.01"))}
    return UpdateRule(**{**fields, **changes})  # type: ignore[arg-type]


def accumulate(replica: DisTrO, gradients: dict[str, Tensor]) -> None:
    """Takes gradients into the momentum and sends nothing of it."""
    matrices = replica._matrices(gradients)
    scale = clip_scale(matrices, replica.rule)
    for _ in replica._tiled.accumulate(replica.momentum, matrices, scale):
        pass


def random_tensors(
    seed: int, shapes: dict[str, tuple[int, ...]] = SHAPES, scale: float = 1.0
) -> dict[str, Tensor]:
    """Normal numbers by name."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) * scale for name, shape in shapes.items()}


def random_selection(seed: int, form: Form, counts: Iterable[int] | None = None) -> Selection:
    """Distinct indices at the given counts, or at each group's plain number; any values."""
    rng = np.random.default_rng(seed)
    chosen = form.plain if counts is None else np.array(list(counts), np.int64)
    parts = [
        np.sort(rng.choice(int(size), int(count), replace=False))
        for size, count in zip(form.sizes, chosen, strict=True)
    ]
    total = int(chosen.sum())
    return Selection(
        chosen.astype(np.uint16),
        np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.uint16),
        ((rng.integers(0, 2, total) * 2 - 1) * rng.integers(1, form.value_max + 1, total)).astype(
            "i2"
        ),
    )


def header_for(seed: int = 0) -> PayloadHeader:
    """A header with all its fields different from one another."""
    rng = np.random.default_rng(seed)
    return PayloadHeader(
        instance=rng.bytes(32),
        epoch=3,
        round=70_000,
        slot=513,
        member_id=9,
        layout_digest=rng.bytes(32),
        root_before=rng.bytes(32),
        root_after=rng.bytes(32),
    )


def expectation_for(header: PayloadHeader, form: Form) -> Expectation:
    """What a run would expect of this header's member."""
    return Expectation(
        instance=header.instance,
        epoch=header.epoch,
        round=header.round,
        slot=header.slot,
        member_id=header.member_id,
        layout_digest=header.layout_digest,
        form=form,
        bytes_max=form.bytes_max,
    )


def reference_signs(
    layout: Layout, selections: list[Selection], cap: int
) -> dict[str, NDArray[np.int64]]:
    """Signs by tensor name: whole numbers, one block after the other, as docs/payload.md says."""
    votes = np.zeros(layout.coefficients, np.int64)
    for selection in selections:
        votes[selection.positions()] += selection.values
    if cap:
        votes = np.clip(votes, -cap, cap)
    signs = {}
    for name, place in layout.placements.items():
        a, b = place.edge_rows, place.edge_columns
        whole = np.zeros((place.blocks_down * a, place.blocks_across * b), np.int64)
        at = place.start
        for i in range(place.blocks_down):
            for j in range(place.blocks_across):
                block = votes[at : at + a * b].reshape(a, b)
                sums = BASIS[a].astype(np.int64).T @ block @ BASIS[b].astype(np.int64)
                whole[i * a : (i + 1) * a, j * b : (j + 1) * b] = sums
                at += a * b
        signs[name] = np.sign(whole[: place.rows, : place.columns]).reshape(place.shape)
    return signs


TINY = {"w": (40, 32), "b": (20,)}


def optimizer(embeddings: str = "block", **changes: object) -> DisTrO:
    rule = small_rule(embeddings=embeddings, **changes)
    return DisTrO(Layout.from_shapes(SHAPES, embeddings), rule)


def bits(tensors: dict[str, Tensor]) -> bytes:
    return b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))
