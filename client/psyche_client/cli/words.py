"""What a client's events are in words, for who sits at its terminal: a line an event, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from psyche_client.lamports import sol

Event = Mapping[str, Any]


def words(event: Event) -> str | None:
    """One line; None for an event that is for the log alone, or that lacks its facts."""
    say = WORDS.get(str(event.get("event")))
    try:
        return say(event) if say is not None else None
    except (KeyError, TypeError, ValueError):
        return None


def _phase(event: Event) -> str | None:
    """Phases of a round come too often to be told."""
    name = event["phase"]
    return None if name in ("train", "witness") else f"epoch {event['epoch']}: {_plain(name)}"


def _round(event: Event) -> str:
    loss = "" if event["loss"] is None else f", loss {event['loss']:.3f}"
    place = f"epoch {event['epoch']} round {event['round']}"
    return f"{place}: {event['accepted']} payloads applied{loss}"


def _plain(name: str) -> str:
    return name.replace("_", " ")


WORDS: Final[Mapping[str, Callable[[Event], str | None]]] = {
    "bond": lambda e: f"deposits a bond of {sol(e['lamports'])}",
    "joined": lambda e: f"holds slot {e['slot']}",
    "phase": _phase,
    "round": _round,
    "resync": lambda e: f"catches up from epoch {e['epoch']} round {e['round']}: {e['reason']}",
    "kept": lambda e: f"a checkpoint of step {e['step']} is confirmed",
    "validation": lambda e: f"loss on held-out text {e['loss']:.3f} at step {e['step']}",
    "error": lambda e: f"waits: {e['message']}",
    "recovered": lambda _: "goes on",
    "checkpoint": lambda e: f"parameters of step {e['step']} are in {e['path']}",
    "stop": lambda e: f"ends: {_plain(e['reason'])}",
}
