"""The program and the model where invented members seldom come.

Each tour plays a run on both sides, which never differ, and says what must have happened in it.
"""

from __future__ import annotations

from collections import Counter

import pytest

from support.actors import ALICE, MALLORY, Actor
from support.attesting import LIES
from support.knowing import SIX
from support.model.words import Phase, Place, sha
from support.sides import Sides

#: An epoch that lasts.
LONG = {"epoch_rounds": 1_000, "total_steps": 1_000}
VERIFIED = {"verification_percent": 34, "committee_size": 3, "points_per_verdict": 5}


def begun(members: int = 6, **settings: int) -> Sides:
    """A run that these members have joined; all else is as tests of the program have it."""
    sides = Sides()
    sides.begin((30, 30, 0), members, 0, {"capacity": 8} | settings)
    return sides


def good(sides: Sides, times: int = 1) -> None:
    """Everybody does its part, and nobody judges."""
    for _ in range(times):
        sides.go_on(False, None, None, None)


def until(sides: Sides, phase: Phase) -> None:
    """Everybody does its part until the run is in a phase."""
    for _ in range(40):
        if sides.state.phase is phase:
            return
        good(sides)
    raise AssertionError(f"did not come to {phase.name}")


def over(sides: Sides) -> None:
    """The time of any phase goes by, and what is due is made."""
    sides.pair.pass_time(seconds=100, slots=250)
    sides.pair.tick()


def happened(sides: Sides) -> Counter[str]:
    """What was said, and what became of it."""
    return sides.pair.met + sides.state.met


def must_have_met(sides: Sides, *wanted: str) -> None:
    """Fails if something did not happen; else the run is wound up."""
    assert not set(wanted) - set(happened(sides))
    sides.teardown()


def test_whose_payloads_fail_twice_is_thrown_out_and_does_not_come_back() -> None:
    sides = begun(bond_lamports=1_000_000, slash_points=50, **LONG, **VERIFIED)
    until(sides, Phase.TRAIN)

    while not sides.state.slots(Place.EJECTED):
        sides.go_on(False, None, None, True)
    out = sides.actor_at(sides.state.slots(Place.EJECTED)[0])
    sides.join(out, 7, 100, False)

    must_have_met(sides, "REJECTED", "EJECTED", "join: Barred")
    assert happened(sides)["close_participant: Barred"]
    assert sides.state.forfeited >= 1_000_000


@pytest.mark.parametrize(("upheld", "case"), [(True, "REJECTED"), (False, "CLEARED")])
@pytest.mark.parametrize("overlap", [0, 1])
def test_a_committee_decides_about_a_flag(overlap: int, upheld: bool, case: str) -> None:
    sides = begun(overlap=overlap, **LONG, **VERIFIED)
    until(sides, Phase.TRAIN)

    while not happened(sides)[case]:
        sides.go_on(False, None, None, upheld)

    # A committee that is quicker than its round keeps the payload out: only with overlap.
    assert bool(happened(sides)["kept out"]) is (upheld and overlap == 1)
    must_have_met(sides, case)


@pytest.mark.parametrize(("drawn", "case"), [(True, "UNDECIDED"), (False, "LAPSED")])
def test_a_flag_of_which_nobody_says_anything_comes_to_nothing(drawn: bool, case: str) -> None:
    sides = begun(**LONG, **VERIFIED)

    while not any(record.cases() for record in sides.state.records.values()):
        until(sides, Phase.TRAIN)
        for actor in SIX:
            if sides.busy(actor, 1):
                sides.verdict(actor, True, 0)
        good(sides)
    if not drawn:
        # The committee's entropy is never there: others leave, until there are too few.
        for actor in SIX[:4]:
            sides.step_aside(actor, True, 0, False)
    good(sides, 12)

    must_have_met(sides, case)


def test_two_draws_of_silent_witnesses_settle_nothing() -> None:
    sides = begun(**LONG)
    until(sides, Phase.WITNESS)

    for _ in range(2):
        sides.pair.pass_time(slots=3)
        sides.pair.tick()
        over(sides)
    good(sides)

    must_have_met(sides, "redraw", "settle_failed", "give_back")


def test_three_warmups_without_anybody_pause_the_run() -> None:
    sides = begun(**LONG)

    for _ in range(3):
        while sides.state.phase is not Phase.WARMUP:
            for index, actor in enumerate(SIX):
                sides.join(actor, index, 100, False)
            over(sides)
        over(sides)

    must_have_met(sides, "fail_warmup", "DROPPED")
    assert happened(sides)["fail_warmup"] == 3


def test_a_vote_that_agrees_on_nothing_comes_back_in_warmup() -> None:
    sides = begun(epoch_rounds=1)
    until(sides, Phase.COOLDOWN)

    for number, actor in enumerate(SIX):
        sides.seal(actor, sha(bytes([number])), 0)
    over(sides)
    until(sides, Phase.WARMUP)
    sides.vote(None, sha(b"yes"))
    assert sides.state.agreed.digest == sha(b"yes")
    assert sides.state.phase is Phase.WARMUP
    over(sides)

    must_have_met(sides, "decide", "reveal_state: ok", "fail_warmup")


@pytest.mark.parametrize("ppm", [1, 10_000, 138_634, 500_000])
@pytest.mark.parametrize("overlap", [0, 1])
def test_filters_are_read_alike_whatever_a_witness_puts_in_them(overlap: int, ppm: int) -> None:
    sides = begun(overlap=overlap, attestation_kind=1, bloom_false_positive_ppm=ppm, **LONG)

    for lie in LIES:
        until(sides, Phase.TRAIN)
        until(sides, Phase.WITNESS)
        sides.go_on(False, SIX[LIES.index(lie) % 6], lie, None)

    must_have_met(sides, "BLOOM", "attest: BitFieldLength", "attest: BloomTooFull")


def test_keys_of_the_second_draws_filters_are_its_own() -> None:
    sides = begun(attestation_kind=1, **LONG)
    until(sides, Phase.WITNESS)
    sides.pair.pass_time(slots=3)
    sides.pair.tick()
    over(sides)

    good(sides)

    assert not happened(sides)["settle_failed"]
    must_have_met(sides, "redraw", "BLOOM")


@pytest.mark.parametrize("overlap", [0, 1])
def test_who_follows_is_ready_by_the_chain_hash_before_a_kept_round(overlap: int) -> None:
    sides = begun(overlap=overlap, **LONG)
    for _ in range(3):
        until(sides, Phase.TRAIN)
        good(sides)
    until(sides, Phase.TRAIN)

    records = sorted(sides.state.records.values(), key=lambda one: one.number)
    for number in range(len(records)):
        sides.step_aside(SIX[0], False, 0, False)
        sides.ready(SIX[0], 0, number, False)

    assert len({record.before for record in records}) >= 3
    must_have_met(sides, "ready: ok", "behind: ok")


def test_a_snapshot_that_is_agreed_on_at_its_end_is_decided_before_the_round_that_ends_it() -> None:
    sides = begun(snapshot_rounds=2, **LONG)
    while sides.state.round < 2:
        good(sides)
    for actor in SIX:
        sides.seal(actor, sha(b"yes"), 0)
    while sides.state.round < 3:
        good(sides)

    for actor in SIX[:3]:
        sides.reveal(actor, sha(b"yes"), 0)
    assert not sides.state.snapshots
    while sides.state.round < 4:
        good(sides)

    assert [one.digest for one in sides.state.snapshots] == [sha(b"yes")]
    must_have_met(sides, "decide")


def test_entropy_that_left_the_chain_is_noted_anew() -> None:
    sides = begun(**LONG)
    until(sides, Phase.WITNESS)
    noted = sides.state.present().noted

    sides.pair.pass_time(slots=600)
    sides.pair.tick()

    assert sides.state.present().noted == noted + 600
    good(sides, 3)
    must_have_met(sides, "settle_target")


def test_rates_that_are_set_hold_from_the_next_epoch_on() -> None:
    sides = begun(epoch_rounds=2, points_per_sequence=1)
    until(sides, Phase.TRAIN)
    sides.set_rates(2**32 - 1, False)

    until(sides, Phase.COOLDOWN)
    assert sides.state.config.points_per_sequence == 1
    until(sides, Phase.WARMUP)

    assert sides.state.config.points_per_sequence == 2**32 - 1
    must_have_met(sides, "set_rates: ok", "publish_checkpoint: ok", "confirm_checkpoint: ok")


def test_a_run_that_changed_hands_has_one_owner() -> None:
    sides = begun()

    sides.propose(MALLORY, False)
    sides.accept(ALICE)
    sides.accept(MALLORY)
    sides.own("pause", True)
    sides.own("pause", False)
    sides.describe(128, True, False)
    sides.set_checkpoint("file:///x", sha(b"yes"), False, False)
    sides.configure(("overlap", 1), 1, "overlap", False)

    must_have_met(
        sides,
        *("accept_authority: Unauthorized", "accept_authority: ok", "pause: Unauthorized"),
        *("pause: ok", "update_model: ok", "set_checkpoint: ok", "update_config: ok"),
    )


def test_joining_takes_a_pass_that_is_not_over() -> None:
    sides = begun(members=1)
    sides.name_join_authority(SIX[0], MALLORY, False)

    sides.issue_pass(SIX[1], -1, False)
    sides.issue_pass(SIX[1], 50, True)
    sides.join(SIX[1], 1, 100, False)
    sides.issue_pass(SIX[1], 50, False)
    sides.pair.pass_time(seconds=60, slots=60)
    sides.join(SIX[1], 1, 100, False)
    sides.issue_pass(SIX[1], 50, False)
    sides.join(SIX[1], 1, 100, False)
    sides.revoke_pass(SIX[1], True)
    sides.revoke_pass(SIX[1], False)

    must_have_met(
        sides,
        *("issue_pass: PassExpiryPast", "issue_pass: Unauthorized", "issue_pass: ok"),
        *("join: JoinAuthorityRequired", "join: PassExpired", "join: ok"),
        *("revoke_pass: Unauthorized", "revoke_pass: ok"),
    )


def test_a_bond_that_its_payee_cannot_take_waits() -> None:
    sides = begun(bond_lamports=1_000_000)
    sides.set_payee(SIX[0], None)
    sides.set_payee(SIX[1], MALLORY.wallet)
    for actor in SIX[:2]:
        sides.step_aside(actor, True, 0, False)

    sides.collect(0, False, SIX[0], 0)
    sides.collect(1, False, SIX[1], 9)
    assert sides.state.holders[bytes(SIX[0].wallet)].waiting == 1_000_000
    sides.close_participant(SIX[0], 0)
    sides.close_participant(SIX[0], 9)

    must_have_met(
        sides, "collect: ok", "close_participant: PayeeCannotTake", "close_participant: ok"
    )


def test_points_are_credited_when_a_round_is_final_and_collected() -> None:
    rates = {"points_per_sequence": 10, "points_per_attestation": 7}
    sides = begun(overlap=1, **rates, **LONG, **VERIFIED)
    until(sides, Phase.TRAIN)

    while not happened(sides)["finalise_oldest"]:
        sides.go_on(False, None, None, None)
    for slot, actor in enumerate(SIX):
        sides.collect(slot, False, actor, 9)

    earned = [holder.earned for holder in sides.state.holders.values()]
    assert min(earned) >= 7
    assert sum(earned) >= 30 * 10 + 6 * 7
    must_have_met(sides, "finalise_oldest", "collect: ok")


def flagged_alone(trainer: Actor) -> Sides:
    """A round in which one trained, which five of six witnesses hold; who audits it flags it."""
    rules = {"overlap": 0, "misses_max": 99, "points_per_attestation": 7}
    sides = begun(**rules, **LONG, **VERIFIED)
    until(sides, Phase.TRAIN)
    sides.commit(trainer, 0, False)
    over(sides)
    sides.pair.pass_time(slots=3)
    sides.pair.tick()
    for index, slot in enumerate(sides.state.present().witnesses):
        sides.attest(sides.actor_at(slot), 255 if index else 0, "exact", 0, False)
    sides.pair.tick()
    sides.judge_all(True, True, None)
    return sides


def test_where_all_was_taken_out_nobody_is_credited_for_attesting() -> None:
    every = map(flagged_alone, SIX)
    sides = next(one for one in every if one.state.records[0].cases())  # nobody audits itself
    assert len(sides.state.records[0].accepted) == 1

    sides.all_miss(1, 0, None)
    assert not sides.state.records[0].accepted
    assert len(sides.state.records[0].belied) == 5
    good(sides, 8)

    must_have_met(sides, "REJECTED", "missing: ok", "finalise_oldest")


def test_a_run_that_trained_all_its_steps_is_finished_until_it_is_extended() -> None:
    sides = begun(total_steps=2, epoch_rounds=2)
    until(sides, Phase.FINISHED)

    sides.own("pause", False)
    sides.configure(("total_steps", 8), 1, "overlap", False)
    until(sides, Phase.TRAIN)

    must_have_met(sides, "end_epoch", "pause: ok", "update_config: ok")
