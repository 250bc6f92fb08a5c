"""What auditors and committees send (PROTOCOL.md sections 10b, 13)."""

from __future__ import annotations

from psyche_sdk import instructions as build
from support.model import verify
from support.model.acts import own, refuse
from support.model.audited import Audit, Case, Chair, Chaired
from support.model.record import Round
from support.model.state import Entry, State
from support.model.words import Moment, sha

SCORES = ("jaccard", "hamming", "manhattan", "alignment")


def _place(state: State, epoch: int, number: int) -> tuple[Round | None, dict[str, bool]]:
    record = state.record(number) if number < state.round else None
    return record, {
        "WrongPhase": state.phase not in verify.RUNNING,
        "WrongRound": record is None or epoch != state.epoch,
    }


def _scores(found: build.Verdict) -> tuple[int, int, int, int]:
    jaccard, hamming, manhattan, alignment = (getattr(found, f"{name}_permille") for name in SCORES)
    return jaccard, hamming, manhattan, alignment


def _fair(state: State, found: build.Verdict) -> dict[str, bool]:
    """What speaks against a verdict as such."""
    jaccard, hamming, manhattan, alignment = _scores(found)
    config = state.config
    passes = (
        jaccard >= config.jaccard_min_permille
        and hamming <= config.hamming_max_permille
        and manhattan <= config.manhattan_max_permille
        and alignment >= config.alignment_min_permille
    )
    return {
        "ScoreOutOfRange": max(jaccard, hamming, manhattan, abs(alignment)) > 1_000,
        "ScoresFail": found.passes and not passes,
    }


def verdict(state: State, wallet: bytes, args: build.VerdictArgs, now: Moment) -> None:
    """An auditor's word."""
    entry, reasons = own(state, wallet, args.slot)
    record, more = _place(state, args.epoch, args.round)
    audit = _audit(record, args.slot, entry)
    said = (1 if args.verdict.passes else 2, _scores(args.verdict))
    refuse(
        {
            **reasons,
            **more,
            **_fair(state, args.verdict),
            "VerdictClosed": record is not None and not verify.window(state, record, now).audit,
            "AuditsNotDrawn": record is not None and not record.audits_drawn,
            "NotAVerifier": audit is None
            or audit.target is None
            or audit.target != args.verdict.target,
            "VerdictDiffers": audit is not None
            and audit.word != 0
            and (audit.word, audit.scores) != said,
        }
    )
    assert audit is not None
    if audit.word:
        return
    entry.seen = now
    audit.word, audit.scores = said
    if not args.verdict.passes:
        audit.case, audit.noted = Case.OPENED, now.chain_slot + 2


def _audit(record: Round | None, slot: int, entry: Entry) -> Audit | None:
    every = [] if record is None else record.audits
    mine = (one for one in every if (one.slot, one.member_id) == (slot, entry.member_id))
    return next(mine, None)


def _chair(record: Round | None, slot: int, entry: Entry, target: int) -> Chair | None:
    every = [] if record is None else record.chairs
    for one in every:
        assert record is not None
        judged = record.audits[one.case].target
        if (one.slot, one.member_id, judged) == (slot, entry.member_id, target):
            return one
    return None


def seal(state: State, wallet: bytes, args: build.SealVerdictArgs, now: Moment) -> None:
    """A seat's hash."""
    entry, reasons = own(state, wallet, args.slot)
    record, more = _place(state, args.epoch, args.round)
    chair = _chair(record, args.slot, entry, args.target)
    fresh = chair is None or chair.stage is Chaired.DRAWN
    refuse(
        {
            **reasons,
            **more,
            "NotAVerifier": chair is None,
            "VerdictDiffers": chair is not None and not fresh and chair.sealed != args.sealed,
            "VerdictClosed": fresh
            and record is not None
            and not verify.window(state, record, now).seal,
        }
    )
    assert chair is not None
    if fresh:
        entry.seen = now
        chair.stage, chair.sealed = Chaired.SEALED, args.sealed


def show(state: State, wallet: bytes, args: build.OpenVerdictArgs, now: Moment) -> None:
    """A seat opens its hash."""
    entry, reasons = own(state, wallet, args.slot)
    record, more = _place(state, args.epoch, args.round)
    chair = _chair(record, args.slot, entry, args.verdict.target)
    may = verify.Window() if record is None else verify.window(state, record, now)
    if chair is not None and record is not None:
        case = record.audits[chair.case]
        seats = record.chairs[case.first : case.first + case.seats]
        allowed = may.open or (may.seal and all(one.stage is not Chaired.DRAWN for one in seats))
    else:
        allowed = False
    done = chair is not None and chair.stage is Chaired.OPENED
    refuse(
        {
            **reasons,
            **more,
            **_fair(state, args.verdict),
            "NotAVerifier": chair is None,
            "VerdictNotSealed": chair is not None and chair.stage is Chaired.DRAWN,
            "VerdictMismatch": chair is not None
            and chair.sealed != sealed(args.verdict, args.salt, wallet),
            "VerdictNotOpen": not done and not allowed and may.seal,
            "VerdictClosed": not done and not allowed and not may.seal,
        }
    )
    assert chair is not None
    if not done:
        entry.seen = now
        chair.stage = Chaired.OPENED
        chair.word, chair.scores = (1 if args.verdict.passes else 2), _scores(args.verdict)
        assert record is not None
        if not record.settled and verify.fails(record, record.audits[chair.case]):
            record.rejected.add(args.verdict.target)
            state.met["kept out"] += 1


def sealed(found: build.Verdict, salt: bytes, wallet: bytes) -> bytes:
    """sha256(verdict, salt, wallet), the verdict as an instruction carries it."""
    numbers = [one.to_bytes(2, "little", signed=one < 0) for one in _scores(found)]
    head = found.target.to_bytes(2, "little") + bytes([found.passes])
    return sha(head, *numbers, found.detail, salt, wallet)
