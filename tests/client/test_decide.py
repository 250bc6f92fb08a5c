"""The client's behaviour, as one table: (what it sees, what it holds) -> what it does next."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyche_client.decide import Me, Phase, Standing, Step, View, VoteStage, decide

ACTIVE = Standing.ACTIVE
SYNCED = Me(synced=True)


def active(phase: Phase, **facts: object) -> View:
    return View(phase=phase, standing=ACTIVE, **facts)  # type: ignore[arg-type]


WITNESS_DUTY = {"witnesses": True, "attest_open": True, "attestable": frozenset({1, 4})}

CASES = [
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
        "who is in step when the run ends stops",
        View(phase=Phase.FINISHED, standing=Standing.READY),
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
        Step.FINISH,
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
        Step.FINISH,
    ),
    # training
    ("a trainer trains", active(Phase.TRAIN, trains=True), SYNCED, Step.TRAIN),
    ("a trainer not in step does not train", active(Phase.TRAIN, trains=True), Me(), Step.WAIT),
    (
        "one training is left alone",
        active(Phase.TRAIN, trains=True),
        Me(synced=True, training=True),
        Step.WAIT,
    ),
    (
        "nothing is applied under a gradient",
        active(Phase.TRAIN, trains=True),
        Me(can_apply=True, training=True),
        Step.WAIT,
    ),
    (
        "a payload is committed",
        active(Phase.TRAIN, trains=True),
        Me(synced=True, payload_ready=True),
        Step.COMMIT,
    ),
    (
        "a commitment is sent once",
        active(Phase.TRAIN, trains=True, committed=True),
        Me(synced=True, payload_ready=True),
        Step.WAIT,
    ),
    (
        "a payload that is late is not sent",
        active(Phase.WITNESS, trains=True),
        Me(synced=True, payload_ready=True),
        Step.WAIT,
    ),
    # witnessing
    (
        "a witness with everything attests",
        active(Phase.WITNESS, **WITNESS_DUTY),
        Me(synced=True, held=frozenset({1, 4, 9})),
        Step.ATTEST,
    ),
    (
        "a witness attests while it trains",
        active(Phase.TRAIN, trains=True, **WITNESS_DUTY),
        Me(synced=True, training=True, held=frozenset({1, 4})),
        Step.ATTEST,
    ),
    (
        "a witness that lacks one waits for it",
        active(Phase.WITNESS, **WITNESS_DUTY),
        Me(synced=True, held=frozenset({1})),
        Step.WAIT,
    ),
    (
        "late, a witness attests what it has",
        active(Phase.WITNESS, attest_late=True, **WITNESS_DUTY),
        Me(synced=True, held=frozenset({1})),
        Step.ATTEST,
    ),
    (
        "late, a witness with nothing says so",
        active(Phase.WITNESS, attest_late=True, **WITNESS_DUTY),
        SYNCED,
        Step.ATTEST,
    ),
    (
        "an attestation is not repeated",
        active(
            Phase.WITNESS,
            attest_late=True,
            attested=frozenset({1}),
            attested_once=True,
            **WITNESS_DUTY,
        ),
        Me(synced=True, held=frozenset({1})),
        Step.WAIT,
    ),
    (
        "an attestation grows",
        active(Phase.WITNESS, attested=frozenset({1}), attested_once=True, **WITNESS_DUTY),
        Me(synced=True, held=frozenset({1, 4})),
        Step.ATTEST,
    ),
    (
        "before its entropy nothing is attested",
        active(Phase.WITNESS, witnesses=True, attestable=frozenset({1})),
        Me(synced=True, held=frozenset({1})),
        Step.WAIT,
    ),
    # while a gradient is computed, in whatever phase, the parameters stay
    *(
        (f"who trains {what} {phase.name.lower()}", active(phase), me, Step.WAIT)
        for phase in (Phase.TRAIN, Phase.WITNESS, Phase.COOLDOWN, Phase.FINISHED)
        for what, me in (
            ("applies nothing in", Me(training=True, can_apply=True, patient=True)),
            ("loads nothing in", Me(training=True, lost=True, patient=True)),
        )
    ),
    (
        "who was dropped while it trains takes no slot before it is done",
        View(phase=Phase.TRAIN),
        Me(synced=True, training=True),
        Step.WAIT,
    ),
    (
        "who fell behind while it trains is not ready before it is done",
        View(phase=Phase.TRAIN, standing=Standing.BEHIND),
        Me(synced=True, training=True),
        Step.WAIT,
    ),
    # votes
    (
        "a digest is voted hidden",
        active(Phase.COOLDOWN, vote=VoteStage.COMMIT),
        Me(synced=True, vote_ready=True),
        Step.VOTE,
    ),
    (
        "then opened",
        active(Phase.COOLDOWN, vote=VoteStage.REVEAL, voted=True),
        Me(synced=True, vote_ready=True),
        Step.REVEAL,
    ),
    (
        "who did not vote opens nothing",
        active(Phase.COOLDOWN, vote=VoteStage.REVEAL),
        Me(synced=True, vote_ready=True),
        Step.WAIT,
    ),
    # checkpoints
    (
        "who shall publish does, once peers can fetch here",
        active(Phase.COOLDOWN, publishes=True),
        Me(synced=True, serves_agreed=True),
        Step.PUBLISH,
    ),
    (
        "what is not served here is not published",
        active(Phase.COOLDOWN, publishes=True),
        SYNCED,
        Step.WAIT,
    ),
    (
        "what was published is looked at first",
        active(Phase.COOLDOWN, offers=frozenset({0})),
        SYNCED,
        Step.CHECK,
    ),
    (
        "once",
        active(Phase.COOLDOWN, offers=frozenset({0})),
        Me(synced=True, checking=frozenset({0})),
        Step.WAIT,
    ),
    (
        "the second beside the first",
        active(Phase.COOLDOWN, offers=frozenset({0, 1})),
        Me(synced=True, checking=frozenset({0})),
        Step.CHECK,
    ),
    (
        "and confirmed then",
        active(Phase.COOLDOWN, offers=frozenset({0, 1})),
        Me(synced=True, checking=frozenset({0}), checked=frozenset({1})),
        Step.CONFIRM,
    ),
    (
        "a word is opened before anything is published",
        active(Phase.COOLDOWN, vote=VoteStage.REVEAL, voted=True, publishes=True),
        Me(synced=True, vote_ready=True, serves_agreed=True),
        Step.REVEAL,
    ),
    (
        "who waits for a piece still ticks",
        active(Phase.COOLDOWN, offers=frozenset({0}), due=True, my_turn=True),
        Me(synced=True, checking=frozenset({0})),
        Step.TICK,
    ),
    # payloads that are nowhere
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


@pytest.mark.parametrize(("view", "me", "step"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_the_table_holds(view: View, me: Me, step: Step) -> None:
    assert decide(view, me) is step


views = st.builds(
    View,
    phase=st.sampled_from(Phase),
    standing=st.sampled_from(Standing),
    attestable=st.frozensets(st.integers(0, 7)),
    attested=st.frozensets(st.integers(0, 7)),
    vote=st.sampled_from(VoteStage),
    offers=st.frozensets(st.integers(0, 1)),
    **dict.fromkeys(
        [
            "trains",
            "committed",
            "witnesses",
            "attest_open",
            "attest_late",
            "missing_late",
            "attested_once",
            "voted",
            "revealed",
            "publishes",
            "due",
            "my_turn",
        ],
        st.booleans(),
    ),
)
clients = st.builds(
    Me,
    missing=st.none() | st.integers(0, 7),
    held=st.frozensets(st.integers(0, 7)),
    checking=st.frozensets(st.integers(0, 1)),
    checked=st.frozensets(st.integers(0, 1)),
    **dict.fromkeys(
        [
            "synced",
            "can_apply",
            "lost",
            "resyncing",
            "training",
            "payload_ready",
            "vote_ready",
            "serves_agreed",
            "stopping",
            "needed",
            "patient",
        ],
        st.booleans(),
    ),
)


@given(view=views, me=clients)
def test_no_answer_breaks_a_rule(view: View, me: Me) -> None:
    step = decide(view, me)
    if step is Step.COMMIT:
        assert view.phase is Phase.TRAIN
        assert view.trains
        assert not view.committed
    if step is Step.TRAIN:
        assert me.synced
        assert not me.training
    if step is Step.APPLY:
        assert not me.training
    if step is Step.ATTEST:
        assert view.witnesses
        assert view.attest_open
    if step is Step.SAY_MISSING:
        assert me.missing is not None
        assert view.missing_late
        assert view.standing is ACTIVE
    if step is Step.PUBLISH:
        assert view.publishes
        assert me.serves_agreed
    if step is Step.CONFIRM:
        assert view.offers & me.checked
    if step is Step.TICK:
        assert view.due
        assert view.my_turn


def test_every_phase_and_standing_has_an_answer() -> None:
    for phase, standing in product(Phase, Standing):
        assert isinstance(decide(View(phase=phase, standing=standing), Me()), Step)
