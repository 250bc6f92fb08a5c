"""What a provider reads: a line for what matters, none for the rest, and never a crash."""

from pathlib import Path
from typing import Any

import pytest

from psyche_client.events import EVENTS, Event, EventLog
from psyche_client.narration import line

EXAMPLES: list[tuple[dict[str, Any], str]] = [
    ({"event": "bond", "lamports": 50_000_000}, "a bond of 0.05 SOL goes along"),
    ({"event": "joined", "slot": 3, "member_id": 7}, "joined: slot 3, member 7"),
    ({"event": "phase", "epoch": 1, "round": 2, "phase": "train"}, "epoch 1, round 2: train"),
    ({"event": "roles", "role": "trainer+witness"}, "role: trainer and witness"),
    ({"event": "committed", "bytes": 19_858, "loss": 5.5}, "19858 bytes, loss 5.500"),
    ({"event": "round", "step": 9, "loss": 5.25, "accepted": 3}, "step 9: loss 5.250, 3 payloads"),
    (
        {"event": "round", "step": 9, "loss": None, "accepted": 0},
        "step 9: no loss told, 0 payloads",
    ),
    ({"event": "resync", "reason": "history is missing"}, "from peers: history is missing"),
    ({"event": "snapshot", "digest": "ab" * 32}, "kept: abababababababab"),
    ({"event": "checkpoint", "path": "model.safetensors", "step": 50}, "wrote model.safetensors"),
    ({"event": "validation", "step": 50, "loss": 5.5}, "held-out loss at step 50: 5.500"),
    ({"event": "error", "message": "the chain is away"}, "trouble: the chain is away"),
    ({"event": "stop", "reason": "finished", "step": 50}, "left: finished, step 50"),
]


@pytest.mark.parametrize(("event", "words"), EXAMPLES)
def test_an_event_that_matters_is_a_line_with_its_time(event: Event, words: str) -> None:
    text = line({"t": 1.5} | event)
    assert text is not None
    assert words in text
    assert text[2] == text[5] == ":"
    assert "\n" not in text


def test_events_for_a_view_alone_are_passed_over() -> None:
    for event in EVENTS.keys() - {event["event"] for event, _ in EXAMPLES}:
        assert line({"t": 0.0, "event": event}) is None
    assert line({"t": 0.0, "event": "roles", "role": "-"}) is None


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_an_event_without_its_facts_is_passed_over(event: str) -> None:
    assert line({"event": event}) is None


def test_a_listener_hears_what_the_log_holds(tmp_path: Path) -> None:
    heard: list[Event] = []
    with EventLog(tmp_path / "log", clock=lambda: 1.0, listener=heard.append) as log:
        log.write("snapshot", epoch=0, round=1, digest=b"\xab" * 32)
    assert heard == [{"t": 1.0, "event": "snapshot", "epoch": 0, "round": 1, "digest": "ab" * 32}]
