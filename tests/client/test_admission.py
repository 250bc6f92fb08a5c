"""What a client refuses to take part in."""

from __future__ import annotations

import pytest

from psyche_client.admission import AdmissionError, refuse_verification
from psyche_sdk.views import Phase
from support.program import world_at


def test_a_run_that_asks_for_verifiers_is_refused_in_one_line() -> None:
    run = world_at(Phase.PAUSED, verification_percent=5).run

    with pytest.raises(AdmissionError) as caught:
        refuse_verification(run)

    assert str(caught.value) == (
        "this run lets 5 of 100 members verify payloads, which this client cannot do"
    )
    assert "verification_percent is 0" in caught.value.hint


def test_a_run_without_verifiers_is_joined() -> None:
    refuse_verification(world_at(Phase.PAUSED).run)
