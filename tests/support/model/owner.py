"""The owner's instructions (PROTOCOL.md sections 3 and 4)."""

from __future__ import annotations

from psyche_sdk.instructions import RunConfig
from support.model import checkpoints, machine, members, points, rounds, settings, settle, votes
from support.model.acts import refuse
from support.model.state import State
from support.model.words import MEMBERS, Moment, Phase, Place

#: An abort waits 11 times the phase's seconds.
ABORT = 11
#: Bytes of a URI of model.json, and of the text about a run.
URI, TEXT = 128, 256
NOBODY = bytes(32)


def _own(state: State, signer: bytes) -> None:
    refuse({"Unauthorized": signer != state.owner})


def resume(state: State, signer: bytes, now: Moment) -> None:
    """Paused to WaitingForMembers, or to Finished."""
    _own(state, signer)
    refuse({"WrongPhase": state.phase is not Phase.PAUSED})
    finished = state.step >= state.config.total_steps
    rounds.enter(state, Phase.FINISHED if finished else Phase.WAITING, now)
    members.count(state, now)


def pause(state: State, signer: bytes, now: Moment) -> None:
    """At once, or after draining and Cooldown."""
    _own(state, signer)
    refuse(
        {
            "WrongPhase": state.phase is Phase.PAUSED,
            "PauseAlreadyRequested": state.pause_requested,
        }
    )
    if state.phase in (Phase.TRAIN, Phase.WITNESS, Phase.COOLDOWN):
        state.pause_requested = True
    else:
        machine.pause_now(state, now)


def abort(state: State, signer: bytes, now: Moment) -> None:
    """To Paused; what is in flight goes to the backlog."""
    _own(state, signer)
    seconds = {
        Phase.WARMUP: state.config.warmup_seconds,
        Phase.TRAIN: state.config.train_seconds,
        Phase.WITNESS: state.config.witness_seconds,
        Phase.COOLDOWN: state.config.cooldown_seconds,
    }.get(state.phase)
    refuse({"WrongPhase": seconds is None})
    assert seconds is not None
    refuse({"TooEarly": not state.began.over(ABORT * seconds, now)})
    if votes.is_open(state) and state.phase in (Phase.WARMUP, Phase.COOLDOWN):
        machine.decide(state, now)
    settle.give_back_all(state)
    while points.lowest(state) is not None:
        points.finalise_lowest(state, now)
    checkpoints.finish(state)
    votes.forget(state)
    for slot in state.slots(Place.ACTIVE):
        members.put(state, slot, Place.JOINED, now)
    machine.next_epoch(state)
    machine.pause_now(state, now)


def update_config(
    state: State, signer: bytes, config: RunConfig, reset_positions: bool, now: Moment
) -> None:
    """Only while Paused; the data set only while nothing waits, or with all positions reset."""
    del now
    _own(state, signer)
    old = state.config
    data = (config.data_seed, config.data_sequences, config.sequence_tokens) != (
        old.data_seed,
        old.data_sequences,
        old.sequence_tokens,
    )
    waits = bool(state.backlog) or state.in_flight > 0
    refuse(
        {
            "WrongPhase": state.phase is not Phase.PAUSED,
            "DataInUse": data and waits and not reset_positions,
            **settings.wrong(config, state.capacity),
        }
    )
    state.config, state.next_rates = config, None
    if reset_positions:
        state.fresh = state.repeated = state.accepted = state.in_flight = 0
        state.backlog = []


def set_rates(state: State, signer: bytes, rates: tuple[int, int, int], now: Moment) -> None:
    """Section 3: noted in any phase, in force when the epoch counts up."""
    del now
    _own(state, signer)
    state.next_rates = rates


def propose(state: State, signer: bytes, proposed: bytes) -> None:
    """Section 3: the first step of handing the run over; zero withdraws."""
    _own(state, signer)
    refuse({"AuthorityUnchanged": proposed == state.owner})
    state.proposed = proposed


def accept(state: State, signer: bytes) -> None:
    """The second step, by who was proposed."""
    refuse({"Unauthorized": signer != state.proposed})
    state.owner, state.proposed = signer, NOBODY


def update_model(state: State, signer: bytes, digest: bytes, uri: str) -> None:
    """Only while Paused."""
    _own(state, signer)
    long = len(uri.encode()) > URI
    refuse({"WrongPhase": state.phase is not Phase.PAUSED, "ModelUriTooLong": long})
    state.model = (digest, uri)


def update_metadata(state: State, signer: bytes, text: str) -> None:
    """In any phase."""
    _own(state, signer)
    refuse({"MetadataTooLong": len(text.encode()) > TEXT})
    state.metadata = text


def close_run(state: State, signer: bytes, now: Moment) -> None:
    """Only without members, Paused or Finished; what is left here is nobody's any more."""
    del now
    _own(state, signer)
    refuse(
        {
            "WrongPhase": state.phase not in (Phase.PAUSED, Phase.FINISHED),
            "MembersRemain": bool(state.slots(*MEMBERS)),
            "PointsRemain": any(entry.points or entry.slashed for entry in state.entries),
            "BondsRemain": any(entry.bond for entry in state.entries),
        }
    )
