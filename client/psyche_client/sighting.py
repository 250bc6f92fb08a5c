"""From the three accounts of a run to what one wallet sees of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from psyche_client.decide import Phase, Standing, VoteStage
from psyche_client.offers import Turn, checkpoint_seen, kept_checkpoint, sources_of
from psyche_client.payloads import PayloadKey
from psyche_client.seen import AgreedState, Commitment, RoundSeen, Seat, Sight, StateVoteSeen
from psyche_sdk import views
from psyche_sdk._generated import layouts
from psyche_sdk._generated.types import RunConfig
from psyche_sdk._rules.phase import Moment
from psyche_sdk._rules.roster import Member, MemberState, Roster, decode_roster
from psyche_sdk._rules.roster import VoteStage as EntryStage
from psyche_sdk._rules.rounds import RoundRecord, decode_rounds
from psyche_sdk._rules.run import Run, StateRecord, VoteKind, decode_run
from psyche_sdk._rules.slots import frees, is_free
from psyche_sdk.coordinator import Snapshot
from psyche_sdk.errors import AccountInvalid

MICRO = 1_000_000
TURN_SECONDS = 0.5
"""How long each member, in drawn order, leaves a due tick to those before it."""
STANDINGS = {
    MemberState.JOINED: Standing.JOINED,
    MemberState.READY: Standing.READY,
    MemberState.ACTIVE: Standing.ACTIVE,
    MemberState.BEHIND: Standing.BEHIND,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a client must know of a run before it can take part, and what a report says of it."""

    instance: bytes
    capacity: int
    payload_bytes_max: int
    config: RunConfig
    model_hash: bytes
    model_uri: str
    step: int
    chain_hash: bytes
    sequences: dict[str, int]


def read_facts(data: bytes) -> RunFacts:
    """The facts in a `Run` account.

    Raises:
        AccountError: it is none.
    """
    run = decode_run(data)
    return RunFacts(
        instance=run.instance,
        capacity=run.capacity,
        payload_bytes_max=run.config.payload_bytes_max,
        config=run.config,
        model_hash=run.model_hash,
        model_uri=run.model_uri,
        step=run.step,
        chain_hash=run.chain_hash,
        sequences={
            "fresh": run.fresh_cursor,
            "repeated": run.repeated,
            "accepted": run.accepted,
            "in_flight": run.in_flight,
            "backlog": run.backlog_positions,
        },
    )


class Turns:
    """Since when a thing is due, as this client saw it: members act one after the other."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, tuple[tuple[object, ...], float]] = {}

    def mine(self, due: tuple[object, ...], place: int | None) -> bool:
        """Whether it is the turn of the member at this place (None: of no member) to tick."""
        return self.of("tick", due, place)

    def of(self, matter: str, due: tuple[object, ...], place: int | None) -> bool:
        """The same of any matter; its turns begin anew when another thing is due in it."""
        last, since = self._since.get(matter, ((), 0.0))
        if due != last:
            since = self._clock()
            self._since[matter] = due, since
        return place is not None and self._clock() - since >= place * TURN_SECONDS


def read_sight(snapshot: Snapshot, wallet: bytes, turns: Turns, *, now: float) -> Sight:
    """The run as one wallet sees it.

    Raises:
        AccountError: an account is damaged.
    """
    run = decode_run(snapshot.run.data)
    roster = decode_roster(snapshot.roster.data)
    records = decode_rounds(snapshot.rounds.data)
    if any(capacity != run.capacity for capacity in _capacities(roster, records)):
        raise AccountInvalid(snapshot.roster.address, "it has other slots than the run")
    me = roster.find(wallet)
    moment = Moment(int(now), snapshot.chain_slot)
    due = views.due_transition(run, roster, records, moment)
    order = views.tick_order(run, roster)
    place = order.index(me.slot) if me is not None and me.slot in order else None
    return Sight(
        chain_slot=snapshot.chain_slot,
        phase=Phase(int(run.phase)),
        epoch=run.epoch,
        round=run.round,
        step=run.step,
        overlap=run.config.overlap,
        deadline=run.phase_deadline,
        chain_hash=run.chain_hash,
        standing=_standing(roster, me, wallet),
        seat=_seat(me) if me is not None else None,
        seats=tuple(_seat(member) for member in roster.members()),
        rounds=tuple(_round(record, me, run) for record in records),
        states=_states(run),
        vote=_vote(run, me, moment),
        due=due is not None,
        my_turn=due is not None and turns.mine((due, run.epoch, run.round, run.phase), place),
        attest_late=_is_late(run, moment.time),
        missing_late=_is_missing_late(run, moment.time),
        checkpoint=checkpoint_seen(run, roster, me, moment, Turn(order, turns.of)),
        kept=kept_checkpoint(run),
    )


def _capacities(roster: Roster, records: list[RoundRecord]) -> list[int]:
    return [roster.capacity, *(record.capacity for record in records)]


def free_slots(snapshot: Snapshot) -> list[int]:
    """Slots that a newcomer may take, ascending."""
    run, roster = decode_run(snapshot.run.data), decode_roster(snapshot.roster.data)
    return [slot for slot in range(roster.capacity) if is_free(run, roster.member(slot))]


def freed_slots(snapshot: Snapshot) -> list[Member]:
    """Slots, with their former holders, that are free once something is collected from them."""
    run, roster = decode_run(snapshot.run.data), decode_roster(snapshot.roster.data)
    members = [roster.member(slot) for slot in range(roster.capacity)]
    return [one for one in members if frees(run, one) and not is_free(run, one)]


def participant_address_text(data: bytes) -> str:
    """Where a participant says that its node is; empty if it does not."""
    participant = layouts.decode_participant(data)
    text: bytes = participant["address"].tobytes()[: int(participant["address_len"])]
    return text.decode("utf-8", errors="replace")


def _standing(roster: Roster, me: Member | None, wallet: bytes) -> Standing:
    if me is not None:
        return STANDINGS[me.state]
    ejected = roster.slots(MemberState.EJECTED)
    thrown_out = any(roster.member(slot).wallet == wallet for slot in ejected)
    return Standing.EJECTED if thrown_out else Standing.NONE


def _seat(member: Member) -> Seat:
    return Seat(
        slot=member.slot,
        member_id=member.member_id,
        wallet=member.wallet,
        node_key=member.node_key,
        state=STANDINGS[member.state],
        misses=member.misses,
    )


def _round(record: RoundRecord, me: Member | None, run: Run) -> RoundSeen:
    role = views.my_role(record, me)
    commitments = {slot: _commitment(record, slot) for slot in views.committed(record)}
    place = role.witness
    heard = record.attested | record.witnesses_gone
    accepted = views.accepted(record) if record.settled else []
    return RoundSeen(
        epoch=record.epoch,
        round=record.round,
        step=record.step,
        capacity=record.capacity,
        drain=record.is_drain,
        train_closed=record.train_closed_at is not None,
        entropy_stored=record.entropy is not None and not record.redraws,
        entropy=record.entropy or b"",
        settled=record.settled,
        commitments=commitments,
        accepted=tuple(slot for slot in accepted if slot in commitments),
        chain_hash_before=record.chain_hash_before,
        chain_hash_after=record.chain_hash_after,
        witness=place,
        attested_bits=frozenset(views.attested_by(record, place) if place is not None else ()),
        attested=place is not None and bool(record.attested >> place & 1),
        filter=views.bloom_filter(run, record, place) if place is not None else None,
        awaited=record.expected - record.committed_count - record.gone,
        unattested=len(record.witnesses) - heard.bit_count(),
        complaints=record.complaints if views.complaints_open(run, record) else (),
        complaint_openers=record.complaint_openers,
        **({"positions": views.batch_of(record, me.slot)} if me and role.trains else {}),
    )


def _commitment(record: RoundRecord, slot: int) -> Commitment:
    key = PayloadKey(
        epoch=record.epoch,
        round=record.round,
        slot=slot,
        member_id=int(record.member_ids[slot]),
        step=record.step,
    )
    return Commitment(
        key=key,
        digest=record.commitment(slot),
        size=int(record.sizes[slot]),
        loss=int(record.losses_micronats[slot]) / MICRO,
        tokens=int(record.tokens[slot]),
    )


def _states(run: Run) -> tuple[AgreedState, ...]:
    found = [*([run.agreed] if run.agreed is not None else []), *run.snapshots]
    return tuple(_state(record, sources_of(run, record.digest)) for record in found)


def _state(record: StateRecord, sources: tuple[str, ...]) -> AgreedState:
    return AgreedState(
        epoch=record.epoch,
        round=record.round,
        step=record.step,
        digest=record.digest,
        chain_hash=record.chain_hash,
        sources=sources,
    )


def _vote(run: Run, me: Member | None, now: Moment) -> StateVoteSeen | None:
    vote = run.vote
    if vote is None or me is None or me.vote_stage is EntryStage.NONE:
        return None
    closed = vote.kind is VoteKind.SNAPSHOT and (
        run.epoch != vote.epoch or run.round >= vote.close_round
    )
    stage = VoteStage.REVEAL if views.reveals_open(run, now) else VoteStage.COMMIT
    return StateVoteSeen(
        epoch=vote.epoch,
        round=vote.round,
        step=vote.step,
        chain_hash=vote.chain_hash,
        stage=VoteStage.CLOSED if closed else stage,
        voted=me.vote_stage is not EntryStage.MAY,
        revealed=me.vote_stage is EntryStage.REVEALED,
    )


def _is_late(run: Run, now: int) -> bool:
    half = run.config.witness_seconds / 2
    return Phase(int(run.phase)) is Phase.WITNESS and now >= run.phase_deadline - half


def _is_missing_late(run: Run, now: int) -> bool:
    """Whether a quarter of the time went by, in Train or Cooldown, since the last round settled."""
    seconds = {Phase.TRAIN: run.config.train_seconds, Phase.COOLDOWN: run.config.cooldown_seconds}
    whole = seconds.get(Phase(int(run.phase)))
    return whole is not None and now >= run.phase_deadline - whole * 3 / 4
