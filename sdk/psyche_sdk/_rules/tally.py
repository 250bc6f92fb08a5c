"""What the votes of a round's witnesses decide."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What becomes of a trainer's share when its round settles."""

    ACCEPTED = "accepted"
    RETURNED = "returned"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Tally:
    """``elected`` witnesses of whom ``attested`` gave their word."""

    elected: int
    attested: int

    @property
    def valid(self) -> bool:
        """Whether enough of the elected attested: 3a >= 2e, and anybody was elected."""
        return self.elected > 0 and 3 * self.attested >= 2 * self.elected

    def outcome(self, *, committed: bool, rejected: bool, votes: int) -> Outcome:
        """The outcome of a slot with a share whose payload ``votes`` witnesses hold.

        Without a valid draw nothing is accepted and nobody is blamed.
        """
        if not self.valid:
            return Outcome.RETURNED
        if not committed or 3 * votes < self.attested:
            return Outcome.MISSED
        accepts = 3 * votes >= 2 * self.attested and 2 * votes > self.elected
        return Outcome.ACCEPTED if accepts and not rejected else Outcome.RETURNED
