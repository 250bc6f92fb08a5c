"""The transition table in Python answers what the one in Rust answers."""

from typing import Any

from psyche_sdk._rules import phase as rules
from psyche_sdk._rules.phase import Moment, Phase, PhaseView, SettledView
from support.golden import golden

MOMENTS = ("now", "started", "enough_since", "grace_since")


def view_of(row: dict[str, Any]) -> PhaseView:
    fields = {key: value for key, value in row.items() if key not in ("phase", "due")}
    for name in MOMENTS:
        if fields.get(name) is not None:
            fields[name] = Moment(*fields[name])
    return PhaseView(**fields)


def test_every_row_of_the_table_agrees() -> None:
    for row in golden("phase", "due"):
        phase = Phase(row["phase"])
        transition = rules.due(phase, view_of(row))
        found = str(transition) if transition else None
        if transition is rules.Transition.END_EPOCH:
            following = rules.end_of_epoch(
                step=row["step"], total_steps=row["total_steps"], pause_asked=row["pause_asked"]
            )
            found = f"end_epoch_{following.value}"
        assert found == row["due"], row


def test_what_follows_a_settled_round_agrees() -> None:
    for row in golden("phase", "after_settle"):
        fields = {key: value for key, value in row.items() if key not in ("next", "rounds")}
        assert rules.after_settle(SettledView(**fields)) == (row["next"], row["rounds"]), row


def test_grace_agrees() -> None:
    for *arguments, expected in golden("phase", "grace_begins"):
        assert rules.grace_begins(*arguments) == expected
    for *arguments, expected in golden("phase", "grace_length"):
        assert rules.grace_length(*arguments) == expected
