"""The figures that the view shows, in words: pure functions of its plain values."""

from __future__ import annotations

from typing import Any

from psyche_client.cli.output import count_bytes, sol
from psyche_client.cli.state import State

UNIT_LINES = 5
EVERY_ROUND = ("commit", "attest", "tick")
"""Instructions whose cost recurs in each round, so they are shown first."""


def seconds_left(state: State, *, now: float) -> int | None:
    """Whole seconds to the phase's deadline, 0 once it is over; None where there is none."""
    deadline = state.get("deadline")
    return max(0, int(deadline - now)) if isinstance(deadline, int | float) and deadline else None


def wire_facts(state: State) -> list[tuple[str, str]]:
    """Bytes of payloads against dense float32 gradients, and where the time goes."""
    facts = []
    count, dense = state.get("payloads", 0), state.get("dense_bytes")
    if count:
        mean = state.get("payload_bytes", 0) / count
        facts.append(("a payload", count_bytes(mean)))
        if dense and mean:
            facts.append(("dense float32", f"{count_bytes(dense)} ({dense / mean:.0f} x)"))
    if state.get("bits_per_coefficient"):
        facts.append(("bits a number", f"{state['bits_per_coefficient']:.2f}"))
    if state.get("fetched_bytes"):
        facts.append(("fetched", count_bytes(state["fetched_bytes"])))
    share = training_share(state)
    if share is not None:
        facts.append(("training", f"{share:.0%} of the time"))
    return facts


def chain_facts(state: State) -> list[tuple[str, str]]:
    """Transactions, what they cost, and the largest compute units of each instruction."""
    chain = state.get("chain", {})
    facts = []
    if "transactions" in chain:  # who only watches does not count them
        facts.append(("transactions", f"{chain['transactions']}"))
        facts.append(("fees", sol(chain.get("lamports_spent", 0))))
    if chain.get("lamports_rent"):
        facts.append(("rent, comes back", sol(chain["lamports_rent"])))
    kept = state.get("checkpoint")
    if kept:
        facts.append(("checkpoint", f"of step {kept['step']}"))
    units = chain.get("compute_units", {})
    for name in sorted(units, key=_unit_order)[:UNIT_LINES]:
        facts.append((name, f"{units[name]:,} units"))
    return facts


def training_share(state: State) -> float | None:
    """Part of the clients' time that was training, 0 to 1; None before there is any."""
    trained, waited = state.get("training_seconds", 0.0), state.get("waiting_seconds", 0.0)
    return trained / (trained + waited) if trained + waited > 0 else None


def result_facts(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures of a finished demo, in words."""
    facts = []
    for label, first, last in (
        ("loss", "first_loss", "last_loss"),
        ("held-out loss", "validation_loss_first", "validation_loss_last"),
    ):
        if isinstance(result.get(first), int | float) and isinstance(result.get(last), int | float):
            facts.append((label, f"{result[first]:.3f} -> {result[last]:.3f}"))
    payload, dense = result.get("payload_bytes_mean"), result.get("dense_bytes")
    if payload and dense:
        facts.append(("a payload", count_bytes(payload)))
        facts.append(("dense float32", f"{count_bytes(dense)} ({dense / payload:.0f} x)"))
    digests = result.get("digests") or {}
    if digests:
        same = len(set(digests.values())) == 1
        shown = next(iter(digests.values()))[:8]
        facts.append(("parameters", f"all {len(digests)} equal, {shown}" if same else "DIFFERENT"))
    if "lamports_spent" in result:
        facts.append(("transactions", f"{result.get('transactions', 0)}"))
        facts.append(("fees", sol(result["lamports_spent"])))
    if "lamports_rent" in result:
        facts.append(("rent, comes back", sol(result["lamports_rent"])))
    for label, key in (("killed", "killed"), ("joined later", "joined")):
        if result.get(key):
            facts.append((label, ", ".join(result[key])))
    if isinstance(result.get("training_share"), int | float):
        facts.append(("training", f"{result['training_share']:.0%} of the time"))
    if isinstance(result.get("seconds"), int | float):
        facts.append(("time", f"{result['seconds']:.0f} s"))
    return facts


def _unit_order(name: str) -> tuple[bool, bool, str]:
    """Recurring instructions first, transitions after plain ones."""
    plain, _, tick = name.partition("_and_")
    return plain not in EVERY_ROUND, bool(tick), name
