"""Mixtures: which sequence of which data set an id of the run's order names.

Data set d of D has a whole weight w_d >= 1 and n_d >= 1 sequences; W is the sum of the weights and
c_d = w_0 + ... + w_(d-1). The mixture has

    N = W * max over d of ceil(n_d / w_d)

sequences. Sequence i, with q = i div W and r = i mod W, is of the data set d with
c_d <= r < c_d + w_d, and there it is sequence (q * w_d + r - c_d) mod n_d.

So any W ids from a multiple of W hold w_d of each, all N hold every sequence at least once and
those of one data set equally often or once more, and a data set alone is itself.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]

#: A position of a run's order must name each sequence: the chain counts no further.
SEQUENCES_MAX: Final = 1 << 48
WEIGHT_MAX: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Mixture:
    """Data sets with a weight and a number of sequences each.

    Example:
        Mixture((3, 1), (6, 100)).locate(np.arange(4))  # [0, 0, 0, 1], [0, 1, 2, 0]
    """

    weights: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def count(self) -> int:
        """Sequences of the mixture; 0 if a data set has none."""
        if not all(self.counts):
            return 0
        cycles = (-(-n // w) for w, n in zip(self.weights, self.counts, strict=True))
        return sum(self.weights) * max(cycles)

    def locate(self, ids: npt.NDArray[np.integer[Any]]) -> tuple[Ids, Ids]:
        """Data set [n] and sequence in it [n] of ids [n] from 0 to count - 1."""
        ends = np.cumsum(self.weights, dtype=np.int64)
        cycle, rest = np.divmod(np.asarray(ids, np.int64), ends[-1])
        which = np.searchsorted(ends, rest, side="right")
        weights, counts = (np.asarray(x, np.int64) for x in (self.weights, self.counts))
        inside = cycle * weights[which] + rest - (ends - weights)[which]
        return which, inside % counts[which]
