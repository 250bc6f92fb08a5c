"""What a provider reads while its client runs: a line for each event that means something to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from psyche_client.lamports import sol

Event = Mapping[str, Any]


def line(event: Event) -> str | None:
    """An event as a line with its local time, or None for one that only a view needs."""
    words = _WORDS.get(str(event.get("event")))
    if words is None:
        return None
    try:
        text = words(event)
    except (KeyError, TypeError, ValueError):
        return None  # an event of another version, say; the log has it all the same
    if not text:
        return None
    at = time.strftime("%H:%M:%S", time.localtime(float(event.get("t", 0.0))))
    return f"{at}  {text}"


def _place(event: Event) -> str:
    return f"epoch {event['epoch']}, round {event['round']}"


def _round(event: Event) -> str:
    loss = event.get("loss")
    shown = f"loss {loss:.3f}" if isinstance(loss, int | float) else "no loss told"
    return f"step {event['step']}: {shown}, {event['accepted']} payloads applied"


_WORDS: dict[str, Callable[[Event], str]] = {
    "bond": lambda e: f"a bond of {sol(int(e['lamports']))} goes along",
    "joined": lambda e: f"joined: slot {e['slot']}, member {e['member_id']}",
    "phase": lambda e: f"{_place(e)}: {e['phase']}",
    "roles": lambda e: f"role: {e['role'].replace('+', ' and ')}" if e["role"] != "-" else "",
    "committed": lambda e: f"trained and committed: {e['bytes']} bytes, loss {e['loss']:.3f}",
    "round": _round,
    "resync": lambda e: f"loading agreed parameters from peers: {e['reason']}",
    "snapshot": lambda e: f"parameters agreed on, kept: {str(e['digest'])[:16]}",
    "checkpoint": lambda e: f"wrote {e['path']}, step {e['step']}",
    "validation": lambda e: f"held-out loss at step {e['step']}: {e['loss']:.3f}",
    "error": lambda e: f"trouble: {e['message']}",
    "stop": lambda e: f"left: {e['reason']}, step {e['step']}",
}
