"""One client on several processes of `torchrun`: rank 0 is the client, the others compute with it.

The others know no chain, no peers and no optimizer. With each share rank 0 sends them its
parameters, every rank computes the gradient of its part, and torch's DDP or FSDP2 sums it. Rank 0
alone applies what the chain accepted, so one place decides the bits of the parameters, and a rank
holds nothing that could be out of step.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from psyche_client.model.document import ModelDocument
from psyche_client.model.lm import CausalLM
from psyche_client.optim.rule import UpdateRule
from psyche_client.options import Compute
from psyche_client.rank_part import Part

WAIT_SECONDS = 600.0
"""How long a rank waits for another within a share: their parts are equal, so slack alone."""
IDLE = timedelta(days=365)
"""How long a rank waits for its next share: a run may pause. That rank 0 ended it hears at once."""


class RankError(Exception):
    """A process of this client ended or hangs. Nothing is lost: start the client again."""

    hint = "look above for what another rank said, then start the client again"


class Ranks:
    """All ranks of this client, as one of them sees them. Every method is called on each alike."""

    def __init__(self, *, wait_seconds: float = WAIT_SECONDS) -> None:
        """Meets the others by the variables that `torchrun` sets.

        Raises:
            RankError: they did not all come in time.
        """
        gpus = torch.cuda.device_count()
        local, on_node = (
            int(os.environ.get(name, default))
            for name, default in (("LOCAL_RANK", "0"), ("LOCAL_WORLD_SIZE", "1"))
        )
        one_each = 0 < on_node <= gpus
        self._device = torch.device("cuda", local) if one_each else torch.device("cpu")
        with _told("the ranks did not meet"):
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if one_each else "gloo",
                timeout=timedelta(seconds=wait_seconds),
            )
            # Who sends to a rank that hangs must not wait as long as who has nothing to do.
            wait = IDLE if dist.get_rank() else timedelta(seconds=wait_seconds)
            group = dist.new_group(backend="gloo", timeout=wait)
            assert isinstance(group, dist.ProcessGroup)
            self._control = group
        self._part: Part | None = None

    def start(self, document: ModelDocument, model: CausalLM, compute: Compute) -> None:
        """On rank 0: the others build the model, too.

        Raises:
            RankError: a rank is gone.
        """
        with _told("the ranks did not build the model"):
            self._send((document.encode(), compute))
            self._build(document, compute, model)

    def gradients(
        self, model: CausalLM, rule: UpdateRule, sequences: npt.NDArray[np.int64], compute: Compute
    ) -> tuple[float, dict[str, Tensor]]:
        """On rank 0: `backward.gradients`, computed by all ranks.

        Raises:
            RankError: a rank is gone, or silent.
        """
        del rule, compute  # those of `start`
        assert self._part is not None
        with _told("the ranks did not compute a share"):
            self._send(sequences)
            return self._part.share(sequences, dict(model.named_parameters()))

    def serve(self) -> None:
        """On another rank: computes until rank 0 says that it is enough.

        Raises:
            RankError: rank 0 is gone.
        """
        with _told("rank 0 gave no more work"):
            while (work := self._receive()) is not None:
                if isinstance(work, np.ndarray):
                    assert self._part is not None
                    self._part.share(work, None)
                else:
                    data, compute = work
                    self._build(ModelDocument.decode(data), compute, None)

    def close(self) -> None:
        """On rank 0 the others are sent home first. A rank that is gone changes nothing here."""
        with contextlib.suppress(RuntimeError):
            if dist.get_rank() == 0:
                self._send(None)
            dist.destroy_process_group()

    def _build(self, document: ModelDocument, compute: Compute, model: CausalLM | None) -> None:
        self._part = Part(document, compute, self._device, model)

    def _send(self, what: Any) -> None:
        dist.broadcast_object_list([what], src=0, group=self._control)

    def _receive(self) -> Any:
        box: list[Any] = [None]
        dist.broadcast_object_list(box, src=0, group=self._control)
        return box[0]


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Torch's errors of lost processes in one line."""
    try:
        yield
    except RuntimeError as error:
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        raise RankError(f"{what}: {cause}") from error


@contextlib.contextmanager
def lead(count: int) -> Iterator[Ranks | None]:
    """Rank 0 of `count`: the others end with it, whatever ends it. None where it is alone.

    Raises:
        RankError: not all ranks came.
    """
    if count == 1:
        yield None
        return
    ranks, lost = Ranks(), False
    try:
        yield ranks
    except RankError:
        lost = True  # a hanging rank hears no word; the others hear that this process ended
        raise
    finally:
        if not lost:
            ranks.close()


def follow() -> None:
    """Another rank's whole life. Rank 0 alone hears signals: it still needs this one to leave.

    Raises:
        RankError: rank 0 is gone.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    ranks = Ranks()
    try:
        ranks.serve()
    finally:
        ranks.close()
