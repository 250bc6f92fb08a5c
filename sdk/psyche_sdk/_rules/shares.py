"""Weights of trainers and the parts of a round that follow from them."""

from collections.abc import Sequence

#: Largest weight that a member can declare; the smallest is 1.
MAX_WEIGHT = 1000


def lower_median(weights: Sequence[int]) -> int | None:
    """The median, the lower one of an even count; None of none."""
    return sorted(weights)[(len(weights) - 1) // 2] if weights else None


def first_weight(declared: int, median: int | None) -> int:
    """The effective weight that a member begins with: min(declared, median of the Active)."""
    return max(declared if median is None else min(declared, median), 1)


def grown_weight(weight: int, declared: int) -> int:
    """The effective weight after an accepted round: doubled, at most what was declared."""
    return max(min(weight * 2, declared), 1)


def halved_weight(weight: int) -> int:
    """The effective weight after a miss: halved, rounded down, at least 1."""
    return max(weight // 2, 1)


def weight_limit(total: int, members: int, percent: int) -> int | None:
    """The largest weight that counts: floor(total * percent / 100), at least 1; None: no clamp."""
    if members * percent <= 100:  # noqa: PLR2004 (per cent)
        return None
    return max(total * percent // 100, 1)


def share_ends(batch: int, percent: int, weights: Sequence[int]) -> list[int]:
    """Where each trainer's share of ``batch`` sequences ends, in drawn order.

    The share of trainer p is the offsets floor(B * W(p) / W) .. floor(B * W(p + 1) / W), with W(p)
    the sum of the clamped weights before it. All are 0 if the weights are.
    """
    limit = weight_limit(sum(weights), len(weights), percent)
    clamped = [weight if limit is None else min(weight, limit) for weight in weights]
    total = sum(clamped)
    before = 0
    ends = []
    for weight in clamped:
        before += weight
        ends.append(batch * before // total if total else 0)
    return ends
