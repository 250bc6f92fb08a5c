"""A side of `benchmarks.loss` that another library trains."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

#: What each needs: names to import, and what `pip install` calls them.
LIBRARIES: Final = {
    "demo": {"pytorch_optimizer": "pytorch-optimizer", "einops": "einops"},
    "diloco": {"torchft": "torchft"},
    "hivemind": {"hivemind": "hivemind"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another library's optimizer in every worker, with its own compression and averaging.

    Attributes:
        library: "demo" is pytorch-optimizer's DeMo, "diloco" torchft's DiLoCo, "hivemind" AdamW on
            the mean of gradients, each sent by hivemind's float16 compression.
        topk: of DeMo, for each block of 64 x 64.
        decay_micro: of DeMo; its own default.
        local_steps: steps of the inner AdamW between two averages, of DiLoCo.
        against: as a `Variant`'s.
        limit: as a `Variant`'s.
    """

    library: str
    topk: int = 32
    decay_micro: int = 999_000
    local_steps: int = 1
    against: str = "adamw"
    limit: float = 0.01

    def __post_init__(self) -> None:
        """Refuse what nobody can train."""
        if self.library not in LIBRARIES:
            raise ValueError(f"library {self.library!r} must be one of {', '.join(LIBRARIES)}")
        if self.local_steps != 1 and self.library != "diloco":
            raise ValueError(f"{self.library} has no local steps")

    @property
    def moves_as_adamw(self) -> bool:
        """Whether its rate is AdamW's, so that it sweeps the same ones; DeMo moves by signs."""
        return self.library != "demo"

    def absent(self) -> list[str]:
        """What must be installed before it can be trained, by the names that pip knows."""
        needed = LIBRARIES[self.library]
        return [package for name, package in needed.items() if find_spec(name) is None]
