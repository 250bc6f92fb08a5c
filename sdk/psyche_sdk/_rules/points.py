"""What a finalised round is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: A sum of points that grows beyond it stays there.
POINTS_MAX = 2**64 - 1


def share_points(sequences: int, rate: int) -> int:
    """The points of a share of ``sequences``."""
    return min(sequences * rate, POINTS_MAX)


def holders_of_all(accepted: bytes, masks: npt.NDArray[np.uint32]) -> int:
    """The witnesses, as a mask, that hold every accepted payload; 0 where nothing was accepted.

    ``accepted`` has a bit a slot, ``masks`` an entry a slot.
    """
    bits = np.unpackbits(np.frombuffer(accepted, np.uint8), bitorder="little").astype(bool)
    held = masks[bits]
    return int(np.bitwise_and.reduce(held)) if len(held) else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a round has to be finalised for.

    Attributes:
        accepted: payloads; attested: mask of witnesses; verdicts: of auditors; cases: opened.
        per_sequence, per_attestation, per_verdict: the run's rates, in points.
    """

    accepted: int = 0
    attested: int = 0
    verdicts: int = 0
    cases: int = 0
    per_sequence: int = 0
    per_attestation: int = 0
    per_verdict: int = 0

    @property
    def any(self) -> bool:
        """Whether there is anything to credit or to decide; else nothing has to be done."""
        trained = self.per_sequence > 0 and self.accepted > 0
        attested = self.per_attestation > 0 and self.attested != 0 and self.accepted > 0
        audited = self.per_verdict > 0 and self.verdicts > 0
        return trained or attested or audited or self.cases > 0
