"""What a client does about accepted payloads that are nowhere."""

from psyche_client.decide import Me, Phase, Standing, Step, View, VoteStage, decide
from support.deciding import Case, active, table

CASES: list[Case] = [
    (
        "what is not here is not missed while it could still come",
        active(Phase.TRAIN, trains=True),
        Me(missing=3),
        Step.WAIT,
    ),
    (
        "what did not come in time is missed",
        active(Phase.TRAIN, trains=True, missing_late=True),
        Me(missing=3),
        Step.SAY_MISSING,
    ),
    (
        "what did not come is missed before the vote",
        active(Phase.COOLDOWN, missing_late=True, vote=VoteStage.COMMIT),
        Me(missing=0),
        Step.SAY_MISSING,
    ),
    (
        "who said so waits for what the chain makes of it, and does not fall behind",
        active(Phase.TRAIN, trains=True, missing_late=True),
        Me(),
        Step.WAIT,
    ),
    (
        "what has come after all is applied",
        active(Phase.TRAIN, missing_late=True),
        Me(can_apply=True),
        Step.APPLY,
    ),
    (
        "who is not active has no voice",
        View(phase=Phase.TRAIN, standing=Standing.JOINED, missing_late=True),
        Me(missing=3),
        Step.WAIT,
    ),
    (
        "who applied what was taken out loads an agreed state",
        active(Phase.TRAIN, missing_late=True),
        Me(lost=True),
        Step.SAY_BEHIND,
    ),
]


@table(CASES)
def test_the_table_holds(view: View, me: Me, step: Step) -> None:
    assert decide(view, me) is step
