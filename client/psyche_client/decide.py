"""What a client does next: a pure, total function of what it sees and what it holds.

The node asks `decide` again after every change of the chain, of its peers and of its own work.
One answer is one step; everything long (training, fetching) runs beside the loop and shows up here
only as a fact about the client (`Me`). So the whole behaviour of a client is one table that a test
walks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """The phases of a run, numbered as the program stores them."""

    PAUSED = 0
    WAITING_FOR_MEMBERS = 1
    WARMUP = 2
    TRAIN = 3
    WITNESS = 4
    COOLDOWN = 5
    FINISHED = 6


class Standing(Enum):
    """A wallet's place in the roster; NONE: it holds no slot."""

    NONE = "none"
    JOINED = "joined"
    READY = "ready"
    ACTIVE = "active"
    BEHIND = "behind"
    EJECTED = "ejected"


class VoteStage(Enum):
    """How far a vote on the parameters is open to this client."""

    CLOSED = "closed"
    COMMIT = "commit"
    REVEAL = "reveal"


class Step(Enum):
    """One thing to do."""

    APPLY = "apply the next settled round"
    RESYNC = "load an agreed state from peers and replay"
    SAY_MISSING = "say that an accepted payload is nowhere to be had"
    SAY_BEHIND = "tell the chain that this client cannot follow"
    JOIN = "take a slot"
    SAY_READY = "name the state that this client holds"
    TRAIN = "start training the drawn share"
    COMMIT = "commit to the payload"
    ATTEST = "attest the payloads held"
    VOTE = "send the hidden digest"
    REVEAL = "open the digest"
    PUBLISH = "say where the agreed parameters lie"
    CHECK = "fetch the drawn piece from who published"
    CONFIRM = "say that what was published is right"
    TICK = "make the transition that is due"
    LEAVE = "hand the slot back"
    FINISH = "keep the model and stop"
    WAIT = "wait for a change"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the chain shows of the run and of this wallet."""

    phase: Phase
    standing: Standing = Standing.NONE
    trains: bool = False
    """Drawn as a trainer of the current round, with a share that is not empty."""
    committed: bool = False
    witnesses: bool = False
    """Drawn as a witness of the round whose payloads are attested now."""
    attest_open: bool = False
    attest_late: bool = False
    """Half of the time to attest went by: attest what is held."""
    missing_late: bool = False
    """A quarter of the time went by since a round settled: its payloads could have come."""
    attestable: frozenset[int] = frozenset()
    """Slots that committed in the attested round."""
    attested: frozenset[int] = frozenset()
    attested_once: bool = False
    vote: VoteStage = VoteStage.CLOSED
    voted: bool = False
    revealed: bool = False
    publishes: bool = False
    """It is this client's turn to publish the agreed parameters."""
    offers: frozenset[int] = frozenset()
    """Places of what was published, and this client shall confirm now."""
    due: bool = False
    """A transition would happen if somebody sent `tick`."""
    my_turn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """What this client holds and is doing."""

    synced: bool = False
    """The parameters hold every settled round."""
    can_apply: bool = False
    """The next settled round's accepted payloads are all here."""
    missing: int | None = None
    """The slot whose accepted payload is not here, and this client has not said so yet."""
    lost: bool = False
    """The next settled round can no longer be had from the records on chain."""
    resyncing: bool = False
    training: bool = False
    payload_ready: bool = False
    held: frozenset[int] = frozenset()
    """Slots whose committed payload of the attested round is here and of the right form."""
    vote_ready: bool = False
    """The digest of the state under vote is known here."""
    serves_agreed: bool = False
    """Peers can fetch the agreed parameters here."""
    checking: frozenset[int] = frozenset()
    """Places from which this client fetches, or in vain tried to."""
    checked: frozenset[int] = frozenset()
    """Places from which manifest and drawn piece came, and were right."""
    stopping: bool = False
    needed: bool = False
    """The run is finished, but a member that lags is connected."""
    patient: bool = False
    """The run was finished not long ago: there is still time to catch up."""


def decide(view: View, me: Me) -> Step:
    """The next step. Total: every view and every state of the client has an answer."""
    if me.stopping:
        return Step.FINISH if view.standing in (Standing.NONE, Standing.EJECTED) else Step.LEAVE
    if view.standing is Standing.EJECTED:
        return Step.FINISH
    if me.training and view.phase is Phase.TRAIN:
        return _work(view, me)  # the parameters must not change under the gradient
    if view.phase is Phase.FINISHED:
        return _end(view, me)
    return _follow(view, me) or _work(view, me)


def _end(view: View, me: Me) -> Step:
    """After the last round: catch up if need be, serve those that lag, then hand the slot back.

    A member that stayed would keep its bond on the roster, and the run from being closed.
    """
    if view.standing is Standing.NONE:
        # Peers serve members alone, but what is here already can still be applied.
        return Step.APPLY if me.can_apply and me.patient and not me.training else Step.FINISH
    if me.synced or not me.patient:
        return Step.WAIT if me.synced and me.needed and me.patient else Step.LEAVE
    if me.can_apply and not me.training:
        return Step.APPLY
    return Step.RESYNC if me.lost and not (me.training or me.resyncing) else Step.WAIT


def _follow(view: View, me: Me) -> Step | None:
    """Membership and keeping up; None once this client may work."""
    if view.standing is Standing.NONE:
        return Step.JOIN  # before anything else: peers speak to members alone
    if me.resyncing:
        return _duty(view) if view.standing is Standing.ACTIVE else Step.WAIT
    if me.can_apply and not me.training:
        return Step.APPLY
    if me.missing is not None and view.missing_late and view.standing is Standing.ACTIVE:
        return Step.SAY_MISSING  # and wait for what the chain makes of it
    if me.lost and not me.training:
        return Step.SAY_BEHIND if view.standing is Standing.ACTIVE else Step.RESYNC
    waits = view.standing in (Standing.JOINED, Standing.BEHIND)
    if waits and me.synced and view.phase is not Phase.COOLDOWN:
        return Step.SAY_READY
    return None


def _work(view: View, me: Me) -> Step:
    """The duties of a round, most urgent first."""
    if view.phase is Phase.TRAIN and view.trains and not view.committed:
        if me.payload_ready:
            return Step.COMMIT
        if me.synced and not me.training:
            return Step.TRAIN
    if view.witnesses and view.attest_open:
        ready = me.held & view.attestable
        complete = ready == view.attestable and bool(ready)
        news = bool(ready - view.attested) or not view.attested_once
        if news and (complete or view.attest_late):
            return Step.ATTEST
    if me.vote_ready and view.vote is VoteStage.COMMIT and not view.voted:
        return Step.VOTE
    if me.vote_ready and view.vote is VoteStage.REVEAL and view.voted and not view.revealed:
        return Step.REVEAL
    return _checkpoint(view, me) or _duty(view)


def _checkpoint(view: View, me: Me) -> Step | None:
    """What there is to publish, to look at and to confirm at an epoch's end."""
    if view.publishes and me.serves_agreed:
        return Step.PUBLISH
    if view.offers & me.checked:
        return Step.CONFIRM
    return Step.CHECK if view.offers - me.checking - me.checked else None


def _duty(view: View) -> Step:
    """What any member owes the run, whatever else it does."""
    return Step.TICK if view.due and view.my_turn else Step.WAIT
