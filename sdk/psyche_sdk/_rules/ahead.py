"""The share that a member has in the next round, as far as it is known already."""

from collections.abc import Sequence

from psyche_sdk._rules.backlog import Backlog, Interval
from psyche_sdk._rules.batch import batch_sequences
from psyche_sdk._rules.draw import draw_roles
from psyche_sdk._rules.due import record_of
from psyche_sdk._rules.hashing import Purpose, draw_seed
from psyche_sdk._rules.phase import Next, Phase, SettledView, after_settle
from psyche_sdk._rules.roster import Member, MemberState, Roster
from psyche_sdk._rules.rounds import RoundRecord
from psyche_sdk._rules.run import Run
from psyche_sdk._rules.shares import share_ends


def share_ahead(
    run: Run, roster: Roster, records: Sequence[RoundRecord], member: Member
) -> list[Interval]:
    """The positions that a member trains in the next round, if nothing changes until then.

    Its roles come from the entropy of the round before this one, or of Warmup. What settles
    meanwhile may change weights and backlog, and members may come and go: then the share is
    another. Empty while nothing is known, and where no round of training follows.
    """
    entropy = _roles_entropy(run, records)
    if run.phase not in (Phase.TRAIN, Phase.WITNESS) or entropy is None or not _goes_on(run):
        return []
    config, number = run.config, run.round + 1
    seed = draw_seed(run.instance, run.epoch, number, Purpose.ROLES, entropy)
    active = roster.slots(MemberState.ACTIVE)
    _, order = draw_roles(seed, active, config.verification_percent)
    if member.slot not in order:
        return []
    batch = batch_sequences(
        config.batch_sequences_start, config.batch_sequences_end, config.batch_ramp_steps, run.step
    )
    taken = Backlog(len(run.backlog) + 1, list(run.backlog)).take(batch, run.fresh_cursor)
    weights = [int(roster.entries["weight"][slot]) for slot in order]
    ends = [0, *share_ends(taken.sequences, config.share_percent_max, weights)]
    place = order.index(member.slot)
    return parts(taken.segments, ends[place], ends[place + 1])


def _roles_entropy(run: Run, records: Sequence[RoundRecord]) -> bytes | None:
    """What decides the next round's roles; None while that is not stored."""
    if run.round == 0:
        return run.entropy
    before = record_of(records, run.epoch, run.round - 1)
    return before.entropy if before is not None else None


def _goes_on(run: Run) -> bool:
    view = SettledView(
        round=run.round,
        overlap=run.config.overlap,
        training_rounds=run.training_rounds,
        epoch_rounds=run.config.epoch_rounds,
        step=run.step,
        total_steps=run.config.total_steps,
        pause_asked=run.pause_requested,
        active=run.active,
        min_members=run.config.min_members,
        draws_failed=False,
    )
    return after_settle(view)[0] is Next.TRAIN


def parts(segments: Sequence[Interval], start: int, end: int) -> list[Interval]:
    """What the offsets `start` .. `end` of a round's positions are, in order."""
    found, offset = [], 0
    for segment in segments:
        length = segment.end - segment.start
        low, high = max(start - offset, 0), min(end - offset, length)
        if low < high:
            found.append(Interval(segment.start + low, segment.start + high))
        offset += length
    return found
