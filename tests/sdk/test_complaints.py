"""Which payload a member says is missing."""

from __future__ import annotations

import pytest

from psyche_sdk.views import Complaint, next_complaint

NOBODY = bytes(1)


def complaint(target: int, *voices: int) -> Complaint:
    """One that these members joined."""
    return Complaint(target, bytes([sum(1 << slot for slot in voices)]))


A, B, C = complaint(3, 1), complaint(5, 1), complaint(6, 1, 2)
CASES = [
    ("nothing is missing", (None, None, None), NOBODY, [], None),
    ("the lowest is opened", (None, None, None), NOBODY, [5, 3], 3),
    ("one that stands is joined before another is opened", (B, None, None), NOBODY, [3, 5], 5),
    ("who joined one opens another", (C, None, None), NOBODY, [6, 3], 3),
    ("who opened one waits for others", (C, None, None), bytes([0b100]), [6, 3], None),
    ("who opened one joins what others open", (C, A, None), bytes([0b100]), [6, 3], 3),
    ("what is here gives way", (A, B, C), NOBODY, [0], 0),
    ("what is missing does not", (complaint(0, 2), complaint(1, 2), C), NOBODY, [0, 1, 6, 7], None),
    ("at most as many as there are places", (None, None, None), NOBODY, [4, 5, 6, 7], 4),
]


@pytest.mark.parametrize(
    ("complaints", "openers", "lacking", "expected"),
    [c[1:] for c in CASES],
    ids=[c[0] for c in CASES],
)
def test_the_table_holds(
    complaints: tuple[Complaint | None, ...],
    openers: bytes,
    lacking: list[int],
    expected: int | None,
) -> None:
    assert next_complaint(complaints, openers, 2, lacking) == expected
