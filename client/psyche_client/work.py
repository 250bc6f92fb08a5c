"""From a share of a round to the sequences that it trains on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from psyche_client.data.errors import DataError
from psyche_client.data.shards import Shards
from psyche_client.seen import Positions
from psyche_sdk._generated.types import RunConfig
from psyche_sdk.views import sequence_ids


class Workload:
    """The data of a run in the run's order."""

    def __init__(self, open_shards: Callable[[], Shards], config: RunConfig) -> None:
        """`open_shards` is called at the first share: who fetches data must be a member."""
        self._open, self._config = open_shards, config
        self._shards: Shards | None = None
        self._opening = threading.Lock()

    def sequences(self, positions: Positions) -> npt.NDArray[np.int64]:
        """Tokens [n, tokens + 1] at positions of the run's endless order.

        Raises:
            DataError: the shards are damaged or are not the run's.
        """
        return self._opened().sequences(self._ids(positions))

    def prefetch(self, positions: Positions) -> None:
        """Begins to fetch what these positions need, and waits for none of it."""
        # Whoever reads them is told what is wrong with them.
        with contextlib.suppress(DataError):
            self._opened().prefetch(self._ids(positions))

    def _opened(self) -> Shards:
        with self._opening:
            if self._shards is None:
                self._shards = self._open()
            return self._shards

    def _ids(self, positions: Positions) -> npt.NDArray[np.int64]:
        return sequence_ids(self._config, positions).astype(np.int64)
