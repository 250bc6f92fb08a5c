"""What commands hand to the parts that do the work: plain values, checked before."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

RANK_SECONDS = 600
"""How long a process of a client waits for another. Within a share their parts are equal: it is
slack alone, but as much as the slower of two unequal GPUs needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """A whole network on this machine.

    Attributes:
        json: print one JSON object on stdout and nothing else there; no live view.
        out: folder for everything that a replay needs; None keeps nothing.
        rounds: the run's total steps.
        clients: how many start; one more joins on the way unless `faults` is off.
        seed: fixes the initial parameters, the order of the data and the faults, not the timing.
        overlap: rounds that a payload may lag behind, 0 or 1.
        faults: kill a client and let another join.
    """

    json: bool = False
    out: Path | None = None
    rounds: int | None = None
    clients: int = 3
    seed: int = 0
    overlap: int = 1
    faults: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """How a client computes its gradients: its own business, for peers agree on parameters alone.

    Attributes:
        micro_batch: sequences a backward pass; a share is a sum of such passes.
        bfloat16: multiply matrices in bfloat16. Parameters and gradients stay float32.
        recompute: keep each layer's input alone for the gradient and compute the layer again; less
            memory, a third more time, the same bits.
        shard: where several ranks compute, each holds a part of the model and not all of it.
    """

    micro_batch: int = 8
    bfloat16: bool = False
    recompute: bool = False
    shard: bool = False

    def __post_init__(self) -> None:
        """Refuse an empty pass.

        Raises:
            ValueError: the micro-batch has no sequence.
        """
        if self.micro_batch < 1:
            raise ValueError(f"micro_batch must be at least 1, not {self.micro_batch}")


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinOptions:
    """One client of a run.

    Attributes:
        run: the run's address, or CREATOR/ID.
        url: the RPC endpoint.
        wallet: file of the key that signs and pays.
        data: folder of the prepared data; None where the run's data comes from peers.
        home: the client's own folder: payloads, agreed states, event log.
        network: `direct` (addresses from the chain alone) or `n0` (public discovery and relays).
        name: what people call this client; the wallet's address where empty.
        keep_all: keep every payload, also those that no agreed state needs any more.
        validate: measure the loss on held-out text at the start and the end, and write a sample.
        bond_lamports_max: the largest bond that the wallet deposits.
        compute: how gradients are computed.
        ranks: processes that `torchrun` started to compute them; this is rank 0.
        rank_seconds: how long one of these may be silent within a share.
    """

    run: str
    url: str
    wallet: Path
    home: Path
    data: Path | None = None
    network: str = "n0"
    name: str = ""
    keep_all: bool = False
    validate: bool = False
    bond_lamports_max: int = 0
    compute: Compute = field(default_factory=Compute)
    ranks: int = 1
    rank_seconds: int = RANK_SECONDS
