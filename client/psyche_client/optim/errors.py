"""Errors of the update rule.

OptimError
|-- ExactnessError   this machine cannot compute the agreed update exactly: do not train
|-- RuleError        an update rule or schedule in model.json is not valid
|-- LayoutError      parameters, gradients or saved state do not fit the layout
`-- PayloadError     a payload's bytes are not what the run allows; carries a reason
"""

from __future__ import annotations

from enum import StrEnum


class OptimError(Exception):
    """Base of every error that `psyche_client.optim` raises on purpose."""


class ExactnessError(OptimError):
    """The exact inverse transform does not hold here. The client must refuse to train."""


class RuleError(OptimError, ValueError):
    """A number of the update rule is missing, unknown, or out of range."""


class LayoutError(OptimError, ValueError):
    """Tensors or saved state do not have the shapes that the layout describes."""


class PayloadFault(StrEnum):
    """Why a payload was refused."""

    SIZE = "size"
    MAGIC = "magic"
    VERSION = "version"
    IDENTITY = "identity"
    LAYOUT = "layout"
    COUNTS = "counts"
    LENGTH = "length"
    PADDING = "padding"
    STRAND = "strand"


class PayloadError(OptimError):
    """A payload's bytes break the format. It contributes nothing; never retry the same bytes.

    `fault` names the first rule that failed.
    """

    def __init__(self, fault: PayloadFault, message: str) -> None:
        """Keep the fault beside its message."""
        super().__init__(f"{fault}: {message}")
        self.fault = fault
