"""A run's accounts as plain values, for printing and for the live view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from psyche_client.cli.state import State, new_state

if TYPE_CHECKING:
    from psyche_sdk.coordinator import Snapshot
    from psyche_sdk.views import Checkpoint, RoundRecord, Run

TIMED = ("warmup", "train", "witness", "cooldown")
"""Phases that end by the clock at the latest."""


def run_facts(data: bytes, address: str = "") -> dict[str, Any]:
    """What there is to say of a run, from the bytes of its account.

    Raises:
        AccountInvalid: they are no run's.
    """
    from psyche_sdk.views import decode_run  # noqa: PLC0415 - it imports numpy

    run = decode_run(data)
    return {
        "address": address,
        "id": run.run_id,
        "creator": key(run.creator),
        "authority": key(run.authority),
        "join_authority": key(run.join_authority) if run.join_authority else None,
        "bond_lamports": run.config.bond_lamports,
        "instance": run.instance.hex(),
        "phase": phase_words(run),
        "deadline": run.phase_deadline if phase_words(run) in TIMED else None,
        "pause_requested": run.pause_requested,
        "epoch": run.epoch,
        "round": run.round,
        "step": run.step,
        "total_steps": run.config.total_steps,
        "members": {name: getattr(run, name) for name in ("joined", "ready", "active", "behind")},
        "capacity": run.capacity,
        "sequences": {
            "fresh": run.fresh_cursor,
            "repeated": run.repeated,
            "accepted": run.accepted,
            "in_flight": run.in_flight,
            "backlog": run.backlog_positions,
        },
        "chain_hash": run.chain_hash.hex(),
        "agreed_digest": run.agreed.digest.hex() if run.agreed else None,
        "checkpoint": checkpoint_facts(run.checkpoints[-1]) if run.checkpoints else None,
        "model_hash": run.model_hash.hex(),
        "model_uri": run.model_uri,
    }


def checkpoint_facts(kept: Checkpoint) -> dict[str, Any]:
    """What there is to say of a checkpoint that the run keeps."""
    return {
        "epoch": kept.epoch,
        "step": kept.step,
        "digest": kept.digest.hex(),
        "confirmations": kept.confirmations,
        "uris": [one.uri for one in kept.publications],
    }


def config_facts(data: bytes) -> dict[str, int | str]:
    """The configuration that stands on chain, by the program's own names."""
    from psyche_sdk.views import decode_run  # noqa: PLC0415 - it imports numpy

    fields = asdict(decode_run(data).config)
    del fields["reserved"]
    return {
        name: bytes(value).hex() if isinstance(value, bytes | list | tuple) else int(value)
        for name, value in fields.items()
    }


def member_facts(roster: bytes) -> list[dict[str, Any]]:
    """The members that hold a slot, from the bytes of the roster, in slot order.

    Raises:
        AccountInvalid: they are no roster's.
    """
    from psyche_sdk.views import decode_roster  # noqa: PLC0415 - it imports numpy

    return [
        {
            "slot": member.slot,
            "wallet": key(member.wallet),
            "member_id": member.member_id,
            "state": member.state.name.lower(),
            "weight": member.weight,
            "misses": member.misses,
            "points": member.points,
        }
        for member in decode_roster(roster).members()
    ]


def state_of(snapshot: Snapshot, before: State | None = None) -> State:
    """One reading of a run, as the live view wants it; losses seen before are kept."""
    from psyche_sdk import views  # noqa: PLC0415 - it imports numpy

    run, records = views.decode_run(snapshot.run.data), views.decode_rounds(snapshot.rounds.data)
    state = before or new_state(run.run_id, run.config.total_steps)
    words = phase_words(run)
    state.update(phase=words, epoch=run.epoch, round=run.round, step=run.step)
    state["checkpoint"] = checkpoint_facts(run.checkpoints[-1]) if run.checkpoints else None
    state["deadline"] = run.phase_deadline if words in TIMED else None
    record = views.record_of(records, run.epoch, run.round)
    state["members"] = []
    for member in views.decode_roster(snapshot.roster.data).members():
        role = views.my_role(record, member)
        roles = [("trainer", role.trains), ("witness", role.witness is not None)]
        state["members"].append(
            {
                "slot": member.slot,
                "name": key(member.wallet)[:8],
                "state": member.state.name.lower(),
                "role": "+".join(name for name, has in roles if has),
                "misses": member.misses,
                "tokens_per_second": _speed(record, member.slot),
            }
        )
    _add_rounds(state, records)
    state["chain"] = {"lamports_rent": snapshot.lamports}
    return state


def phase_words(run: Run) -> str:
    """The phase in words."""
    return run.phase.name.lower().replace("_", " ")


def key(value: bytes) -> str:
    """A public key in base58."""
    from solders.pubkey import Pubkey  # noqa: PLC0415 - a page of help needs no keys

    return str(Pubkey(value))


def _add_rounds(state: State, records: Sequence[RoundRecord]) -> None:
    """Losses and payloads of rounds whose training is over, as their trainers reported them."""
    from psyche_sdk.views import committed, loss_nats  # noqa: PLC0415 - it imports numpy

    for record in sorted(records, key=lambda one: one.step):
        last = state["losses"][-1][0] if state["losses"] else -1
        loss = loss_nats(record) if record.train_closed_at is not None else None
        if loss is not None and record.step > last and not record.is_drain:
            state["losses"].append([record.step, loss])
            sizes = [int(record.sizes[slot]) for slot in committed(record)]
            state["payloads"] += len(sizes)
            state["payload_bytes"] += sum(sizes)


def _speed(record: RoundRecord | None, slot: int) -> float | None:
    """Tokens a second that a trainer reported in this round; None before it committed."""
    if record is None or not record.milliseconds[slot]:
        return None
    return float(record.tokens[slot]) * 1_000 / float(record.milliseconds[slot])
