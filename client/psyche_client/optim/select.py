"""The largest coefficients of each selection group, in two steps.

Shape legend: g = groups, n = coefficients of a group, k = taken of each; a group is seen as h rows
of s columns.
"""

from __future__ import annotations

from math import isqrt

from torch import Tensor


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
