"""What a wallet sees of checkpoints: whether to publish, and whose publication to look at.

Two confirmations are enough, and everybody may give one: members act one after the other, in the
order in which they tick, so that a large run does not fetch and send for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from psyche_client.seen import CheckpointSeen, KeptCheckpoint, Offer
from psyche_sdk import views
from psyche_sdk._rules.phase import Moment, Phase
from psyche_sdk._rules.roster import Member, Roster
from psyche_sdk._rules.run import Run

AT_ONCE = 2
"""Members that look at a publication at the same time."""


MyTurn = Callable[[str, tuple[object, ...], int | None], bool]
"""Whether it is the turn of the member at a place, in some matter, while some thing is due."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is.

    Attributes:
        order: slots, the first to act first.
        mine: see `MyTurn`.
    """

    order: Sequence[int]
    mine: MyTurn


def checkpoint_seen(
    run: Run,
    roster: Roster,
    me: Member | None,
    now: Moment,
    turn: Turn,
) -> CheckpointSeen | None:
    """What there is to do in Cooldown once a digest is agreed; None: nothing."""
    vote, agreed = run.vote, run.agreed
    if run.phase is not Phase.COOLDOWN or vote is None or not vote.agreed:
        return None
    if me is None or agreed is None or views.checkpoint_confirmed(run, roster):
        return None
    return CheckpointSeen(
        digest=agreed.digest,
        publish=_publishes(run, me, now, turn),
        offers=tuple(_offers(run, roster, me, turn)),
    )


def _publishes(run: Run, me: Member, now: Moment, turn: Turn) -> bool:
    """Who was drawn publishes at once; after half of Cooldown others do in turn."""
    if not views.may_publish(run, me, now):
        return False
    if (me.slot, me.member_id) in run.publishers:
        return True
    pending = run.pending_checkpoint
    published = 0 if pending is None else len(pending.publications)
    return turn.mine("publish", (run.epoch, published), _index(turn.order, me.slot))


def _offers(run: Run, roster: Roster, me: Member, turn: Turn) -> Iterator[Offer]:
    agreed = run.agreed
    members = {member.member_id: member for member in roster.members()}
    nodes = {member.node_key for member in members.values()} - {me.node_key}
    for published in views.to_confirm(run, me):
        node_key = views.node_of(published.uri)
        publisher = members.get(published.publisher)
        others = [slot for slot in turn.order if publisher is None or slot != publisher.slot]
        place = _index(others, me.slot)
        after = None if place is None else place // AT_ONCE
        mine = turn.mine(f"confirm {published.place}", (run.epoch, published.publisher), after)
        # Who is no member cannot be asked.
        if mine and node_key in nodes and node_key is not None and agreed is not None:
            yield Offer(
                epoch=run.epoch,
                place=published.place,
                node_key=node_key,
                digest=agreed.digest,
                seed=views.publisher_seed(run),
            )


def _index(order: Sequence[int], slot: int) -> int | None:
    return order.index(slot) if slot in order else None


def kept_checkpoint(run: Run) -> KeptCheckpoint | None:
    """The newest checkpoint that the run keeps."""
    if not run.checkpoints:
        return None
    newest = run.checkpoints[-1]
    return KeptCheckpoint(
        epoch=newest.epoch,
        step=newest.step,
        digest=newest.digest,
        confirmations=newest.confirmations,
        uris=tuple(one.uri for one in newest.publications),
    )


def sources_of(run: Run, digest: bytes) -> tuple[str, ...]:
    """Where kept checkpoints with this digest lie."""
    return tuple(
        published.uri
        for checkpoint in reversed(run.checkpoints)
        if checkpoint.digest == digest
        for published in checkpoint.publications
    )
