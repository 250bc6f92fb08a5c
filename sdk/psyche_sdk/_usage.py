"""What transactions cost: numbers of them, fees, compute units by instruction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Units:
    """Compute units of one kind of instruction: whole transactions, as the cluster counted them."""

    count: int = 0
    total: int = 0
    max: int = 0

    def add(self, units: int) -> None:
        """Count one more."""
        self.count += 1
        self.total += units
        self.max = max(self.max, units)


@dataclass(slots=True)
class Usage:
    """Counters of a `Coordinator`; they only grow.

    Attributes:
        transactions: that landed, failed ones included.
        failed: of these, how many failed.
        lamports_fees: fees of all of them.
        units: by instruction name; `NAME_and_tick` where the instruction made a transition. Only
            filled where measuring was asked for.
    """

    transactions: int = 0
    failed: int = 0
    lamports_fees: int = 0
    units: dict[str, Units] = field(default_factory=dict)

    def landed(self, *, fee_lamports: int, failed: bool) -> None:
        """Count a transaction that stands in a block."""
        self.transactions += 1
        self.failed += failed
        self.lamports_fees += fee_lamports

    def measured(self, name: str, units: int) -> None:
        """Count the compute units of a transaction."""
        self.units.setdefault(name, Units()).add(units)

    def units_max(self) -> Mapping[str, int]:
        """Return the largest count of compute units by name."""
        return {name: units.max for name, units in sorted(self.units.items())}
