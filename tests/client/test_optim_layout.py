"""Layout: block edges, order, groups, digest."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys

import numpy as np
import pytest

import psyche_client.optim
from psyche_client.optim import ExactnessError, Layout, LayoutError, check_exactness
from psyche_client.optim.layout import edge_of
from support.optim import SHAPES, small_rule

EDGES = {64: 64, 128: 64, 80: 40, 96: 48, 192: 64, 2048: 64, 67: 34, 33: 33, 31: 31, 1: 1}
EDGES |= {100: 50, 65: 33, 127: 64, 1000: 50}


@pytest.mark.parametrize(("size", "edge"), EDGES.items())
def test_an_edge_divides_its_dimension_or_pads_it_least(size: int, edge: int) -> None:
    assert edge_of(size) == edge


def test_every_coefficient_belongs_to_exactly_one_tensor() -> None:
    for embeddings in ("block", "row"):
        layout = Layout.from_shapes(SHAPES, embeddings)
        owners = np.zeros(layout.coefficients, np.int64)
        for place in layout.placements.values():
            owners[place.start : place.start + place.size] += 1
        assert (owners == 1).all()


def test_groups_hold_4096_coefficients_and_the_last_one_the_rest() -> None:
    layout = Layout.from_shapes({"a": (64, 128), "b": (40, 40)})
    form = layout.form(32)
    assert form.sizes.tolist() == [4096, 4096, 1600]
    assert form.limits.tolist() == [32, 32, 13]
    assert layout.groups == 3


def test_a_64_by_64_block_is_one_group_whatever_else_there_is() -> None:
    layout = Layout.from_shapes({"a.norm": (40,), "b": (40, 40), "z": (128, 64)})
    assert layout.placements["z"].start == 0


def test_padding_is_counted_in_coefficients_but_not_in_parameters() -> None:
    layout = Layout.from_shapes({"w": (67, 64)})
    assert (layout.parameters, layout.coefficients) == (67 * 64, 68 * 64)


def test_embeddings_by_rows_have_blocks_of_one_row() -> None:
    place = Layout.from_shapes(SHAPES, "row").placements["lm_head.weight"]
    assert (place.edge_rows, place.edge_columns) == (1, 48)


def test_weight_decay_spares_vectors_and_embeddings() -> None:
    places = Layout.from_shapes(SHAPES).placements
    spared = {name for name, place in places.items() if not place.decays}
    assert spared == {"layers.0.norm.weight", "lm_head.weight", "model.embed_tokens.weight"}


def test_the_digest_ignores_the_order_in_which_shapes_come() -> None:
    backwards = dict(reversed(list(SHAPES.items())))
    assert Layout.from_shapes(SHAPES).digest() == Layout.from_shapes(backwards).digest()


def test_the_digest_tells_layouts_apart() -> None:
    changed = {**SHAPES, "layers.0.norm.weight": (97,)}
    renamed = {name.replace("layers.0", "layers.1"): shape for name, shape in SHAPES.items()}
    digests = {Layout.from_shapes(shapes).digest() for shapes in (SHAPES, changed, renamed)}
    digests.add(Layout.from_shapes(SHAPES, "row").digest())
    assert len(digests) == 4


@pytest.mark.parametrize("shapes", [{}, {"w": (0, 64)}, {"w": (1 << 30, 1 << 30)}])
def test_a_layout_without_numbers_or_beyond_the_limit_is_refused(
    shapes: dict[str, tuple[int, ...]],
) -> None:
    with pytest.raises(LayoutError):
        Layout.from_shapes(shapes)


def test_votes_that_could_round_are_refused_when_the_run_is_made() -> None:
    layout = Layout.from_shapes(SHAPES)
    check_exactness(1024, layout, small_rule(vote_cap=0))
    check_exactness(1 << 20, layout, small_rule(vote_cap=1))
    dense = {"vote_cap": 0, "group_topk_max": 4_096}
    check_exactness(1 << 12, layout, small_rule(**dense))
    with pytest.raises(ExactnessError, match=r"2\^53"):
        check_exactness(1 << 14, layout, small_rule(**dense))


@pytest.mark.parametrize(
    ("members", "change", "problem"),
    [
        (255, {"value_bits": 12, "topk": 32}, None),
        (256, {"value_bits": 12, "topk": 32}, "2^53"),
        (511, {"value_bits": 12, "topk": 16}, None),
        (511, {"value_bits": 12, "topk": 16, "group_topk_max": 17}, "2^53"),
        (511, {"value_bits": 12, "topk": 8, "topk_end": 32, "topk_ramp_steps": 9}, "2^53"),
        (1024, {"value_bits": 12, "topk": 4_096, "vote_cap": 2_048}, None),
        (8191, {"value_bits": 12, "topk": 1, "vote_cap": 2_048}, None),
        (8192, {"value_bits": 12, "topk": 1, "vote_cap": 2_048}, "2^24"),
    ],
)
def test_whole_numbers_that_could_round_are_refused_when_the_run_is_made(
    members: int, change: dict[str, int], problem: str | None
) -> None:
    layout, rule = Layout.from_shapes(SHAPES), small_rule(**{"vote_cap": 0, **change})
    if problem is None:
        check_exactness(members, layout, rule)
        return
    with pytest.raises(ExactnessError, match=re.escape(problem)):
        check_exactness(members, layout, rule)


def test_the_packages_example_runs() -> None:
    assert doctest.testmod(psyche_client.optim) == (0, 11)


def test_layout_codec_and_schedule_work_without_torch() -> None:
    code = "import sys, psyche_client.optim; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
