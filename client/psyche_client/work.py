"""From a share of a round to the sequences that it trains on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from psyche_client.data.shards import LocalShards
from psyche_client.seen import Positions
from psyche_sdk._generated.types import RunConfig
from psyche_sdk.views import sequence_ids


class Workload:
    """The data of a run in the run's order."""

    def __init__(self, shards: LocalShards, config: RunConfig) -> None:
        self._shards, self._config = shards, config

    def sequences(self, positions: Positions) -> npt.NDArray[np.int64]:
        """Tokens [n, tokens + 1] at positions of the run's endless order.

        Raises:
            DataError: the shards are damaged or are not the run's.
        """
        ids = sequence_ids(self._config, positions)
        return self._shards.sequences(ids.astype(np.int64))
