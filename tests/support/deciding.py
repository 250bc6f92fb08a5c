"""How tables of a client's behaviour are written: (what it sees, what it holds) -> what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from psyche_client.decide import Me, Phase, Standing, Step, View

#: A name, then what the client sees, what it holds, and what it does next.
Case = tuple[str, View, Me, Step]

SYNCED = Me(synced=True)


def active(phase: Phase, **facts: Any) -> View:
    """What a member that takes part sees."""
    return View(phase=phase, standing=Standing.ACTIVE, **facts)


def table(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """Gives a test each case as `view`, `me` and `step`."""
    given, names = [case[1:] for case in cases], [case[0] for case in cases]
    return pytest.mark.parametrize(("view", "me", "step"), given, ids=names)
