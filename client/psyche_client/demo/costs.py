"""What a run costs on chain, read back from the chain itself: units and fees of each transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

TRANSITIONS = ("PhaseChanged", "RoundSettled", "EntropyStored")


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction that named the run.

    Attributes:
        instructions: names of the coordinator's instructions in it, in order.
        events: names of the events that it emitted.
    """

    instructions: tuple[str, ...]
    events: tuple[str, ...]
    units: int
    fee_lamports: int
    failed: bool


@dataclass(slots=True)
class Costs:
    """Sums over a run's transactions."""

    transactions: int = 0
    failed: int = 0
    fee_lamports: int = 0
    units_max: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, transactions: Iterable[Transaction]) -> None:
        """Counts more transactions; failed ones cost fees but say nothing about units."""
        for transaction in transactions:
            self.transactions += 1
            self.fee_lamports += transaction.fee_lamports
            if transaction.failed:
                self.failed += 1
                continue
            name = label(transaction)
            self.units_max[name] = max(self.units_max[name], transaction.units)


def label(transaction: Transaction) -> str:
    """`commit`, or `commit_and_tick` where the instruction made a transition on the way."""
    name = "+".join(dict.fromkeys(transaction.instructions)) or "other"
    moved = any(event in TRANSITIONS for event in transaction.events)
    return f"{name}_and_tick" if moved and "tick" not in transaction.instructions else name
