"""What a client does to be a member: joining, keeping up, ticking, leaving, ending."""

from psyche_client.decide import Me, Phase, Standing, Step, View, decide
from support.deciding import SYNCED, Case, active, table

CASES: list[Case] = [
    # joining and keeping up
    (
        "a stranger that holds nothing joins first, for peers speak to members alone",
        View(phase=Phase.TRAIN),
        Me(lost=True),
        Step.JOIN,
    ),
    ("a stranger joins", View(phase=Phase.WAITING_FOR_MEMBERS), Me(), Step.JOIN),
    ("a stranger joins in mid-epoch", View(phase=Phase.TRAIN), Me(), Step.JOIN),
    ("a finished run is not joined", View(phase=Phase.FINISHED), Me(), Step.FINISH),
    (
        "a synced newcomer says ready",
        View(phase=Phase.WARMUP, standing=Standing.JOINED),
        SYNCED,
        Step.SAY_READY,
    ),
    (
        "a newcomer out of date waits while it loads",
        View(phase=Phase.TRAIN, standing=Standing.JOINED),
        Me(resyncing=True),
        Step.WAIT,
    ),
    (
        "a newcomer without the state loads it",
        View(phase=Phase.TRAIN, standing=Standing.JOINED),
        Me(lost=True),
        Step.RESYNC,
    ),
    (
        "one behind that caught up says ready",
        View(phase=Phase.TRAIN, standing=Standing.BEHIND),
        SYNCED,
        Step.SAY_READY,
    ),
    (
        "nobody says ready in cooldown",
        View(phase=Phase.COOLDOWN, standing=Standing.JOINED),
        SYNCED,
        Step.WAIT,
    ),
    (
        "an active member that lost the thread says so",
        active(Phase.TRAIN),
        Me(lost=True),
        Step.SAY_BEHIND,
    ),
    (
        "a settled round is applied before work",
        active(Phase.TRAIN, trains=True),
        Me(can_apply=True),
        Step.APPLY,
    ),
    (
        "an ejected member stops",
        View(phase=Phase.TRAIN, standing=Standing.EJECTED),
        SYNCED,
        Step.FINISH,
    ),
    # the end of the run
    (
        "who is in step when the run ends hands its slot back",
        View(phase=Phase.FINISHED, standing=Standing.READY),
        Me(synced=True, patient=True),
        Step.LEAVE,
    ),
    (
        "and then stops",
        View(phase=Phase.FINISHED),
        Me(synced=True, patient=True),
        Step.FINISH,
    ),
    (
        "it stays while a connected member lags",
        View(phase=Phase.FINISHED, standing=Standing.READY),
        Me(synced=True, patient=True, needed=True),
        Step.WAIT,
    ),
    (
        "but not for ever",
        View(phase=Phase.FINISHED, standing=Standing.READY),
        Me(synced=True, needed=True),
        Step.LEAVE,
    ),
    (
        "who lags at the end catches up",
        View(phase=Phase.FINISHED, standing=Standing.JOINED),
        Me(lost=True, patient=True),
        Step.RESYNC,
    ),
    (
        "with the last round, too",
        View(phase=Phase.FINISHED, standing=Standing.JOINED),
        Me(can_apply=True, patient=True),
        Step.APPLY,
    ),
    (
        "who was dropped applies what is here",
        View(phase=Phase.FINISHED),
        Me(can_apply=True, patient=True),
        Step.APPLY,
    ),
    (
        "and gives up in the end",
        View(phase=Phase.FINISHED, standing=Standing.JOINED),
        Me(lost=True),
        Step.LEAVE,
    ),
    # ticking, leaving
    ("who has the turn ticks", active(Phase.WITNESS, due=True, my_turn=True), SYNCED, Step.TICK),
    ("others wait", active(Phase.WITNESS, due=True), SYNCED, Step.WAIT),
    (
        "one that loads state still ticks",
        active(Phase.WITNESS, due=True, my_turn=True),
        Me(resyncing=True),
        Step.TICK,
    ),
    ("ctrl-c leaves", active(Phase.TRAIN, trains=True), Me(synced=True, stopping=True), Step.LEAVE),
    ("ctrl-c without a slot stops", View(phase=Phase.TRAIN), Me(stopping=True), Step.FINISH),
]


@table(CASES)
def test_the_table_holds(view: View, me: Me, step: Step) -> None:
    assert decide(view, me) is step
