"""The update rule: what a member sends, how payloads become signs, how signs move parameters.

Usable alone, without a network or a chain:

    >>> import torch
    >>> from psyche_client.optim import DisTrO, Layout, UpdateRule
    >>> model = torch.nn.Linear(64, 64)
    >>> layout = Layout.from_shapes({n: p.shape for n, p in model.named_parameters()})
    >>> members = [DisTrO(layout, UpdateRule(topk=8), members_max=2) for _ in range(2)]
    >>> selections = []
    >>> for seed, member in enumerate(members):
    ...     batch = torch.randn(16, 64, generator=torch.Generator().manual_seed(seed))
    ...     model.zero_grad()
    ...     model(batch).square().mean().backward()
    ...     gradients = {n: p.grad for n, p in model.named_parameters()}
    ...     selections.append(member.generate(gradients, (0, 0)))
    >>> [len(selection.indices) for selection in selections]
    [9, 9]
    >>> rate = members[0].rule.schedule.lr_at(0)
    >>> members[0].update(dict(model.named_parameters()), selections, rate)
    >>> for member in members:
    ...     member.settled((0, 0), accepted=True)

Importing this package needs numpy alone. `DisTrO` loads torch when it is first named;
`psyche_client.optim.selftest` needs torch, too, and is imported by its own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from psyche_client.optim.distro import DisTrO

__all__ = [
    "DisTrO",
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


def __getattr__(name: str) -> object:
    if name == "DisTrO":
        from psyche_client.optim.distro import DisTrO  # noqa: PLC0415 - torch only where needed

        return DisTrO
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
