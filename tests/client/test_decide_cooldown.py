"""What a client does between epochs: votes and checkpoints."""

from psyche_client.decide import Me, Phase, Step, View, VoteStage, decide
from support.deciding import SYNCED, Case, active, table

CASES: list[Case] = [
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
]


@table(CASES)
def test_the_table_holds(view: View, me: Me, step: Step) -> None:
    assert decide(view, me) is step
