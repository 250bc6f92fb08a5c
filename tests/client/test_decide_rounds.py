"""What a client does in a round: training, witnessing, and leaving its parameters in peace."""

from psyche_client.decide import Me, Phase, Standing, Step, View, decide
from support.deciding import SYNCED, Case, active, table

WITNESS_DUTY = {"witnesses": True, "attest_open": True, "attestable": frozenset({1, 4})}
CASES: list[Case] = [
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
]


@table(CASES)
def test_the_table_holds(view: View, me: Me, step: Step) -> None:
    assert decide(view, me) is step
