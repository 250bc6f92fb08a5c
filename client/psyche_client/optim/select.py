"""The coefficients that leave the momentum: the largest of each group, or of those that tell most.

Shape legend: g = groups, n = coefficients of a group, k = taken of each; a group is seen as h rows
of s columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isqrt

import torch
from torch import Tensor

from psyche_client.optim.form import GROUP_SIZE, Form


def largest(sizes: Tensor, count: int) -> Tensor:
    """Where the `count` largest of each group stand, rising.

    Each of the k largest stands in one of the k columns with the largest maxima, so only those
    are searched: s maxima and k * h candidates instead of n numbers. NaN counts as the largest.

    Args:
        sizes: magnitudes, float32 [g, n].
        count: from 1 to n.

    Returns:
        int64 [g, k].
    """
    size = sizes.shape[1]
    # The power of two next to sqrt(n * k) makes both searches about as long.
    columns = 1 << (isqrt(size * count).bit_length() - 1)
    height = size // columns
    if size % columns or columns + count * height >= size:
        return sizes.topk(count, sorted=False).indices.sort().values
    rows = sizes.view(-1, height, columns)
    best = rows.amax(1).topk(count, sorted=False).indices
    candidates = rows.gather(2, best[:, None].expand(-1, height, -1)).flatten(1)
    found = candidates.topk(count, sorted=False).indices
    where = best.gather(1, found % count).add_(found // count * columns)
    return where.sort().values


def take_even(
    momentum: Tensor, ends: Iterable[int], form: Form, spare: Tensor
) -> tuple[Tensor, Tensor]:
    """Takes the largest out of each group: as many as all groups send alike.

    Args:
        momentum: float32 row; zero afterwards where something was taken. What is not finite counts
            as the largest.
        ends: how far the row is ready, step by step. Groups are searched as soon as they are ready,
            while they are in the cache.
        form: how many.
        spare: as long as what becomes ready at once; overwritten.

    Returns:
        Rising positions and the values that stood there.
    """
    found, taken = [], []
    for start, end, size in _whole_groups(ends, form.coefficients):
        sizes = torch.abs(momentum[start:end], out=spare[: end - start])
        where = _largest_of(sizes, start, size, form.topk)
        found.append(where.view(-1))
        taken.append(momentum[found[-1]])
        momentum[found[-1]] = 0.0
    return torch.cat(found), torch.cat(taken)


def take_uneven(
    momentum: Tensor, ends: Iterable[int], form: Form, spare: Tensor, energy: float
) -> tuple[Tensor, Tensor]:
    """Takes the fewest out of each group that have this share of its sum of squares.

    A group gives `form.most` at most. Where that makes more than `form.sent_max` in all, the share
    is lowered for all groups alike until it fits. Arguments and results are those of `take_even`,
    but that what is not finite counts as zero.
    """
    found, shares = [], []
    for start, end, size in _whole_groups(ends, form.coefficients):
        part = torch.nan_to_num_(momentum[start:end], 0.0, 0.0, 0.0).view(-1, size)
        sizes = torch.abs(momentum[start:end], out=spare[: end - start])
        where = _largest_of(sizes, start, size, form.most)
        squares = momentum[where].double().square_()
        squares, order = squares.sort(dim=1, descending=True, stable=True)
        whole = torch.linalg.vector_norm(part, dim=1, keepdim=True, dtype=torch.float64).square_()
        # What the group has without a coefficient says whether that is wanted; 0 / 0 is not.
        shares.append(((squares.cumsum(1) - squares) / whole).nan_to_num_(1.0).view(-1))
        found.append(where.gather(1, order).view(-1))
    share, order = torch.cat(shares).sort(stable=True)
    wanted = order[: form.sent_max][share[: form.sent_max] < energy]
    positions = torch.cat(found)[wanted].sort().values
    values = momentum[positions]
    momentum[positions] = 0.0
    return positions, values


def _largest_of(sizes: Tensor, start: int, size: int, of: int) -> Tensor:
    """Positions [g, k] in the row of the largest of each group that begins at `start` or later."""
    where = largest(sizes.view(-1, size), -(-size * of // GROUP_SIZE))
    return where.add_(torch.arange(start, start + len(sizes), size, device=sizes.device)[:, None])


def _whole_groups(ends: Iterable[int], coefficients: int) -> Iterator[tuple[int, int, int]]:
    """Start, end and group size of what lies before each of these ends, in whole groups."""
    start, full = 0, coefficients - coefficients % GROUP_SIZE
    for done in ends:
        end = min(done - done % GROUP_SIZE, full)
        if end > start:
            yield start, end, GROUP_SIZE
            start = end
    if full < coefficients:
        yield full, coefficients, coefficients - full
