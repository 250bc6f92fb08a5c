"""What goes wrong in a demo, and when: drawn from its seed, so that it can be seen again."""

from __future__ import annotations

import random
from dataclasses import dataclass

KILL_PERMILLE = (100, 200)
"""When a client is killed: parts of the run's steps, first and last."""
LATER_PERMILLE = 50
"""How much later another joins: the death is noticed only after some rounds."""


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of one demo.

    Attributes:
        victim: number of the client that is killed.
        kill_step, join_step: steps of the run at which one dies and another joins.
    """

    victim: int
    kill_step: int
    join_step: int


def faults_of(seed: int, clients: int, steps: int) -> Faults:
    """The faults of a demo of at least two clients; the same for the same seed.

    Client 0 stays: it measures the loss on held-out text from the beginning to the end.
    """
    draw = random.Random(f"faults of {seed}")
    victim = draw.randrange(1, clients)
    permille = draw.randint(*KILL_PERMILLE)
    return Faults(
        victim=victim,
        kill_step=-(-permille * steps // 1000),
        join_step=-(-(permille + LATER_PERMILLE) * steps // 1000),
    )
