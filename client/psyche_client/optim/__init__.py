"""The update rule: what a member sends, how payloads become signs, how signs move parameters.

What is named here needs numpy alone. `psyche_client.optim.distro` and
`psyche_client.optim.selftest` need torch and are imported by their own names.
"""

from psyche_client.optim.codec import (
    Expectation,
    Form,
    PayloadHeader,
    Selection,
    decode,
    encode,
    read_header,
)
from psyche_client.optim.errors import (
    ExactnessError,
    LayoutError,
    OptimError,
    PayloadError,
    PayloadFault,
    RuleError,
)
from psyche_client.optim.layout import Layout, check_exactness
from psyche_client.optim.rule import UpdateRule
from psyche_client.optim.schedule import Schedule, rate_float32, rate_units

__all__ = [
    "ExactnessError",
    "Expectation",
    "Form",
    "Layout",
    "LayoutError",
    "OptimError",
    "PayloadError",
    "PayloadFault",
    "PayloadHeader",
    "RuleError",
    "Schedule",
    "Selection",
    "UpdateRule",
    "check_exactness",
    "decode",
    "encode",
    "rate_float32",
    "rate_units",
    "read_header",
]
