"""Virtual clients that fail, lie, come and go, under bad weather: every invariant holds.

`python -m benchmarks.simulate` runs the same with more members and rounds.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from psyche_sdk.views import Phase
from support.simulator import invariants
from support.simulator.coverage import WORDS, unmet
from support.simulator.past import BrokenError
from support.simulator.plan import Plan
from support.simulator.sweep import Sweep

PAGE = Path(__file__).resolve().parents[2] / "docs/INVARIANTS.md"
SEEDS = range(16)
#: What a simulation must have met, or it says little.
MET = {
    *("attest: ok", "commit: ok", "join: ok", "leave: ok", "behind: ok", "ready: ok"),
    *("attest_state: ok", "reveal_state: ok", "pause: ok", "resume: ok", "update_config: ok"),
    *("publish_checkpoint: ok", "confirm_checkpoint: ok", "set_checkpoint: ok"),
    *("publish_checkpoint: NotAPublisher", "confirm_checkpoint: OwnPublication"),
    *("publish_checkpoint: UriInvalid", "set_checkpoint: WrongPhase"),
    *("verdict: ok", "seal_verdict: ok", "open_verdict: ok", "verdict: NotAVerifier"),
    *("missing: ok", "missing: NotAccepted", "missing: ComplaintClosed"),
    *("tick: TooEarly", "set_weight: ok"),
    *("attest: BitNotCommitted", "attest: NotAWitness", "commit: WrongRound", "join: SlotTaken"),
    *("collect: ok", "collect: NothingToCollect", "collect: WrongAccount", "issue_pass: ok"),
    *("close_participant: ok", "close_participant: SlotRemains", "join: BondAboveLimit"),
    *("attest: BloomTooFull", "set_rates: ok"),
    *("join: JoinAuthorityRequired", "join: PassExpired", "set_join_authority: ok"),
    *("ready: UnknownChainHash", "join: AlreadyAMember"),
}


@cache
def small(seed: int) -> Sweep:
    """A run of eight slots with much that is odd; in every other one witnesses send filters."""
    plan = Plan(seed=seed, members=9, rounds=20, wild=0.1)
    return Sweep(plan, attestation_kind=seed % 2).run()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_run_keeps_every_invariant(seed: int) -> None:
    assert small(seed).world.past.rounds_settled >= 20


def test_small_runs_meet_every_phase_and_most_refusals() -> None:
    happened: Counter[str] = Counter()
    phases: set[Phase] = set()
    for seed in SEEDS:
        happened.update(small(seed).world.happened)
        phases |= small(seed).phases

    assert phases == set(Phase)
    assert not MET - set(happened)
    assert not unmet(happened)
    assert any(small(seed).world.run.checkpoints for seed in SEEDS)
    assert any(small(seed).world.past.removed for seed in SEEDS)


@pytest.mark.parametrize("word", WORDS)
def test_what_never_happened_is_named(word: str) -> None:
    happened = Counter({one: 1 for every in WORDS.values() for one in every})

    for shown in WORDS[word]:
        del happened[shown]

    assert unmet(happened) == [word]


@pytest.mark.parametrize("seed", range(2))
def test_a_run_whose_ticks_make_one_step_keeps_every_invariant(seed: int) -> None:
    plan = Plan(seed=seed, members=40, capacity=72, rounds=8, wild=0.03)

    assert Sweep(plan).run().world.past.rounds_settled >= 8


def test_a_run_of_256_members_keeps_every_invariant() -> None:
    plan = Plan(members=256, capacity=256, rounds=3, wild=0.01)

    assert Sweep(plan).run().world.past.rounds_settled >= 3


@pytest.mark.parametrize("seed", range(5, 9))
def test_what_is_drawn_for_filters_fits_the_capacity(seed: int) -> None:
    Sweep(Plan(seed=seed, members=1, capacity=256), attestation_kind=1)


def test_newcomers_do_not_attest_to_a_round_that_a_tick_has_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sweep = Sweep(Plan(members=4, wild=0))
    while sweep.world.now.phase is not Phase.TRAIN:
        sweep.turn()
    copy, played = sweep.copy, []
    copy.take(sweep.world, sweep.world.now)
    while copy.run.phase is not Phase.WITNESS:
        copy.wait_for_a_tick()
    monkeypatch.setattr(copy, "play", lambda *_: played.append(copy.run.phase))

    copy.move()

    assert copy.run.phase is not Phase.WITNESS
    assert not played


def test_the_same_seed_gives_the_same_run() -> None:
    again = Sweep(small(3).plan, attestation_kind=1).run()

    assert list(again.world.messages) == list(small(3).world.messages)
    assert again.world.now.data == small(3).world.now.data


def test_what_broke_is_told_with_the_seed_and_the_last_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sweep = Sweep(Plan(seed=77, rounds=5))
    monkeypatch.setattr(invariants, "CHECKS", (*invariants.CHECKS, _no_third_commitment))

    with pytest.raises(BrokenError) as raised:
        sweep.run()

    notes = "\n".join(raised.value.__notes__)
    assert "seed=77" in notes
    assert "commit by member" in notes


def _no_third_commitment(_: object, after: invariants.Snapshot, past: object) -> None:
    del past
    record = after.record(after.number("round"))
    if record is not None and record.number("committed") > 2:
        raise BrokenError(99, "a third commitment")


def test_a_run_that_can_get_stuck_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = Sweep(Plan(seed=5))
    while sweep.world.now.phase is not Phase.TRAIN:
        sweep.turn()
    sweep.copy.take(sweep.world, sweep.world.now)
    monkeypatch.setattr(sweep.copy, "ticked", lambda: False)

    with pytest.raises(BrokenError, match="I22: nothing is ever due"):
        sweep.copy.leave_alone()


def test_the_page_names_every_invariant_that_is_checked() -> None:
    told = {int(one) for one in re.findall(r"^\| I(\d+) \|", PAGE.read_text(), re.MULTILINE)}
    folder = Path(invariants.__file__).parent
    checked: set[int] = set()
    for path in folder.glob("*.py"):
        checked |= {int(one) for one in re.findall(r"\bmust\((\d+),", path.read_text())}

    assert checked == told
