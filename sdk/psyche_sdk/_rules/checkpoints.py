"""Published checkpoints: what a run keeps of them, and what may be done about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from psyche_sdk._rules import checks, hashing
from psyche_sdk._rules.checks import Source, raw
from psyche_sdk._rules.draw import uniform, words
from psyche_sdk._rules.hashing import Purpose
from psyche_sdk._rules.phase import Moment, Phase
from psyche_sdk._rules.roster import Member, MemberState, Roster, VoteStage

if TYPE_CHECKING:
    from psyche_sdk._rules.run import Run

#: URIs that a checkpoint can have.
URIS_MAX: Final = 2
#: Longest of them, in bytes.
URI_BYTES_MAX: Final = 96
#: Members that confirm one of them, at most.
CONFIRMATIONS_MAX: Final = 2
#: A URI that names a member's node: this, and its key in hex.
NODE_SCHEME: Final = "iroh:"
_NODE_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A place where the parameters of a checkpoint lie.

    Attributes:
        place: 0 or 1, as `confirm_checkpoint` names it.
        publisher: member id; 0: the owner.
        confirmed_by: member ids.
    """

    place: int
    uri: str
    publisher: int
    confirmed_by: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Parameters that were published, ready to train ``step``.

    Attributes:
        epoch, round: of the vote that agreed on them.
        published_at: Unix seconds of the first publication.
    """

    step: int
    epoch: int
    round: int
    digest: bytes
    published_at: int
    publications: tuple[Publication, ...]

    @property
    def confirmations(self) -> int:
        """Confirmations of all its publications."""
        return sum(len(one.confirmed_by) for one in self.publications)


def decode_checkpoint(record: np.void, source: Source) -> Checkpoint | None:
    """A checkpoint in an account; None where none stands.

    Raises:
        AccountInvalid: a URI would be longer than its field.
    """
    if not record["valid"]:
        return None
    fields = ("step", "epoch", "round", "published_at")
    return Checkpoint(
        **checks.numbers(record, fields),
        digest=raw(record["digest"]),
        publications=tuple(_publications(record, source)),
    )


def _publications(record: np.void, source: Source) -> Iterator[Publication]:
    for place, name in enumerate(("uri_first", "uri_second")):
        publisher, length = int(record["publishers"][place]), int(record["uri_len"][place])
        seats = record["confirmed_by"][CONFIRMATIONS_MAX * place :][:CONFIRMATIONS_MAX]
        if publisher or length:
            yield Publication(
                place=place,
                uri=checks.text(record[name], length, source),
                publisher=publisher,
                confirmed_by=tuple(int(one) for one in seats if one),
            )


def decode_publishers(record: np.void, source: Source) -> tuple[tuple[int, int], ...]:
    """(slot, member id) of those drawn to publish in the present Cooldown.

    Raises:
        AccountInvalid: more than can be are named.
    """
    count = int(record["publishers"])
    if count > URIS_MAX:
        raise source.invalid(f"{count} publishers")
    slots, ids = record["publisher_slots"][:count], record["publisher_member_ids"][:count]
    return tuple((int(slot), int(one)) for slot, one in zip(slots, ids, strict=True))


def node_uri(node_key: bytes) -> str:
    """The URI of what a member's node serves."""
    return f"{NODE_SCHEME}{node_key.hex()}"


def node_of(uri: str) -> bytes | None:
    """The node key that a URI names; None if it names no node."""
    digits = uri.removeprefix(NODE_SCHEME)
    if digits == uri or len(digits) != 2 * _NODE_KEY_BYTES:
        return None
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return None


def uri_fits(uri: str) -> bool:
    """Whether the program takes a URI: 1 to 96 printable ASCII characters without a space."""
    return 0 < len(uri) <= URI_BYTES_MAX and all("!" <= character <= "~" for character in uri)


def said_agreed(run: Run, member: Member) -> bool:
    """Whether a member said the digest that the vote of Cooldown agreed on, sealed or opened."""
    if run.vote is None or not run.vote.agreed or run.agreed is None:
        return False
    digest = run.agreed.digest
    if member.vote_stage is VoteStage.REVEALED:
        return member.vote == digest
    sealed = hashing.sha256(digest, member.wallet)
    return member.vote_stage is VoteStage.COMMITTED and member.vote == sealed


def confirmations_needed(run: Run, roster: Roster) -> int:
    """Confirmations that a URI needs: two, or as many as there are other members that agreed."""
    return min(max(_agreeing(run, roster) - 1, 0), CONFIRMATIONS_MAX)


def _agreeing(run: Run, roster: Roster) -> int:
    """Members that said the agreed digest, counted up to three."""
    if run.agreed is None:
        return 0
    entries = roster.entries
    member = (entries["state"] >= MemberState.JOINED) & (entries["state"] <= MemberState.BEHIND)
    opened = member & (entries["vote_stage"] == VoteStage.REVEALED)
    same = (entries["vote"] == np.frombuffer(run.agreed.digest, np.uint8)).all(axis=1)
    found = int((opened & same).sum())
    for slot in np.flatnonzero(member & (entries["vote_stage"] == VoteStage.COMMITTED)).tolist():
        if found > CONFIRMATIONS_MAX:
            break
        found += said_agreed(run, roster.member(slot))
    return min(found, CONFIRMATIONS_MAX + 1)


def checkpoint_confirmed(run: Run, roster: Roster) -> bool:
    """Whether something that was published in this Cooldown has the confirmations it needs."""
    if run.pending_checkpoint is None:
        return False
    needed = confirmations_needed(run, roster)
    return any(len(one.confirmed_by) >= needed for one in run.pending_checkpoint.publications)


def may_publish(run: Run, member: Member, now: Moment) -> bool:
    """Whether `publish_checkpoint` would take a new URI of a member now."""
    if run.phase is not Phase.COOLDOWN or not said_agreed(run, member):
        return False
    pending = run.pending_checkpoint
    published = () if pending is None else pending.publications
    if len(published) >= URIS_MAX or any(one.publisher == member.member_id for one in published):
        return False
    drawn = (member.slot, member.member_id) in run.publishers
    return drawn or run.phase_started.passed(run.config.cooldown_seconds // 2, now)


def to_confirm(run: Run, member: Member) -> list[Publication]:
    """What a member could confirm now and did not."""
    if run.phase is not Phase.COOLDOWN or not said_agreed(run, member):
        return []
    pending = run.pending_checkpoint
    published = () if pending is None else pending.publications
    return [
        one
        for one in published
        if member.member_id not in (one.publisher, *one.confirmed_by)
        and len(one.confirmed_by) < CONFIRMATIONS_MAX
    ]


def drawn_piece(seed: bytes, wallet: bytes, pieces: int) -> int:
    """Which of the ``pieces`` of the agreed parameters a wallet fetches before it confirms.

    Pieces are counted in the order of the manifest: parameter after parameter. ``seed`` is that
    with which publishers were drawn.
    """
    return uniform(words(hashing.sha256(seed, wallet)), pieces)


def publisher_seed(run: Run) -> bytes:
    """The seed with which publishers are drawn, and pieces from it; zero entropy if none is."""
    entropy = run.cooldown_entropy or bytes(hashing.HASH_BYTES)
    purpose = Purpose.CHECKPOINT_PUBLISHERS
    return hashing.draw_seed(run.instance, run.epoch, run.round, purpose, entropy)


def kept(record: np.void, source: Source) -> dict[str, Any]:
    """The fields of a run that are about checkpoints."""
    found = (decode_checkpoint(one, source) for one in record["checkpoints"])
    stored = record["cooldown_entropy_stored"]
    return {
        "checkpoints": tuple(one for one in found if one is not None),
        "pending_checkpoint": decode_checkpoint(record["pending_checkpoint"], source),
        "publishers": decode_publishers(record, source),
        "cooldown_entropy": raw(record["cooldown_entropy"]) if stored else None,
        "cooldown_entropy_slot": int(record["cooldown_entropy_slot"]),
    }
