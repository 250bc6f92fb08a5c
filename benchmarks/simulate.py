"""Simulates runs on the real program, and checks every invariant after every transaction.

    python -m benchmarks.simulate --members 256 --rounds 300 --seed 7 --set attestation_kind=1
    python -m benchmarks.simulate --members 24 --capacity 72 --rounds 40 --seed 0 --runs 50

Prints what became of all messages, and how often each thing happened that a simulation is for;
exits with 1 if one never did. If an invariant of docs/INVARIANTS.md does not hold it prints the
seed and the last messages and exits with 1; the same seed gives the same run again.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from pathlib import Path

# The simulator is part of the program's tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.simulator import coverage
from support.simulator.plan import Plan
from support.simulator.sweep import Sweep


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulate")
    parser.add_argument("--members", type=int, default=256, help="virtual clients")
    parser.add_argument("--capacity", type=int, help="slots; as many as clients, if left out")
    parser.add_argument("--rounds", type=int, default=50, help="rounds that settle, of each run")
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    parser.add_argument("--runs", type=int, default=1, help="with this seed and those after it")
    parser.add_argument("--seconds", type=float, default=math.inf, help="at most, for each run")
    parser.add_argument("--set", action="append", default=[], help="a setting: NAME=NUMBER")
    parser.add_argument("--wild", type=float, default=0.02, help="part of odd things, 0 to 1")
    return parser.parse_args()


def main() -> int:
    """Runs them one after the other."""
    given = arguments()
    capacity = given.capacity or (given.members + 7) // 8 * 8
    named = dict(one.split("=", 1) for one in given.set)
    settings = {name: int(number) for name, number in named.items()}
    happened: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for seed in range(given.seed, given.seed + given.runs):
        plan = Plan(given.members, capacity, given.rounds, seed, given.wild, given.seconds)
        started = time.monotonic()
        sweep = Sweep(plan, **settings)
        try:
            sweep.run()
        except AssertionError as error:
            print("\n".join([f"broken: {error}", *error.__notes__]))
            return 1
        outcomes.update(sweep.world.outcomes)
        happened.update(sweep.world.happened)
        seconds = time.monotonic() - started
        settled, sent = sweep.world.past.rounds_settled, sweep.world.transactions
        print(f"seed {seed}: {settled} rounds, {sent} messages, {seconds:.0f} s", flush=True)
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:>9,}  {outcome}")
    print()
    for word, count in coverage.counts(happened).items():
        print(f"{count:>9,}  {word}")
    never = coverage.unmet(happened)
    if never:
        print(f"never happened: {', '.join(never)}\n\nhint: more rounds, runs or --wild")
    return int(bool(never))


if __name__ == "__main__":
    sys.exit(main())
