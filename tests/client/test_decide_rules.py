"""Whatever a client sees and holds, it has an answer, and none breaks a rule."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from psyche_client.decide import Me, Phase, Standing, Step, View, VoteStage, decide

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
        assert view.standing is Standing.ACTIVE
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
