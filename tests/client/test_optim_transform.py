"""Transform: the committed table, invertibility, exactness whatever the threads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from psyche_client.optim import ExactnessError, Layout, selftest, table
from psyche_client.optim.golden import table_bytes
from psyche_client.optim.transform import Step, Transform, gather, move, tiles
from support.optim import SHAPES, random_tensors


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_committed_table_is_what_decimal_arithmetic_gives() -> None:
    flat = np.frombuffer(table_bytes(), "<i2")
    assert np.array_equal(flat, np.concatenate([basis.ravel() for basis in table.BASIS]))


@pytest.mark.parametrize("points", [1, 2, 31, 40, 63, 64])
def test_the_table_is_the_orthonormal_cosine_basis(points: int) -> None:
    k, i = np.arange(points)[:, None], np.arange(points)[None, :]
    scale = np.sqrt(np.where(k == 0, 1, 2) / points) * 2**14
    exact = scale * np.cos(np.pi * (2 * i + 1) * k / (2 * points))
    assert np.abs(table.BASIS[points] - exact).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("edges", [(64, 64), (40, 48), (1, 64), (24, 33), (64, 1), (1, 1)])
def test_the_inverse_undoes_the_forward_transform(edges: tuple[int, int]) -> None:
    rows, columns = edges
    values = torch.randn(5 * rows * columns, generator=torch.Generator().manual_seed(1))
    coefficients, spare = torch.zeros_like(values), torch.empty_like(values)
    transform = Transform(rows, columns)
    transform.accumulate(coefficients, values, spare, beta=0.5, scale=1.0)
    coefficients = coefficients.double()
    down = torch.from_numpy(table.BASIS[rows].astype(np.float64)) / 2**14
    across = torch.from_numpy(table.BASIS[columns].astype(np.float64)) / 2**14
    back = down.T @ coefficients.view(5, rows, columns) @ across
    assert torch.allclose(back.flatten(), values.double(), atol=2e-3)


@pytest.mark.parametrize("edges", [(64, 64), (40, 48), (1, 64), (24, 33), (64, 1), (1, 1)])
@pytest.mark.parametrize(("peak", "share"), [(1, 0.004), (1, 0.1), (1, 1.0), (3, 0.5), (500, 0.5)])
def test_signs_found_in_float32_are_those_of_the_exact_sums(
    edges: tuple[int, int], peak: int, share: float
) -> None:
    rows, columns = edges
    generator = np.random.default_rng(rows * columns + peak)
    votes = generator.integers(-peak, peak + 1, (90, rows, columns))
    votes *= generator.random(votes.shape) < share
    if rows == columns:
        # Sums on the diagonals are zero, and float32's are not.
        votes[:30] -= votes[:30].transpose(0, 2, 1).copy()
    flat = torch.from_numpy(votes.reshape(-1)).float()
    expected = np.sign(selftest.golden_sums(votes).reshape(-1))
    mass, spare = int(np.abs(votes).sum((1, 2)).max()), torch.empty(2, len(flat))
    signs = Transform(rows, columns).inverse_signs(flat, 2 * peak, mass, spare)
    assert np.array_equal(signs.numpy(), expected)


@pytest.mark.parametrize("size", [1 << 9, 1 << 12, 1 << 18])
@pytest.mark.parametrize("embeddings", ["block", "row"])
def test_tensors_come_back_from_their_tiles_whatever_the_padding(
    size: int, embeddings: str
) -> None:
    layout = Layout.from_shapes(SHAPES, embeddings)
    tensors = random_tensors(2)
    matrices = {n: t.view(p.rows, p.columns) for (n, t), p in _pairs(tensors, layout)}
    cut = tiles(layout, size)
    assert [t.start for t in cut] == [0, *(t.end for t in cut[:-1])]
    assert cut[-1].end == layout.coefficients
    for tile in cut:
        row = torch.full((tile.end - tile.start,), float("nan"))
        gather(row, matrices, tile)
        move(row, matrices, tile, Step(1.0, 1.0))
    assert all(not tensor.any() for tensor in tensors.values())


def _pairs(tensors: dict[str, torch.Tensor], layout: Layout) -> list[tuple]:
    return [((name, tensors[name]), place) for name, place in layout.placements.items()]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("count", [1, 2, 4])
def test_golden_sums_hold_on_any_number_of_threads(count: int) -> None:
    torch.set_num_threads(count)
    selftest.check()


@pytest.mark.parametrize("key", selftest.GOLDEN)
def test_golden_hashes_are_those_of_whole_number_arithmetic(key: tuple[int, int, int]) -> None:
    sums = selftest.golden_sums(selftest.golden_votes(*key))
    assert selftest.digest(sums) == selftest.GOLDEN[key]


def test_a_changed_table_is_refused_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "TABLE_SHA256", "0" * 64)
    with pytest.raises(ExactnessError, match="DCT table"):
        table._load()
