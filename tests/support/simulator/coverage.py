"""What a simulation must have met to say anything, and how often it did."""

from __future__ import annotations

from collections import Counter

from support.simulator.filters import LIES

#: What is asked for, and by what counters it shows.
WORDS: dict[str, tuple[str, ...]] = {
    "joins": ("join: ok",),
    "leaves": ("leave: ok",),
    "silent trainers": ("silent: commit",),
    "silent witnesses": ("silent: attest",),
    "silent voters": ("silent: vote",),
    "lies about a payload": ("lie: payload",),
    "lies about what is held": ("lie: bits",),
    "lies about parameters": ("lie: digest",),
    "lies about history": ("lie: chain hash",),
    "lies of auditors and committees": ("lie: verdict",),
    **{f"filters that lie: {lie}": (f"filter: {lie}",) for lie in LIES},
    "filters that are right": ("filter: right",),
    "late messages": ("late",),
    "repeated messages": ("repeated",),
    "pauses": ("pause: ok",),
    "aborts": ("abort: ok",),
    "the run changes hands": ("accept_authority: ok",),
    "the clock jumps back": ("the clock jumps back",),
    "the clock jumps ahead": ("the clock jumps ahead",),
    "the clock stands still": ("the clock stands still",),
    "skipped slots": ("a slot is skipped",),
    "repeated slots": ("the same slot again",),
    "missing slot hashes": ("no block",),
    "slot hashes that are lost": ("noted anew",),
    "flags": ("verdict: ok",),
    "committees": ("open_verdict: ok",),
    "members that are ejected": ("ejected",),
    "payloads said to be nowhere": ("missing: ok",),
    "checkpoints": ("confirm_checkpoint: ok",),
}


def counts(happened: Counter[str]) -> dict[str, int]:
    """How often each of the words was met."""
    return {word: sum(happened[one] for one in shown) for word, shown in WORDS.items()}


def unmet(happened: Counter[str]) -> list[str]:
    """The words that were never met."""
    return [word for word, count in counts(happened).items() if not count]
