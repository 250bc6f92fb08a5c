"""What a member sees to do about an epoch's checkpoint, read from the bytes of the accounts."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from psyche_client.seen import Sight
from psyche_client.sighting import TURN_SECONDS, Turns
from psyche_sdk import views
from psyche_sdk._generated import layouts
from support.accounts import fill
from support.sights import ACTIVE, BOB, JOINED, START, Clock, see, snapshot

COOLDOWN, REVEALED, SEALED = 5, 3, 2
SECONDS = 40
DIGEST = b"d" * 32
DAVE, ERIN = b"4" * 32, b"5" * 32
PEOPLE = {1: b"1" * 32, 2: BOB, 4: DAVE, 5: ERIN}
"""Wallets by slot; member ids are ten times the slot."""


def member(slot: int, **changes: Any) -> dict[str, Any]:
    """Somebody that said the agreed digest."""
    fields = {
        "wallet": PEOPLE[slot], "node_key": node(slot), "state": ACTIVE, "member_id": 10 * slot,
        "vote_stage": REVEALED, "vote": DIGEST,
    }  # fmt: skip
    return fields | changes


def node(slot: int) -> bytes:
    """The node key of who holds a slot."""
    return bytes([64 + slot]) * 32


def checkpoint(*publishers: int, confirmed: tuple[int, ...] = (), **changes: Any) -> np.ndarray:
    """What these slots published, the first confirmed by those."""
    row = np.zeros((), layouts.RUN["pending_checkpoint"])
    ids = [10 * slot for slot in publishers] + [0] * (2 - len(publishers))
    fill(row, {"valid": 1, "digest": DIGEST, "publishers": ids})
    for slot, name, place in zip(publishers, ("uri_first", "uri_second"), (0, 1), strict=False):
        uri = views.node_uri(node(slot)).encode()
        fill(row, {name: uri})
        row["uri_len"][place] = len(uri)
    row["confirmed_by"][: len(confirmed)] = [10 * slot for slot in confirmed]
    fill(row, changes)
    return row


def cooling(
    slot: int,
    *,
    drawn: tuple[int, ...] = (1, 2),
    pending: np.ndarray | None = None,
    members: dict[int, dict[str, Any]] | None = None,
    clock: Clock | None = None,
    turns: Turns | None = None,
    seconds: int = 0,
    **run: Any,
) -> Sight:
    """What the holder of a slot sees in a Cooldown that agreed on a digest."""
    people = {one: member(one) for one in PEOPLE} | (members or {})
    fields: dict[str, Any] = {
        "phase": COOLDOWN, "epoch": 3, "vote": {"kind": 2, "agreed": 1, "opened_slot": 1},
        "agreed": {"valid": 1, "digest": DIGEST, "epoch": 3, "step": 9}, "active": len(PEOPLE),
        "cooldown_entropy_stored": 1, "cooldown_entropy": b"e" * 32, "publishers": len(drawn),
        "publisher_slots": [*drawn, 0, 0][:2],
        "publisher_member_ids": [*(10 * one for one in drawn), 0, 0][:2],
        "config": {"cooldown_seconds": SECONDS},
    }  # fmt: skip
    if pending is not None:
        fields["pending_checkpoint"] = pending
    shot = replace(snapshot(members=people, **(fields | run)), chain_slot=999)
    return see(shot, PEOPLE[slot], START + seconds, turns or Turns(clock or Clock()))


def publishes(sight: Sight) -> bool:
    return sight.checkpoint is not None and sight.checkpoint.publish


def places(sight: Sight) -> list[int]:
    return [] if sight.checkpoint is None else [one.place for one in sight.checkpoint.offers]


def first_two(*, but: int) -> list[int]:
    """Slots whose turn comes first when somebody else published."""
    shot = snapshot(members={one: member(one) for one in PEOPLE}, phase=COOLDOWN, epoch=3, active=4)
    order = views.tick_order(views.decode_run(shot.run.data), views.decode_roster(shot.roster.data))
    return [slot for slot in order if slot != but][:2]


def test_who_was_drawn_publishes_at_once_and_nobody_else() -> None:
    assert [slot for slot in PEOPLE if publishes(cooling(slot))] == [1, 2]


def test_who_published_does_not_again() -> None:
    assert not publishes(cooling(1, pending=checkpoint(1)))
    assert publishes(cooling(2, pending=checkpoint(1)))


def test_nothing_is_to_do_before_a_digest_is_agreed_or_in_another_phase() -> None:
    assert cooling(1, vote={"kind": 2, "agreed": 0, "opened_slot": 1}).checkpoint is None
    assert cooling(1, phase=1).checkpoint is None


def test_who_said_another_digest_does_nothing() -> None:
    odd = {1: member(1, vote=b"x" * 32)}
    seen = cooling(1, members=odd, pending=checkpoint(2))
    assert (publishes(seen), places(seen)) == (False, [])


def test_a_sealed_word_counts() -> None:
    sealed = sha256(DIGEST + PEOPLE[1]).digest()
    assert publishes(cooling(1, members={1: member(1, vote=sealed, vote_stage=SEALED)}))


def test_after_half_of_cooldown_others_publish_one_after_the_other() -> None:
    clock = Clock()
    turns = {slot: Turns(clock) for slot in PEOPLE}

    def publishing(seconds: int) -> int:
        """How many of them publish."""
        seen = (cooling(s, drawn=(), seconds=seconds, turns=turns[s]) for s in PEOPLE)
        return sum(publishes(one) for one in seen)

    assert publishing(SECONDS // 2 - 1) == 0
    for number in range(1, 5):
        assert publishing(SECONDS // 2) == number
        clock.seconds += TURN_SECONDS


def test_two_look_at_a_publication_at_once_and_the_others_later() -> None:
    clock = Clock()
    turns = {slot: Turns(clock) for slot in PEOPLE}

    def looking() -> list[int]:
        return [
            slot
            for slot in PEOPLE
            if places(cooling(slot, pending=checkpoint(1), turns=turns[slot]))
        ]

    assert sorted(looking()) == sorted(first_two(but=1))
    clock.seconds = TURN_SECONDS
    assert looking() == [2, 4, 5]


def test_an_offer_names_the_node_that_published_and_the_draw() -> None:
    slot = first_two(but=1)[0]
    seen = cooling(slot, pending=checkpoint(1))
    assert seen.checkpoint is not None
    (offer,) = seen.checkpoint.offers
    assert (offer.epoch, offer.place, offer.node_key, offer.digest) == (3, 0, node(1), DIGEST)
    assert len(offer.seed) == 32


def test_who_confirmed_looks_no_more() -> None:
    slot, other = first_two(but=1)
    pending = checkpoint(1, confirmed=(slot,))
    assert places(cooling(slot, pending=pending)) == []
    assert places(cooling(other, pending=pending)) == [0]


def test_nobody_looks_once_a_checkpoint_is_confirmed() -> None:
    pending = checkpoint(1, confirmed=tuple(first_two(but=1)))
    assert all(cooling(slot, pending=pending).checkpoint is None for slot in PEOPLE)


@pytest.mark.parametrize(
    "uri",
    [b"https://example.org/model", b"iroh:12", b"iroh:" + b"z" * 64, b"iroh:" + b"00" * 32],
    ids=["no node", "a short key", "no key", "a stranger's node"],
)
def test_what_no_member_serves_is_not_looked_at(uri: bytes) -> None:
    pending = checkpoint(1)
    pending["uri_first"] = 0
    fill(pending, {"uri_first": uri})
    pending["uri_len"][0] = len(uri)
    assert all(places(cooling(slot, pending=pending)) == [] for slot in PEOPLE)


def test_who_cannot_vote_has_nothing_to_do() -> None:
    newcomer = {1: member(1, state=JOINED, vote_stage=0)}
    assert not publishes(cooling(1, members=newcomer))


def test_a_kept_checkpoint_is_seen_and_is_a_source_of_the_agreed_state() -> None:
    kept = np.zeros(2, layouts.RUN["checkpoints"].base)
    kept[1] = checkpoint(1, confirmed=(2, 4), step=9, epoch=3)
    seen = cooling(1, checkpoints=kept)
    assert seen.kept is not None
    assert (seen.kept.step, seen.kept.digest, seen.kept.confirmations) == (9, DIGEST, 2)
    uri = views.node_uri(node(1))
    assert seen.kept.uris == (uri,)
    assert [state.sources for state in seen.states] == [(uri,)]
