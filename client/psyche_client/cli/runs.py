"""A run's accounts as plain values, for printing and for the live view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psyche_client.cli.state import State, new_state

if TYPE_CHECKING:
    from psyche_sdk.coordinator import Snapshot

PHASES = ("paused", "waiting for members", "warmup", "train", "witness", "cooldown", "finished")
TIMED = ("warmup", "train", "witness", "cooldown")
"""Phases that end by the clock at the latest."""
MEMBER_STATES = ("free", "joined", "ready", "active", "behind", "left", "dropped", "ejected")
GONE = ("free", "left", "dropped", "ejected")


def run_facts(data: bytes, address: str = "") -> dict[str, Any]:
    """What there is to say of a run, from the bytes of its account."""
    from psyche_sdk._generated.layouts import decode_run  # noqa: PLC0415 - it imports numpy

    run = decode_run(data)
    phase = PHASES[int(run["phase"])]
    return {
        "address": address,
        "id": text(run["run_id"], run["run_id_len"]),
        "creator": key(run["creator"]),
        "authority": key(run["authority"]),
        "instance": bytes(run["instance"]).hex(),
        "phase": phase,
        "deadline": int(run["phase_deadline"]) if phase in TIMED else None,
        "pause_requested": bool(run["pause_requested"]),
        "epoch": int(run["epoch"]),
        "round": int(run["round"]),
        "step": int(run["step"]),
        "total_steps": int(run["config"]["total_steps"]),
        "members": {name: int(run[name]) for name in ("joined", "ready", "active", "behind")},
        "capacity": int(run["capacity"]),
        "sequences": {
            "fresh": int(run["fresh_cursor"]),
            "repeated": int(run["repeated"]),
            "accepted": int(run["accepted"]),
            "in_flight": int(run["in_flight"]),
            "backlog": sum(
                int(run["backlog"][i]["end"]) - int(run["backlog"][i]["start"])
                for i in range(int(run["backlog_count"]))
            ),
        },
        "chain_hash": bytes(run["chain_hash"]).hex(),
        "agreed_digest": bytes(run["agreed"]["digest"]).hex() if run["agreed"]["valid"] else None,
        "model_hash": bytes(run["model_hash"]).hex(),
        "model_uri": text(run["model_uri"], run["model_uri_len"]),
    }


def config_facts(data: bytes) -> dict[str, int | str]:
    """The configuration that stands on chain, by the program's own names."""
    from psyche_sdk._generated.layouts import decode_run  # noqa: PLC0415 - it imports numpy

    config = decode_run(data)["config"]
    names = [name for name in config.dtype.names or () if name not in ("reserved", "data_seed")]
    return {"data_seed": bytes(config["data_seed"]).hex()} | {n: int(config[n]) for n in names}


def member_facts(roster: bytes) -> list[dict[str, Any]]:
    """The members of a run, from the bytes of its roster, in slot order."""
    import numpy as np  # noqa: PLC0415 - a page of help needs none

    from psyche_sdk._generated.accounts import ROSTER_DISCRIMINATOR  # noqa: PLC0415 - as above
    from psyche_sdk._generated.layouts import ROSTER_ENTRY, ROSTER_HEADER  # noqa: PLC0415 - as above

    head = len(ROSTER_DISCRIMINATOR) + ROSTER_HEADER.itemsize
    count = (len(roster) - head) // ROSTER_ENTRY.itemsize
    found = []
    for slot, entry in enumerate(np.frombuffer(roster, ROSTER_ENTRY, count, head)):
        state = MEMBER_STATES[int(entry["state"])]
        if state == "free":
            continue
        found.append(
            {
                "slot": slot,
                "wallet": key(entry["wallet"]),
                "member_id": int(entry["member_id"]),
                "state": state,
                "weight": int(entry["weight"]),
                "misses": int(entry["misses"]),
                "points": int(entry["points"]),
            }
        )
    return found


def state_of(snapshot: Snapshot) -> State:
    """One reading of a run, as the live view wants it."""
    facts = run_facts(snapshot.run.data, str(snapshot.run.address))
    state = new_state(facts["id"], facts["total_steps"])
    state.update({name: facts[name] for name in ("phase", "deadline", "epoch", "round", "step")})
    state["members"] = [
        member | {"name": member["wallet"][:8], "role": ""}
        for member in member_facts(snapshot.roster.data)
        if member["state"] not in GONE
    ]
    state["chain"] = {"lamports_rent": snapshot.lamports}
    return state


def key(value: Any) -> str:
    """A public key in base58."""
    from solders.pubkey import Pubkey  # noqa: PLC0415 - a page of help needs no keys

    return str(Pubkey(bytes(value)))


def text(value: Any, length: Any) -> str:
    """The first `length` bytes as text; what is no UTF-8 or no printable character is replaced."""
    decoded = bytes(value)[: int(length)].decode("utf-8", "replace")
    return "".join(one if one.isprintable() else "?" for one in decoded)
