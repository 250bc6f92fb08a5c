"""Trains a side of `benchmarks.loss` by another library's optimizer, as its users would.

Every worker has a model and an optimizer of its own, in a thread of its own; one runs at a time.
The libraries' own exchange goes from thread to thread: DeMo's `demo_all_gather`, and the
`allreduce` that torchft's DiLoCo asks its manager for. Its own manager, a server in Rust, is there
for members that fail, and nobody fails here. hivemind's optimizer finds its group by the clock,
seconds a step, and so is no function of a seed: its float16 messages alone are taken, of each
worker's gradient once, while hivemind would round the mean that it returns again. Its 8-bit ones
cannot be read with numpy 2.4 (hivemind 1.1.12).

Bytes are those of the tensors that a worker gives to be sent: int64 indices and float32 values from
DeMo, float32 pseudo-gradients from DiLoCo, hivemind's messages. What a ring or a gather would make
of them is not counted; nor is it of the other sides.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from benchmarks.loss_sides import Peer
from psyche_client.optim import Schedule

WEIGHT_DECAY = 0.1
BETAS = (0.9, 0.95)
#: Of each worker's gradient, as every other side's.
CLIP = 1.0
#: The DiLoCo paper's (arXiv 2311.08105) outer Nesterov momentum.
OUTER = {"lr": 0.7, "momentum": 0.9, "nesterov": True}
Rounds = Iterable[list[npt.NDArray[np.int64]]]


class Meeting:
    """Workers in threads, of which one runs at a time, that give each other values."""

    def __init__(self, workers: int) -> None:
        """For so many workers; each must meet as often as the others."""
        self._workers = workers
        self._barrier = threading.Barrier(workers)
        self._turn = threading.Lock()
        self._values: list[Any] = [None] * workers

    def exchange(self, slot: int, value: Any) -> list[Any]:
        """Waits until all have come; what they brought, by slot. Nobody may change it."""
        self._values[slot] = value
        self._turn.release()
        try:
            self._barrier.wait()
            found = list(self._values)
            self._barrier.wait()  # all have read before anybody brings the next
        finally:
            self._turn.acquire()
        return found

    def run(self, work: Callable[[int], None]) -> None:
        """Calls `work` with each slot; the first error of any of them ends all and is raised."""
        errors: list[BaseException] = []

        def one(slot: int) -> None:
            with self._turn:
                try:
                    work(slot)
                except threading.BrokenBarrierError:
                    pass  # another's error
                except BaseException as error:
                    errors.append(error)
                    self._barrier.abort()

        with ThreadPoolExecutor(self._workers) as pool:
            list(pool.map(one, range(self._workers)))
        if errors:
            raise errors[0]


@dataclass(slots=True)
class Given:
    """What all workers gave to be sent."""

    bytes: int = 0
    values: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A worker's way to the others."""

    meeting: Meeting
    slot: int
    workers: int
    given: Given


def train(
    model: nn.Module, peer: Peer, rounds: Rounds, schedule: Schedule, workers: int
) -> tuple[float, float]:
    """Trains in place; all workers end with these parameters.

    Args:
        model: `loss` maps token ids [n, tokens + 1] to a scalar.
        peer: the side.
        rounds: each worker's sequences [n, tokens + 1] of each step.
        schedule: of the rate; DiLoCo's is the inner one.
        workers: at least two.

    Returns:
        Bytes of all steps of one worker, the mean; values sent of a parameter by all workers, the
        mean.

    Raises:
        ImportError: the library is not installed.
        ValueError: fewer than two workers.
    """
    if workers < 2:
        raise ValueError(f"{workers} workers exchange nothing: at least 2")
    steps = list(rounds)
    models = [model, *(copy.deepcopy(model) for _ in range(workers - 1))]
    meeting, given = Meeting(workers), Given()

    def work(slot: int) -> None:
        torch.set_num_threads(1)  # it is a thread's own
        place = Place(meeting, slot, workers, given)
        optimizer, context = MAKERS[peer.library](models[slot], peer, place)
        with context:
            for now, parts in enumerate(steps):
                for group in optimizer.param_groups:
                    group["lr"] = float(schedule.lr_float32(now))
                step(models[slot], optimizer, torch.from_numpy(parts[slot]))

    meeting.run(work)
    parameters = sum(one.numel() for one in model.parameters())
    return given.bytes / workers, given.values / parameters


def step(model: Any, optimizer: Any, sequences: Tensor) -> None:
    """One step on a worker's own sequences."""
    model.zero_grad(set_to_none=True)
    torch.autograd.backward([model.loss(sequences)])
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimizer.step()


def _groups(model: nn.Module) -> list[dict[str, Any]]:
    """Weight decay skips 1-D tensors, as everywhere."""
    parameters = list(model.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _adamw(model: nn.Module) -> torch.optim.AdamW:
    return torch.optim.AdamW(_groups(model), betas=BETAS)


class _Group:
    """What DeMo asks of a process group when this module sends."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def size(self) -> int:
        return self._workers


def _demo(model: nn.Module, peer: Peer, place: Place) -> tuple[Any, Any]:
    from pytorch_optimizer.optimizer.demo import DeMo  # noqa: PLC0415 - an extra

    group: Any = _Group(place.workers)
    optimizer = DeMo(
        _groups(model),
        compression_top_k=peer.topk,
        compression_chunk=64,
        compression_decay=peer.decay_micro / 1e6,
        process_group=group,
    )

    def gather(indices: Tensor, values: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        place.given.bytes += indices.nbytes + values.nbytes
        place.given.values += values.numel()
        found = place.meeting.exchange(place.slot, (indices, values))
        return [one for one, _ in found], [one for _, one in found]

    optimizer.demo_all_gather = gather
    return optimizer, contextlib.nullcontext()


class Manager:
    """What DiLoCo asks of torchft's manager, where nobody ever fails."""

    _use_async_quorum = False

    def __init__(self, place: Place) -> None:
        """At a worker's place."""
        self._place, self._commits = place, 0

    def allreduce(self, tensor: Tensor, should_quantize: bool = False) -> Manager:
        """Makes the tensor the mean over all workers; done when it returns.

        Raises:
            ValueError: quantization is asked for.
        """
        if should_quantize:
            raise ValueError("the pseudo-gradients are sent as they are: no quantization here")
        self._place.given.bytes += tensor.nbytes
        self._place.given.values += tensor.numel()
        tensor.copy_(mean(self._place, tensor.clone()))
        return self

    def wait(self) -> bool:
        """Of the work that `allreduce` returns."""
        return True

    def should_commit(self) -> bool:
        """Always."""
        self._commits += 1
        return True

    def current_step(self) -> int:
        """Averages so far."""
        return self._commits

    def start_quorum(self) -> None:
        """The members are always the same."""

    def allow_state_dict_read(self) -> None:
        """Nobody reads it."""

    def disallow_state_dict_read(self) -> None:
        """Nobody reads it."""

    def register_state_dict_fn(self, *_: object) -> None:
        """Nobody recovers."""


def mean(place: Place, mine: Tensor) -> Tensor:
    """Over all workers, summed in the order of their slots."""
    return torch.stack(place.meeting.exchange(place.slot, mine)).mean(0)


def _diloco(model: nn.Module, peer: Peer, place: Place) -> tuple[Any, Any]:
    from torchft.local_sgd import DiLoCo  # noqa: PLC0415 - an extra

    inner, manager = _adamw(model), Manager(place)
    outer = torch.optim.SGD(model.parameters(), **OUTER)  # type: ignore[arg-type]  # names of its own
    return inner, DiLoCo(manager, [model], inner, outer, sync_every=peer.local_steps)


def _hivemind(model: nn.Module, _: Peer, place: Place) -> tuple[Any, Any]:
    from hivemind.compression import (  # noqa: PLC0415 - an extra
        deserialize_torch_tensor,
        serialize_torch_tensor,
    )
    from hivemind.proto.runtime_pb2 import CompressionType  # noqa: PLC0415 - an extra

    optimizer = _adamw(model)

    def average(*_: object) -> None:
        for parameter in model.parameters():
            if parameter.grad is not None:
                sent = serialize_torch_tensor(parameter.grad, CompressionType.FLOAT16)
                place.given.bytes += sent.ByteSize()
                place.given.values += parameter.numel()
                parameter.grad.copy_(mean(place, deserialize_torch_tensor(sent)))

    optimizer.register_step_pre_hook(average)
    return optimizer, contextlib.nullcontext()


MAKERS: dict[str, Callable[[nn.Module, Peer, Place], tuple[Any, Any]]] = {
    "demo": _demo,
    "diloco": _diloco,
    "hivemind": _hivemind,
}
