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
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from psyche_client.backward import gradients
from psyche_client.model.document import ModelDocument
from psyche_client.model.lm import CausalLM
from psyche_client.optim.local import Moments
from psyche_client.optim.rule import UpdateRule
from psyche_client.options import Compute

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
        self._part: _Part | None = None

    def start(self, document: ModelDocument, model: CausalLM, compute: Compute) -> None:
        """On rank 0: the others build the model, too.

        Raises:
            RankError: a rank is gone.
        """
        with _told("the ranks did not build the model"):
            self._send((document.encode(), compute))
            self._build(document, compute, model)

    def gradients(
        self,
        model: CausalLM,
        rule: UpdateRule,
        sequences: npt.NDArray[np.int64],
        compute: Compute,
        *,
        step: int = 0,
        moments: Moments | None = None,
    ) -> tuple[float, dict[str, Tensor]]:
        """On rank 0: `backward.gradients`, computed by all ranks.

        Raises:
            RankError: a rank is gone, or silent.
        """
        del rule, compute  # those of `start`
        assert self._part is not None
        assert moments is None
        with _told("the ranks did not compute a share"):
            self._send((sequences, step))
            return self._part.share(sequences, step, dict(model.named_parameters()))

    def serve(self) -> None:
        """On another rank: computes until rank 0 says that it is enough.

        Raises:
            RankError: rank 0 is gone.
        """
        with _told("rank 0 gave no more work"):
            while (work := self._receive()) is not None:
                first, second = work
                if isinstance(first, np.ndarray):
                    assert self._part is not None
                    self._part.share(first, second, None)
                else:
                    self._build(ModelDocument.decode(first), second, None)

    def close(self) -> None:
        """On rank 0 the others are sent home first. A rank that is gone changes nothing here."""
        with contextlib.suppress(RuntimeError):
            if dist.get_rank() == 0:
                self._send(None)
            dist.destroy_process_group()

    def _build(self, document: ModelDocument, compute: Compute, model: CausalLM | None) -> None:
        self._part = _Part(document, compute, self._device, model)

    def _send(self, what: Any) -> None:
        dist.broadcast_object_list([what], src=0, group=self._control)

    def _receive(self) -> Any:
        box: list[Any] = [None]
        dist.broadcast_object_list(box, src=0, group=self._control)
        return box[0]


class _Part:
    """The model as one rank has it, and its part of a share."""

    def __init__(
        self,
        document: ModelDocument,
        compute: Compute,
        device: torch.device,
        model: CausalLM | None,
    ) -> None:
        """Rank 0's `model` computes itself where it is whole and in the right place."""
        self._compute, self._device = compute, device
        self._rule = UpdateRule.from_value(
            {**document.update_rule, "schedule": dict(document.schedule)}
        )
        if model is None or compute.shard or device.type != "cpu":
            with torch.device("meta"):
                model = CausalLM(document.architecture)
            self._holds_master = False
        else:
            self._holds_master = True
        model.model.recomputes = compute.recompute
        self._model = model
        self._loss: nn.Module | None = None
        if compute.shard:
            _shard(model, device)
        if not self._holds_master:
            model.to_empty(device=device)
        if not compute.shard:
            self._loss = DistributedDataParallel(_Loss(model), gradient_as_bucket_view=True)

    def share(
        self,
        sequences: npt.NDArray[np.int64],
        step: int,
        master: dict[str, nn.Parameter] | None,
    ) -> tuple[float, dict[str, Tensor]]:
        """Mean loss of the share, and on rank 0 (where `master` is) what was found, on the CPU."""
        self._take(master)
        loss, found = gradients(
            self._model, self._rule, sequences, self._compute, step=step, backward=self._backward
        )
        kept = {}
        for name in sorted(found):
            whole = _whole(found.pop(name))  # one at a time: another rank needs none
            if master is not None:
                kept[name] = whole.cpu()
        if not self._holds_master:
            self._model.zero_grad(set_to_none=True)
        return loss, kept

    @torch.no_grad()
    def _take(self, master: dict[str, nn.Parameter] | None) -> None:
        """Rank 0's parameters, one after another, bit by bit."""
        for name, own in self._model.named_parameters():
            if self._compute.shard:
                _scatter(own, None if master is None else master[name].to(self._device))
                continue
            if master is not None and not self._holds_master:
                own.copy_(master[name])
            dist.broadcast(own.detach(), src=0)

    def _backward(self, sequences: npt.NDArray[np.int64]) -> float:
        """Leaves the gradient of the mean loss of all ranks' parts; torch divides by the ranks.

        Every rank makes as many passes: sharded layers are gathered in each. One that has nothing
        left repeats a sequence, which counts for nothing.
        """
        self._model.zero_grad(set_to_none=True)
        count, size = dist.get_world_size(), self._compute.micro_batch
        mine = np.array_split(sequences, count)[dist.get_rank()]
        passes = -(-len(sequences) // (count * size))
        total = torch.zeros((), device=self._device)
        for number in range(passes):
            part = mine[number * size : (number + 1) * size]
            weight = len(part) / len(sequences)
            tokens = torch.from_numpy(part if len(part) else sequences[:1]).to(self._device)
            with self._sums(last=number == passes - 1):
                with torch.autocast(
                    self._device.type, torch.bfloat16, enabled=self._compute.bfloat16
                ):
                    loss = self._loss_of(tokens)
                torch.autograd.backward(loss * (weight * count))
            total += loss.detach() * weight
        dist.all_reduce(total)
        return total.item()

    def _loss_of(self, tokens: Tensor) -> Tensor:
        found: Tensor = self._model.loss(tokens) if self._loss is None else self._loss(tokens)
        return found

    def _sums(self, *, last: bool) -> contextlib.AbstractContextManager[None]:
        """DDP sums once, after the last pass. FSDP sums each, else a rank would hold it whole."""
        if last or not isinstance(self._loss, DistributedDataParallel):
            return contextlib.nullcontext()
        return self._loss.no_sync()


class _Loss(nn.Module):
    """The loss as a forward pass, which is what DDP wraps."""

    def __init__(self, model: CausalLM) -> None:
        super().__init__()
        self.model = model

    def forward(self, sequences: Tensor) -> Tensor:
        """As `CausalLM.loss`."""
        return self.model.loss(sequences)


def _shard(model: CausalLM, device: torch.device) -> None:
    """Every layer in shards, and what is outside of layers: FSDP2."""
    # As late as this, for it takes seconds to load.
    from torch.distributed.device_mesh import init_device_mesh  # noqa: PLC0415
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415

    mesh = init_device_mesh(device.type, (dist.get_world_size(),))
    for layer in model.model.layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)


def _scatter(own: Any, whole: Tensor | None) -> None:
    from torch.distributed.tensor import distribute_tensor  # noqa: PLC0415

    sent = torch.empty(own.shape, device=own.device) if whole is None else whole
    mine = distribute_tensor(sent, own.device_mesh, own.placements)
    own.to_local().copy_(mine.to_local())


def _whole(found: Any) -> Tensor:
    """A gradient, all of it, on every rank."""
    full: Tensor = found.full_tensor() if hasattr(found, "full_tensor") else found
    return full


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
