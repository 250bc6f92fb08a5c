"""Audits in a record: how they lie, what is refused, and until when a word counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from psyche_sdk._generated import layouts
from psyche_sdk._rules.audits import AUDITOR, SEAT, window_of
from psyche_sdk._rules.rounds import columns_of
from psyche_sdk.views import AccountInvalid, Moment, Window, decode_rounds
from support.verifying import Verified

GOLDEN: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden" / "layout.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize(("name", "dtype"), [("Auditor", AUDITOR), ("Seat", SEAT)])
def test_auditors_and_seats_lie_as_the_program_says(name: str, dtype: np.dtype[Any]) -> None:
    golden = GOLDEN["types"][name]
    fields = {one["name"]: one["offset"] for one in golden["fields"]}

    assert dtype.fields is not None
    assert {field: place[1] for field, place in dtype.fields.items()} == fields
    assert dtype.itemsize == golden["size"]


@cache
def judged() -> bytes:
    """The round records of a run with a committee that is drawn."""
    world = Verified().audited()
    world.flag()
    return world.data(world.rounds_key)


def forged(change: Callable[[Any, Any, Any], None]) -> bytes:
    """The same with a header, an auditor or a seat changed."""
    data = bytearray(judged())
    header = np.frombuffer(data, layouts.ROUNDS, 1, 8)["records"][0][0]
    column = columns_of(data, 8, 0)["verifiers"]  # type: ignore[arg-type]
    auditors = np.frombuffer(column, AUDITOR, 64)
    change(header, auditors, np.frombuffer(column, SEAT, 64, 64 * AUDITOR.itemsize))
    return bytes(data)


def test_what_was_not_forged_is_read() -> None:
    first = decode_rounds(forged(lambda *_: None))[0]

    assert len(first.seats) == 3
    assert first.auditors[0].target is not None


@pytest.mark.parametrize(
    ("which", "field", "value"),
    [
        (0, "auditors", 65),
        (0, "seats", 255),
        (1, "slot", 8),
        (1, "target", 9),
        (1, "verdict", 3),
        (1, "case_stage", 7),
        (2, "slot", 65_535),
        (2, "case", 63),
        (2, "stage", 3),
        (2, "verdict", 9),
    ],
)
def test_audits_that_mean_nothing_are_refused(which: int, field: str, value: int) -> None:
    def change(*parts: Any) -> None:
        if which:
            parts[which][field][0] = value
        else:
            parts[0][field] = value

    with pytest.raises(AccountInvalid):
        decode_rounds(forged(change))


def test_words_count_in_the_three_rounds_after_a_round() -> None:
    windows = [window_of(4, present) for present in range(3, 9)]

    assert windows == [
        Window(),
        Window(),
        Window(audit=True, seal=True),
        Window(seal=True),
        Window(open=True),
        Window(),
    ]


@pytest.mark.parametrize(
    ("seconds", "slots", "expected"),
    [
        (2, 99, Window(audit=True, seal=True)),
        (3, 2, Window(audit=True, seal=True)),
        (3, 3, Window(seal=True)),
        (99, 4, Window(seal=True)),
        (5, 5, Window(open=True)),
    ],
)
def test_cooldown_is_divided_by_the_clock_and_by_slots(
    seconds: int, slots: int, expected: Window
) -> None:
    now = Moment(100 + seconds, 50 + slots)

    assert window_of(4, 5, (Moment(100, 50), 10, now)) == expected
