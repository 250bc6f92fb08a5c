"""What a client tells the person at its terminal of what it writes down."""

from typing import Any

import pytest

from psyche_client.cli.words import WORDS, words
from psyche_client.events import EVENTS

PLACE = {"epoch": 1, "round": 3}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"event": "joined", "slot": 4}, "holds slot 4"),
        ({"event": "bond", "lamports": 50_000_000}, "deposits a bond of 0.05 SOL"),
        (
            {"event": "phase", "phase": "waiting_for_members", **PLACE},
            "epoch 1: waiting for members",
        ),
        ({"event": "phase", "phase": "train", **PLACE}, None),
        (
            {"event": "round", "loss": 5.0, "accepted": 3, **PLACE},
            "epoch 1 round 3: 3 payloads applied, loss 5.000",
        ),
        (
            {"event": "round", "loss": None, "accepted": 0, **PLACE},
            "epoch 1 round 3: 0 payloads applied",
        ),
        ({"event": "error", "message": "no answer"}, "waits: no answer"),
        ({"event": "recovered"}, "goes on"),
        ({"event": "stop", "reason": "waiting_for_members"}, "ends: waiting for members"),
        ({"event": "chain", "instruction": "commit"}, None),
        ({"event": "joined"}, None),
        ({"event": "round", "loss": "x", "accepted": 0, **PLACE}, None),
        ({}, None),
    ],
)
def test_an_event_is_one_line_or_none(event: dict[str, Any], line: str | None) -> None:
    assert words(event) == line


def test_nothing_is_told_that_is_never_written_down() -> None:
    assert WORDS.keys() <= EVENTS.keys()
