"""Instructions about published checkpoints (PROTOCOL.md sections 11 and 13)."""

from __future__ import annotations

from psyche_sdk import instructions as build
from support.model import members, votes
from support.model.acts import own, refuse
from support.model.agreed import Agreed, Checkpoint, Published
from support.model.checkpoints import CONFIRMATIONS, URIS, keep, uri_fits
from support.model.state import State
from support.model.words import Kind, Moment, Phase, Place, Word, sha

OWNER = 0


def publish(state: State, wallet: bytes, args: build.PublishCheckpointArgs, now: Moment) -> None:
    """Says where the agreed parameters lie."""
    entry, reasons = own(state, wallet, args.slot)
    drawn = (args.slot, entry.member_id) in state.publishers
    half = state.began.over(state.config.cooldown_seconds // 2, now)
    places = state.pending.places if state.pending is not None else []
    mine = next((one for one in places if one.publisher == entry.member_id), None)
    refuse(
        {
            **reasons,
            **_cannot_speak(state, args.epoch, args.slot),
            "UriInvalid": not uri_fits(args.uri),
            "NotAPublisher": not drawn and not half,
            "PublicationDiffers": mine is not None and mine.uri != args.uri,
            "PublicationsFull": mine is None and len(places) == URIS,
        }
    )
    entry.seen = now
    if mine is None:
        agreed = state.agreed
        if state.pending is None:
            state.pending = Checkpoint(agreed.epoch, agreed.round, agreed.step, agreed.digest, now)
        state.pending.places.append(Published(entry.member_id, args.uri))


def confirm(state: State, wallet: bytes, args: build.ConfirmCheckpointArgs, now: Moment) -> None:
    """Says that what lies there is right."""
    entry, reasons = own(state, wallet, args.slot)
    places = state.pending.places if state.pending is not None else []
    named = places[args.place] if args.place < len(places) else None
    refuse(
        {
            **reasons,
            **_cannot_speak(state, args.epoch, args.slot),
            "NothingPublished": named is None,
            "OwnPublication": named is not None and named.publisher == entry.member_id,
        }
    )
    assert named is not None
    if entry.member_id not in named.confirmed and len(named.confirmed) < CONFIRMATIONS:
        named.confirmed.append(entry.member_id)
        entry.seen = now


def _cannot_speak(state: State, epoch: int, slot: int) -> dict[str, bool]:
    """What speaks against a member's word about the checkpoint."""
    vote = state.vote
    agreed = vote is not None and vote.kind is Kind.COOLDOWN and vote.agreed
    known = slot < state.capacity
    return {
        "WrongPhase": state.phase is not Phase.COOLDOWN,
        "WrongRound": epoch != state.epoch,
        "CheckpointNotAgreed": not agreed,
        "DigestNotSaid": known and not votes.said_digest(state, slot, state.agreed.digest),
    }


def set_checkpoint(state: State, signer: bytes, args: build.SetCheckpointArgs, now: Moment) -> None:
    """The owner sets the parameters; a new chain hash begins with them."""
    refuse({"Unauthorized": signer != state.owner})
    refuse(
        {
            "WrongPhase": state.phase is not Phase.PAUSED,
            "DigestZero": not any(args.digest),
            "UriInvalid": args.uri != "" and not uri_fits(args.uri),
        }
    )
    state.chain_hash = sha(b"reset", state.chain_hash, args.digest)
    state.agreed = Agreed(state.epoch, 0, state.step, args.digest, state.chain_hash)
    state.snapshots, state.vote = [], None
    for entry in state.entries:
        entry.word = Word.NONE
    for slot in state.slots(Place.READY):
        members.put(state, slot, Place.JOINED, now)
    places = [Published(OWNER, args.uri)] if args.uri else []
    kept = Checkpoint(state.epoch, 0, state.step, args.digest, now, places)
    keep(state, kept)
