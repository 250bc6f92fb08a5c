"""The model of the protocol runs beside the program, and they never differ.

The model (tests/support/model) is written from docs/PROTOCOL.md alone. After every instruction the
accounts say what the model says, and an instruction fails on chain for a reason that the model has.

By hand, with fresh seeds and longer:

    MODEL_EXAMPLES=2000 MODEL_STEPS=120 .venv/bin/pytest --timeout 0 tests/program/test_model.py

With MODEL_NO_SHRINK=1, too, the first difference is told at once, with all the steps to it.
"""

from __future__ import annotations

import inspect
import os

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Step
from hypothesis.stateful import run_state_machine_as_test

from support.instruction_table import ACCOUNTS
from support.side_by_side import Pair
from support.sides import Sides

#: Without shrinking a difference is found sooner, and told at greater length.
PHASES = list(Step) if "MODEL_NO_SHRINK" not in os.environ else [Step.generate]
EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "30"))
STEPS = int(os.environ.get("MODEL_STEPS", "50"))
#: What must have happened, or the two have said little to each other; test_model_tours.py goes
#: where invented members seldom come.
MET = {
    *(f"{name}: ok" for name in ("join", "ready", "commit", "attest", "leave", "tick", "collect")),
    *(f"{name}: ok" for name in ("attest_state", "reveal_state", "publish_checkpoint", "verdict")),
    *(f"{name}: ok" for name in ("confirm_checkpoint", "close_participant", "close_run", "abort")),
    *("BLOOM", "EXACT", "settle_target", "end_epoch", "draw_audits", "finalise_lowest"),
}
#: Every run begins by them, or is of a version that the page says nothing about.
APART = {"create_run", "allocate", "migrate", "migrate_participant"}


def test_every_instruction_is_known_to_both_sides() -> None:
    parts = {inspect.getmodule(one) for one in (Pair, *Sides.__mro__)}
    sources = [
        inspect.getsource(one) for one in parts if one and one.__name__.startswith("support")
    ]

    assert {name for name in ACCOUNTS if f'"{name}"' not in "".join(sources)} == APART


def test_the_program_and_the_model_never_differ() -> None:
    Sides.met.clear()

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Sides,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=PHASES,
            report_multiple_bugs=False,
            database=None,
            derandomize="MODEL_EXAMPLES" not in os.environ,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )

    assert set(Sides.met) >= MET, MET - set(Sides.met)
