"""Who is audited, who judges and who publishes is drawn by a hash that nobody could know."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from psyche_sdk.views import Phase
from support import program_chain
from support.actors import Actor
from support.later import LATER, first_hash, later_hash
from support.program import build, sha
from support.verifying import Verified

MEMBERS = 7
Names = list[tuple[int, ...]]


def committed(**changes: int) -> Verified:
    """Round 0 has its last commitment."""
    world = Verified(MEMBERS, **changes)
    world.commit_all()
    assert world.record(0).entropy is None
    return world


def audits(world: Verified) -> Names:
    """Who audits whom, once it is drawn."""
    while not world.record(0).targets_drawn:
        world.step()
        world.tick_all()
    return [
        (one.slot, -1 if one.target is None else one.target) for one in world.record(0).auditors
    ]


def flagged() -> Verified:
    """An auditor has flagged a payload."""
    world = Verified(MEMBERS).audited()
    world.say(passes=False)
    return world


def judges(world: Verified) -> Names:
    """Who judges it."""
    world.tick_all()
    return [(seat.slot,) for seat in world.seats()]


def cooling() -> Verified:
    """Cooldown has begun."""
    world = Verified(MEMBERS, epoch_rounds=1, verification_percent=0)
    world.to_phase(Phase.COOLDOWN)
    return world


def publishers(world: Verified) -> Names:
    """Who may publish at once."""
    world.tick_all()
    assert world.run.publishers
    return [tuple(one) for one in world.run.publishers]


Act = Callable[[Verified, Actor], None]
Draw = tuple[Callable[[], Verified], Callable[[Verified], Names]]
DRAWS: dict[str, Draw] = {
    "audits": (committed, audits),
    "audits with overlap": (lambda: committed(overlap=1), audits),
    "judges": (flagged, judges),
    "publishers": (cooling, publishers),
}
draws = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)


@draws
def test_the_sender_of_a_tick_cannot_choose_by_its_moment(draw: Draw) -> None:
    begin, drawn = draw
    expected = drawn(begin())

    for slots in LATER:
        world = begin()
        world.pass_time(slots=slots)
        world.tick()
        assert drawn(world) == expected, slots


def new_weight(world: Verified, actor: Actor) -> None:
    """A member changes its weight."""
    world.do("set_weight", actor, build.SetWeightArgs(slot=world.member(actor).slot, weight=7))


def gone(world: Verified, actor: Actor) -> None:
    """A member leaves as soon as it can see the hash."""
    world.pass_time(slots=3)
    world.do("leave", actor, world.here(actor), transition=False)


@pytest.mark.parametrize(
    ("name", "act"),
    [*((name, new_weight) for name in DRAWS), ("judges", gone), ("publishers", gone)],
)
def test_what_a_member_does_before_the_tick_changes_no_draw(name: str, act: Act) -> None:
    begin, drawn = DRAWS[name]
    expected = drawn(begin())

    for place in (0, 3, 5):
        world = begin()
        act(world, world.members[place])
        assert drawn(world) == expected, place


@pytest.mark.parametrize("overlap", [0, 1])
def test_who_leaves_when_it_sees_the_hash_does_not_choose_the_audited(overlap: int) -> None:
    expected = {target for _, target in audits(committed(overlap=overlap))}

    for place in range(MEMBERS):
        world = committed(overlap=overlap)
        gone(world, world.members[place])
        # Other auditors perhaps, and one less: but of no other payload.
        assert {target for _, target in audits(world)} <= expected, place


@draws
def test_nothing_on_chain_tells_before_what_will_be_drawn(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, drawn = draw
    states, found = set(), set()
    for number in range(12):
        monkeypatch.setattr(program_chain, "slot_hash", first_hash)
        world = begin()
        states.add(sha(*world.state()))

        monkeypatch.setattr(program_chain, "slot_hash", later_hash(world.moment.chain_slot, number))
        found.add(tuple(drawn(world)))

    # The same bytes on chain until then, and nearly always another draw.
    assert len(states) == 1
    assert len(found) > 7
    named = {names[-1] if drawn is audits else names[0] for one in found for names in one}
    assert len(named) >= MEMBERS - 2
