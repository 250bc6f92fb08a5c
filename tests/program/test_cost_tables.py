"""The tables of docs/COSTS.md: every kind of call is in them, and a broken limit shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import costs, costs_page
from benchmarks.cost_drive import Metered
from benchmarks.costs_page import Limit
from psyche_sdk._budget import filter_units, units_for

IDL = Path(__file__).resolve().parents[2] / "idl/coordinator.json"
TICK_UNITS = 60_000
TICKS = {
    "give shares back",
    "advance, a newcomer at the median",
    "start epoch, a newcomer at the median",
    "start warmup",
    "store entropy",
    "start epoch",
    "close train",
    "store entropy, draw witnesses",
    "redraw witnesses",
    "settle, all accepted",
    "settle, some accepted",
    "settle, none accepted",
    "advance",
    "advance to cooldown",
    "end epoch",
    "draw audits",
    "draw a committee",
    "decide cases",
    "decide a vote",
}
#: Sent once in a run's life, if ever.
ONCE = {"migrate", "migrate_participant"}


def ticks() -> dict[str, int]:
    """Units of ticks with 256 members, by what they do."""
    units, _ = costs.measured(256)
    named = {name.partition("tick: ")[2]: used for name, used in units.items()}
    return {name: used for name, used in named.items() if name}


def test_every_kind_of_tick_is_measured_apart() -> None:
    assert set(ticks()) >= TICKS
    assert any(name.endswith("others dropped") for name in ticks())


def test_a_tick_costs_at_most_60000_units_with_256_members() -> None:
    dear = {name: used for name, used in ticks().items() if used > TICK_UNITS}

    assert not dear


def test_every_instruction_and_every_account_is_measured() -> None:
    idl = json.loads(IDL.read_text(encoding="utf-8"))

    found = costs.as_json([32])

    assert {one["name"] for one in idl["instructions"]} - set(found) == ONCE
    assert set(found["accounts"]) == {one["name"] for one in idl["accounts"]}


def test_a_round_that_is_audited_takes_one_more_tick_in_a_large_run() -> None:
    world = Metered(72, verification_percent=25)
    world.open(72)
    world.play(list(range(72)))
    world.ticks = 0

    world.play(world.trainers_now())

    assert world.ticks == costs.measured(256)[1] + 1


@pytest.mark.parametrize(
    "name", ["commit, closes train", "leave, closes train", "attest, settles and advances"]
)
def test_an_instruction_that_makes_what_is_due_is_measured_apart(name: str) -> None:
    units, _ = costs.measured(32)

    assert units[name] > units[name.partition(",")[0]]


@pytest.mark.parametrize("count", [32, 256])
def test_the_sdk_asks_for_enough_units_for_every_call(count: int) -> None:
    short = {}
    for name, used in costs.measured(count)[0].items():
        call, _, kind = name.partition(", ")
        due = kind in ("closes train", "settles and advances")
        asked = units_for(call.partition(":")[0], capacity=count, transition=due)
        asked = filter_units(count) if "Bloom" in kind else asked
        if used > asked:
            short[name] = (used, asked)

    assert not short


def test_a_good_round_of_a_large_run_takes_four_ticks() -> None:
    assert costs.measured(256)[1] == 4


def test_json_gives_units_by_members_and_bytes_by_capacity() -> None:
    found = costs.as_json([32])

    assert found["commit"] == {"32": costs.measured(32)[0]["commit"]}
    assert found["accounts"]["Run"]["1024"] <= 4_096
    assert found["accounts"]["Rounds"]["256"] > found["accounts"]["Rounds"]["32"]


@pytest.mark.parametrize(("used", "verdict"), [(10, "held"), (11, "**not held**")])
def test_a_limit_says_whether_it_is_held(used: int, verdict: str) -> None:
    assert Limit(0, "a limit", 10, lambda: (used, "a case")).row()[-1] == verdict


def test_tables_of_another_program_are_not_current() -> None:
    page = "<start> sha256 of another <end>"

    assert costs_page.kept_or_measured(page, "<start>", "<end>", measure=False) == ""


def test_tables_of_this_program_are_kept() -> None:
    page = f"<start>\n\n{costs_page.program_hash()}\n\n<end>"

    kept = costs_page.kept_or_measured(page, "<start>", "<end>", measure=False)

    assert kept == costs_page.program_hash()
