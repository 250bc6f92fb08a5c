"""Looks for what makes each instruction dear: random cases first, then changes of the dearest.

    python -m benchmarks.cost_search --members 256 --seconds 600

A *case* says how a run is set up and what its members do in its rounds; all of it goes through the
program's instructions, so every state that is met can be reached. The dearest case of each kind of
call is kept in cost_cases.json, and `benchmarks.costs` plays those again when it measures. A search
has no end: it says what was found, not that there is nothing dearer.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.cost_drive import Metered, filter_rate
from benchmarks.cost_verifying import judge, speak
from psyche_sdk.errors import ProgramError
from psyche_sdk.views import MemberState, Phase, witnesses
from support.actors import ALICE

CASES_FILE = Path(__file__).with_name("cost_cases.json")
ROUNDS_MAX = 6
#: What a gene may be.
GENES: dict[str, tuple[Any, ...]] = {
    "overlap": (0, 1),
    "misses_max": (1, 2, 255),
    "share_percent_max": (1, 3, 100),
    "snapshot_rounds": (0, 2, 3),
    "batch_log2": (8, 11, 14, 18),
    "weights": ("mixed", "equal", "rising", "two kinds"),
    "late": (0, 1, 2, 30, 50),
    "gone": (0, 1, 10, 50),
    "heard": (0, 50, 70, 100),
    "seen": (40, 60, 90, 100),
    "rounds": (2, 3, 4, 6),
    "pattern": ("alternate", "random", "pairs", "blocks", "all", "none"),
    "aborted": (0, 0, 1),
    "verification_percent": (0, 0, 25, 50),
    "committee_size": (3, 7, 15, 64),
    "flags": (0, 30, 100),
    "attestation_kind": (0, 0, 1),
}


@dataclass(frozen=True)
class Case:
    """What happens in a run.

    Attributes:
        late, gone: of a hundred members, who come after the first round and who leave in each.
        heard, seen: of a hundred witnesses, who attest; of a hundred payloads, which each has.
        pattern: who commits, along the drawn order; in every other round the others.
        aborted: whether the owner aborts the last round.
        flags: of a hundred verdicts, how many flag; every committee upholds them.
    """

    seed: int
    overlap: int
    misses_max: int
    share_percent_max: int
    snapshot_rounds: int
    batch_log2: int
    weights: str
    late: int
    gone: int
    heard: int
    seen: int
    rounds: int
    pattern: str
    aborted: int
    verification_percent: int = 0
    committee_size: int = 3
    flags: int = 0
    attestation_kind: int = 0


class Played(Metered):
    """A run that plays a case, and notes what each call costs."""

    def __init__(self, count: int, case: Case) -> None:
        self.case, self.rng = case, random.Random(case.seed)
        latecomers = min(count * case.late // 100, count - 4)
        self.first = count - latecomers
        batch = 1 << case.batch_log2
        settings = {
            name: getattr(case, name)
            for name in (
                *("overlap", "misses_max", "share_percent_max", "snapshot_rounds"),
                *("verification_percent", "committee_size", "attestation_kind"),
            )
        }
        settings["bloom_false_positive_ppm"] = filter_rate(count)
        settings |= {"batch_sequences_start": batch, "batch_sequences_end": batch}
        super().__init__(count, init_min_members=self.first, epoch_rounds=case.rounds, **settings)

    def weight(self, slot: int) -> int:
        """What a member says of its speed."""
        kinds = {"equal": 100, "rising": 1 + slot * 999 // self.count, "two kinds": 1 + slot % 2}
        return kinds.get(self.case.weights, 100 + slot * 37 % 901)

    def present(self) -> list[int]:
        """The Active members' slots."""
        return self.roster.slots(MemberState.ACTIVE)

    def chosen(self, round_: int) -> list[int]:
        """Who commits in a round."""
        order: list[int] = self.record().order.tolist()
        odd, pattern = round_ % 2, self.case.pattern
        sizes = {"alternate": 1, "pairs": 2, "blocks": max(len(order) // 8, 1)}
        if pattern in sizes:
            return [slot for at, slot in enumerate(order) if at // sizes[pattern] % 2 == odd]
        if pattern == "random":
            return [slot for slot in order if self.rng.random() < 0.5]
        return order if pattern == "all" else []

    def trained(self, round_: int) -> None:
        """Some commit, some go, and the time of Train is over; what may be said of payloads is."""
        self.verified()
        active = set(self.present())
        for slot in self.chosen(round_):
            if slot in active:
                with suppress(ProgramError):  # an empty share
                    self.say_commit(slot)
        count = len(active) * self.case.gone // 100
        for slot in self.rng.sample(sorted(active), min(count, max(len(active) - 4, 0))):
            self.go(self.rng.choice(["leave", "behind"]), slot)
        self.pass_seconds(self.config.train_seconds)
        self.tick_all()
        self.pass_time(slots=3)
        self.tick_all()

    def verified(self) -> None:
        """Auditors speak, and committees, of all rounds of which they may."""
        present = self.run.round
        if not self.case.verification_percent:
            return
        self.tick_all()
        if present:
            speak(self, present - 1, flags=lambda: self.rng.random() * 100 < self.case.flags)
        self.pass_time(slots=3)
        self.tick_all()
        for round_ in range(max(present - 3, 0), present):
            judge(self, round_)

    def witnessed(self) -> None:
        """Some witnesses attest some payloads; the time goes by, and all that twice if need be."""
        for _ in range(2):
            run = self.run
            if run.phase is not Phase.WITNESS or self.target < 0:
                return
            record = self.record(self.target)
            held = [slot for slot in range(self.count) if record.commitments[slot].any()]
            for slot in witnesses(record):
                if self.rng.random() * 100 < self.case.heard and slot in self.present():
                    some = [one for one in held if self.rng.random() * 100 < self.case.seen]
                    with suppress(ProgramError):  # the round is settled already
                        self.say_attest(slot, some)
            self.pass_seconds(self.config.witness_seconds)
            self.tick_all()

    def play_case(self) -> dict[str, int]:
        """Plays all rounds and the vote after them; returns the dearest call of each kind."""
        self.open(self.first)
        for slot in range(self.first, self.count):
            self.enter(slot)
            self.say_ready(slot)
        number = 0
        while self.run.phase in (Phase.TRAIN, Phase.WITNESS) and number < 2 * ROUNDS_MAX:
            if self.run.phase is Phase.TRAIN:
                self.trained(number)
            if self.case.aborted and number == self.case.rounds - 1:
                self.pass_seconds(10**6)
                self.do("abort", ALICE)
                return self.units
            self.witnessed()
            number += 1
        if self.run.phase is Phase.COOLDOWN:
            self.vote_and_end()
        return self.units

    def vote_and_end(self) -> None:
        """Who may vote votes; some differ."""
        stages = self.roster.entries["vote_stage"]
        self.cast_votes([slot for slot in range(self.count) if stages[slot] == 1], against=1)
        self.pass_seconds(self.config.cooldown_seconds)
        self.tick_all()


def drawn(rng: random.Random) -> Case:
    """A random case."""
    return Case(seed=rng.randrange(2**32), **{name: rng.choice(of) for name, of in GENES.items()})


def changed(rng: random.Random, case: Case) -> Case:
    """The same with a gene or two of another kind."""
    names = rng.sample(list(GENES), rng.choice([1, 2]))
    return replace(case, **{name: rng.choice(GENES[name]) for name in names})


Found = dict[str, tuple[int, Case]]


def search(count: int, seconds: float, seed: int, known: Found) -> Found:
    """Tries cases for so long; `known` are the dearest so far, by kind of call."""
    rng, found = random.Random(seed), measured_again(count, known)
    until, tried = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        greedy = found and rng.random() < 0.6
        base = rng.choice([case for _, case in found.values()]) if greedy else drawn(rng)
        case = changed(rng, base) if greedy else base
        tried += 1
        note(found, count, case)
    print(f"{count} members: {tried} cases tried")
    return found


def note(found: Found, count: int, case: Case) -> None:
    """Plays a case, and keeps it where it is dearer than all before."""
    for name, used in Played(count, case).play_case().items():
        if name not in found or used > found[name][0]:
            found[name] = (used, case)


def measured_again(count: int, known: Found) -> Found:
    """The known cases with what they cost in the present program."""
    found: Found = {}
    for case in dict.fromkeys(case for _, case in known.values()):
        note(found, count, case)
    return found


def load() -> dict[str, Found]:
    """The dearest cases by members and kind of call."""
    if not CASES_FILE.exists():
        return {}
    kept = json.loads(CASES_FILE.read_text(encoding="utf-8"))
    return {
        count: {name: (one["units"], Case(**one["case"])) for name, one in by.items()}
        for count, by in kept.items()
    }


def save(found: dict[str, Found]) -> None:
    """Writes them."""
    plain = {
        count: {
            name: {"units": used, "case": asdict(case)} for name, (used, case) in sorted(by.items())
        }
        for count, by in found.items()
    }
    CASES_FILE.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


def cases(count: int, *, most: int) -> Iterable[Case]:
    """The cases that are dearest for most kinds of ticks, each once, at most so many."""
    by = load().get(str(count), {})
    ticks = sorted(by.items(), key=lambda one: (not one[0].startswith("tick"), -one[1][0]))
    unique = dict.fromkeys(case for _, (_, case) in ticks)
    return list(unique)[:most]


def main() -> int:
    """Searches, and keeps what is dearer than what was known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost_search")
    parser.add_argument("--members", type=int, nargs="*", default=[32, 256, 1_024])
    parser.add_argument("--seconds", type=float, default=300, help="for each number of members")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--anew", action="store_true", help="forget what is known")
    given = parser.parse_args()
    kept = {} if given.anew else load()
    for count in given.members:
        kept[str(count)] = search(count, given.seconds, given.seed, kept.get(str(count), {}))
        save(kept)
        for name, (used, _) in sorted(kept[str(count)].items()):
            print(f"{used:>9,}  {name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
