"""What a finished demo has to say: the JSON contract, and the folder from which it is replayed."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from psyche_client.demo.costs import Costs
from psyche_client.demo.director import Play, dense_bytes
from psyche_client.demo.stage import Stage
from psyche_client.events import Event
from psyche_client.sighting import read_facts

BITS = 8
LOSSES_MEAN = 3
"""First and last loss are means over so many rounds: a single round's is noise."""


def report(stage: Stage, play: Play, costs: Costs, state: dict[str, Any]) -> dict[str, Any]:
    """The object that `psyche demo --json` prints."""
    assert play.accounts is not None
    facts = read_facts(play.accounts.run.data)
    committed = list(_all(play, "committed"))
    payload_bytes = sum(event["bytes"] for event in committed)
    coefficients = sum(event["coefficients"] for event in committed)
    losses = [loss for _, loss in state["losses"]]
    validation = [event["loss"] for event in _all(play, "validation")]
    samples = [event["text"] for event in _all(play, "sample")]
    return {
        "rounds": stage.config.rounds.total_steps,
        "step": facts.step,
        "clients": len(play.clients) - len(play.joined),
        "killed": play.killed,
        "joined": [name for name in play.joined if _held_a_slot(play.events.get(name, []))],
        "first_loss": _mean(losses[:LOSSES_MEAN]),
        "last_loss": _mean(losses[-LOSSES_MEAN:]),
        "validation_loss_first": validation[0] if validation else None,
        "validation_loss_last": validation[-1] if validation else None,
        "payload_bytes_mean": payload_bytes / len(committed) if committed else None,
        "dense_bytes": dense_bytes(stage),
        "bits_per_coefficient": BITS * payload_bytes / coefficients if coefficients else None,
        "compute_units": dict(sorted(costs.units_max.items())),
        "transactions": costs.transactions,
        "lamports_spent": costs.fee_lamports,
        "lamports_rent": play.rent_lamports,
        "sequences": facts.sequences,
        "digests": {name: end["digest"] for name, end in _ends(play).items()},
        "chain_hash": facts.chain_hash.hex(),
        "seconds": round(time.time() - play.started, 1),
        "training_share": training_share(play),
        "sample": samples[-1] if samples else None,
    }


def disagreement(play: Play) -> str | None:
    """What is wrong with the clients' parameters at the end, in one line; None if nothing is."""
    assert play.accounts is not None
    chain_hash = read_facts(play.accounts.run.data).chain_hash.hex()
    stops = _ends(play)
    in_step = {name for name, end in stops.items() if end["chain_hash"] == chain_hash}
    if len({stops[name]["digest"] for name in in_step}) > 1:
        return f"{', '.join(sorted(in_step))} applied the same rounds and hold different parameters"
    late = [f"{name} at step {stops[name]['step']}" for name in sorted(set(stops) - in_step)]
    return f"not every client came to the last round: {', '.join(late)}" if late else None


def training_share(play: Play) -> float | None:
    """Time that clients trained over the time that they could have, while the run trained."""
    could = trained = 0.0
    for name, events in play.events.items():
        if name in play.killed:
            continue
        trains = [e for e in events if e["event"] == "training_seconds"]
        if not trains or not play.training_ended:
            continue
        first = trains[0]["t"] - trains[0]["seconds"]
        could += max(0.0, play.training_ended - first)
        trained += sum(event["seconds"] for event in trains)
    return round(min(1.0, trained / could), 4) if could else None


def write_folder(out: Path, stage: Stage, play: Play) -> None:
    """All that anyone needs to replay the run and arrive at the clients' bits."""
    assert play.accounts is not None
    out.mkdir(parents=True, exist_ok=True)
    for name in ("initial.safetensors", "model.json"):
        shutil.copyfile(stage.work / name, out / name)
    (out / "payloads").mkdir(exist_ok=True)
    rounds: dict[str, str] = {}
    keep_words(out, play)
    for client in play.clients:
        model = client.home / "model.safetensors"
        if model.exists():
            shutil.copyfile(model, out / client.name / model.name)
        for payload in (client.home / "payloads").glob("*.bin"):
            shutil.copyfile(payload, out / "payloads" / payload.name)
        history = client.home / "rounds.jsonl"
        if client.name not in play.killed and history.exists():
            for line in history.read_text().splitlines():
                rounds.setdefault(json.loads(line)["chain_hash"], line)
    ordered = sorted(rounds.values(), key=lambda line: json.loads(line)["step"])
    (out / "rounds.jsonl").write_text("".join(line + "\n" for line in ordered))
    (out / "accounts").mkdir(exist_ok=True)
    for name in ("run", "roster", "rounds"):
        (out / "accounts" / f"{name}.bin").write_bytes(getattr(play.accounts, name).data)


def keep_words(out: Path, play: Play) -> None:
    """What each client wrote down and said: also of a demo that failed."""
    for client in play.clients:
        target = out / client.name
        target.mkdir(parents=True, exist_ok=True)
        for name in ("events.jsonl", "client.log"):
            if (client.home / name).exists():
                shutil.copyfile(client.home / name, target / name)


def _ends(play: Play) -> dict[str, Event]:
    """The last word of each member that ended by itself; who came too late for a slot has none."""
    return {
        name: events[-1]
        for name, events in play.events.items()
        if name not in play.killed and _held_a_slot(events) and events[-1]["event"] == "stop"
    }


def _held_a_slot(events: Iterable[Event]) -> bool:
    return any(event["event"] == "joined" for event in events)


def _all(play: Play, name: str) -> Iterable[Event]:
    return (e for events in play.events.values() for e in events if e["event"] == name)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
