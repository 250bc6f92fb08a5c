"""How long a call takes."""

from __future__ import annotations

import time
from collections.abc import Callable

RUNS = 7


def best_seconds(call: Callable[[], object]) -> float:
    """Seconds of the fastest of several calls, after one that does not count."""
    call()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
