"""What the live view shows, as plain values: folded from events, so that it can be replayed.

A state is a dict with these keys (all optional; the view leaves out what is not there):

    run, phase, deadline (unix seconds), epoch, round, step, total_steps, seconds (since the start)
    checkpoint   {epoch, step, digest, confirmations, uris}: the newest that the run keeps, or None
    members      list of {slot, name, role, state, misses, tokens_per_second, note}
    losses       list of [step, loss], one a round that was applied
    validation   list of [step, loss]
    payload_bytes (sum), payloads (count), fetched_bytes (sum), dense_bytes, bits_per_coefficient
    chain        {transactions, lamports_spent, lamports_rent, compute_units {name: max}}
    training_seconds, waiting_seconds (sums over the clients)
    peers        list of {name, path, bytes_per_second}
    log          the last few lines of what happened
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

State = dict[str, Any]

LOG_LINES = 5
ENDED = ("stopped", "killed")
CHECKPOINT = ("epoch", "step", "digest", "confirmations", "uris")
SUMS = {"training_seconds": "seconds", "waiting_seconds": "seconds"}


def new_state(run: str = "", total_steps: int = 0) -> State:
    """The state before anything happened."""
    return {
        "run": run,
        "phase": "",
        "epoch": 0,
        "round": 0,
        "step": 0,
        "total_steps": total_steps,
        "members": [],
        "losses": [],
        "validation": [],
        "payload_bytes": 0,
        "payloads": 0,
        "fetched_bytes": 0,
        "chain": {"transactions": 0, "lamports_spent": 0, "compute_units": {}},
        "training_seconds": 0.0,
        "waiting_seconds": 0.0,
        "peers": [],
        "log": [],
    }


def fold(state: State, client: str, event: Mapping[str, Any]) -> None:
    """Brings one event of one client into the state; what it does not know changes nothing."""
    name = event.get("event", "")
    handler = HANDLERS.get(name)
    if handler is not None:
        handler(state, client, event)
    if name in SUMS and isinstance(event.get(SUMS[name]), int | float):
        state[name] += event[SUMS[name]]
    if isinstance(event.get("t"), int | float):
        start = state.setdefault("start", event["t"])
        state["seconds"] = max(state.get("seconds", 0.0), event["t"] - start)


def note(state: State, line: str) -> None:
    """Adds a line to what happened."""
    state["log"] = [*state["log"], line][-LOG_LINES:]


def member(state: State, name: str) -> dict[str, Any]:
    """The entry of a client, made if it is new."""
    for entry in state["members"]:
        if entry.get("name") == name:
            return entry  # type: ignore[no-any-return]  # entries are dicts
    entry = {"name": name, "slot": None, "role": "", "state": "starting", "misses": 0}
    state["members"].append(entry)
    return entry


def _start(state: State, client: str, event: Mapping[str, Any]) -> None:
    member(state, client).update(state="starting", slot=None)
    if event.get("run") and not state["run"]:
        state["run"] = event["run"]


def _joined(state: State, client: str, event: Mapping[str, Any]) -> None:
    slot = event.get("slot")
    # Others may have seen the slot taken before its holder told its name.
    state["members"] = [one for one in state["members"] if one["name"] != f"slot {slot}"]
    member(state, client).update(slot=slot, state="joined")
    note(state, f"{client} joined in slot {slot}")


def _ready(state: State, client: str, event: Mapping[str, Any]) -> None:
    del event
    member(state, client)["state"] = "ready"


def _phase(state: State, client: str, event: Mapping[str, Any]) -> None:
    del client
    for key in ("epoch", "round", "deadline"):
        if key in event:
            state[key] = event[key]
    state["phase"] = str(event.get("phase", state["phase"])).replace("_", " ")


def _roles(state: State, client: str, event: Mapping[str, Any]) -> None:
    member(state, client).update(role=event.get("role", ""), state="active")


def _committed(state: State, client: str, event: Mapping[str, Any]) -> None:
    state["payload_bytes"] += event.get("bytes", 0)
    state["payloads"] += 1
    entry = member(state, client)
    if event.get("tokens") and entry.get("seconds"):
        entry["tokens_per_second"] = event["tokens"] / entry["seconds"]


def _trained(state: State, client: str, event: Mapping[str, Any]) -> None:
    member(state, client)["seconds"] = event.get("seconds")


def _fetched(state: State, client: str, event: Mapping[str, Any]) -> None:
    del client
    state["fetched_bytes"] += event.get("bytes", 0)


def _round(state: State, client: str, event: Mapping[str, Any]) -> None:
    del client
    step, loss = event.get("step"), event.get("loss")
    if not isinstance(step, int):
        return
    state["step"] = max(state["step"], step + 1)
    last = state["losses"][-1][0] if state["losses"] else -1
    if isinstance(loss, int | float) and step > last:  # the first client to apply it speaks
        state["losses"].append([step, float(loss)])


def _validation(state: State, client: str, event: Mapping[str, Any]) -> None:
    del client
    step, loss = event.get("step"), event.get("loss")
    last = state["validation"][-1][0] if state["validation"] else -1
    if isinstance(step, int) and isinstance(loss, int | float) and step > last:
        state["validation"].append([step, float(loss)])


def _chain(state: State, client: str, event: Mapping[str, Any]) -> None:
    del client
    chain = state["chain"]
    chain["transactions"] += 1
    chain["lamports_spent"] += event.get("lamports", 0)
    name, units = event.get("instruction"), event.get("compute_units")
    if isinstance(name, str) and isinstance(units, int):
        chain["compute_units"][name] = max(units, chain["compute_units"].get(name, 0))


def _peers(state: State, client: str, event: Mapping[str, Any]) -> None:
    """Throughput is what came from a peer since the last time, a second."""
    before = {peer.get("slot"): peer for peer in state["peers"] if peer.get("of") == client}
    others = [peer for peer in state["peers"] if peer.get("of") != client]
    now = event.get("t", 0.0)
    for peer in event.get("peers", []):
        seen = dict(peer, of=client, t=now)
        last = before.get(peer.get("slot"))
        if last is not None and "received_bytes" in peer and now > last["t"]:
            grown = peer["received_bytes"] - last.get("received_bytes", 0)
            seen["bytes_per_second"] = max(0, grown) / (now - last["t"])
        others.append(seen)
    state["peers"] = others


def _members(state: State, client: str, event: Mapping[str, Any]) -> None:
    del client
    seen = {one.get("slot"): one for one in event.get("members", [])}
    # A slot is rather that of who lives.
    for entry in sorted(state["members"], key=lambda entry: entry["state"] in ENDED):
        mine = seen.pop(entry.get("slot"), None)
        if entry["state"] in ENDED:
            _see_ended(state, entry, mine)
            continue
        if mine is not None:
            entry.update({key: value for key, value in mine.items() if key != "name"})
    for slot, one in seen.items():
        member(state, one.get("name") or f"slot {slot}").update(one)


def _see_ended(state: State, entry: dict[str, Any], mine: Mapping[str, Any] | None) -> None:
    """The chain learns later than we that a process is gone: it counts misses, then drops it."""
    if entry.get("dropped"):
        return  # another client may still tell what was before
    if mine is not None:
        entry["misses"] = mine.get("misses", 0)
    elif entry.get("misses"):
        entry.update(misses=0, dropped=True)
        note(state, f"{entry['name']} was dropped: others train its sequences")


def _kept(state: State, client: str, event: Mapping[str, Any]) -> None:
    del client
    kept = {name: event.get(name) for name in CHECKPOINT}
    if kept != state.get("checkpoint"):
        state["checkpoint"] = kept
        note(state, f"a checkpoint of step {kept['step']} is confirmed")


def _resync(state: State, client: str, event: Mapping[str, Any]) -> None:
    member(state, client)["state"] = "catching up"
    note(state, f"{client} catches up from round {event.get('round', '?')}")


def _error(state: State, client: str, event: Mapping[str, Any]) -> None:
    note(state, f"{client}: {event.get('message', 'an error')}")


def _stop(state: State, client: str, event: Mapping[str, Any]) -> None:
    reason = str(event.get("reason", "done"))
    word = "killed" if reason.startswith("killed") else "stopped"
    member(state, client).update(state=word, role="", tokens_per_second=None)
    state["peers"] = [peer for peer in state["peers"] if peer.get("of") != client]
    note(state, f"{client} {reason}" if word == "killed" else f"{client} stopped: {reason}")


HANDLERS = {
    "start": _start,
    "joined": _joined,
    "ready": _ready,
    "phase": _phase,
    "roles": _roles,
    "committed": _committed,
    "training_seconds": _trained,
    "fetched": _fetched,
    "round": _round,
    "validation": _validation,
    "chain": _chain,
    "peers": _peers,
    "members": _members,
    "kept": _kept,
    "resync": _resync,
    "error": _error,
    "stop": _stop,
}
