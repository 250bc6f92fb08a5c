"""One client on several processes of `torchrun`: rank 0 is the client, the others compute with it.

The others know no chain, no peers and no optimizer. With each share rank 0 sends them its
parameters, every rank computes the gradient of its part, and torch's DDP or FSDP2 sums it. Rank 0
alone applies what the chain accepted, so one place decides the bits of the parameters, and a rank
holds nothing that could be out of step.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from psyche_client.model.document import ModelDocument
from psyche_client.model.lm import CausalLM
from psyche_client.optim.local import Moments
from psyche_client.optim.rule import UpdateRule
from psyche_client.options import RANK_SECONDS, Compute
from psyche_client.rank_part import Part

MEETING = timedelta(minutes=10)
"""How long ranks wait for each other at the start: one may have to load torch from a slow disk."""
IDLE = timedelta(days=365)
"""How long a rank waits for its next share: a run may pause. That rank 0 ended it hears at once."""
_PLACE = re.compile(r"^\[\S+:\d+\]:? ")
"""Where in torch's sources an error was seen."""


class RankError(Exception):
    """A process of this client ended or hangs. Nothing is lost: start the client again."""

    hint = (
        "a process of this client ended, or was silent for --rank-seconds; look above for what it "
        "said, then start the client again"
    )


class Ranks:
    """All ranks of this client, as one of them sees them. Every method is called on each alike."""

    def __init__(self, *, wait_seconds: float = RANK_SECONDS) -> None:
        """Meets the others by the variables that `torchrun` sets.

        Args:
            wait_seconds: how long a rank waits for another within a share, and at the end.

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
        self._wait = timedelta(seconds=wait_seconds)
        with _told("the ranks did not meet"):
            self._control = _interruptible(lambda: self._meet(one_each=one_each))
        self._part: Part | None = None

    def _meet(self, *, one_each: bool) -> dist.ProcessGroup:
        store, rank, count = next(rendezvous("env://", timeout=MEETING))
        store.set(f"here/{rank}", b"")
        store.wait([f"here/{other}" for other in range(count)], MEETING)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if one_each else "gloo",
            store=store,
            rank=rank,
            world_size=count,
            timeout=self._wait,
        )
        # Who sends to a rank that hangs must not wait as long as who has nothing to do.
        wait = IDLE if dist.get_rank() else self._wait
        group = dist.new_group(backend="gloo", timeout=wait)
        assert isinstance(group, dist.ProcessGroup)
        return group

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
        assert moments is None  # `Trainer` refuses such a rule
        del rule, compute  # those of `start`
        assert self._part is not None
        with _told("the ranks did not compute a share"):
            self._send((sequences, step))
            return self._part.share(sequences, step, dict(model.named_parameters()))

    def serve(self) -> None:
        """On another rank: computes until rank 0 says that it is enough.

        Raises:
            RankError: rank 0 is gone, or another rank is gone or silent within a share.
        """
        while True:
            with _told("rank 0 gave no more work"):
                work = self._receive()
            if work is None:
                return
            with _told("this rank did not compute its part"):
                self._do(work)

    def _do(self, work: Any) -> None:
        first, second = work
        if isinstance(first, np.ndarray):
            assert self._part is not None
            self._part.share(first, second, None)
        else:
            self._build(ModelDocument.decode(first), second, None)

    def close(self) -> None:
        """On rank 0 the others are sent home first, and each is heard to go.

        Raises:
            RankError: a rank is gone or silent.
        """
        with _told("not every rank was there at the end"):
            if dist.get_rank() == 0:
                self._send(None)
            dist.monitored_barrier(self._control, self._wait, wait_all_ranks=True)
            dist.destroy_process_group()

    def _build(self, document: ModelDocument, compute: Compute, model: CausalLM | None) -> None:
        self._part = Part(document, compute, self._device, model)

    def _send(self, what: Any) -> None:
        dist.broadcast_object_list([what], src=0, group=self._control)

    def _receive(self) -> Any:
        box: list[Any] = [None]
        dist.broadcast_object_list(box, src=0, group=self._control)
        return box[0]


def _interruptible(work: Callable[[], dist.ProcessGroup]) -> dist.ProcessGroup:
    """Torch hears no signal while it waits for processes: another thread waits, this one hears."""
    future: Future[dist.ProcessGroup] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # it belongs to who asked
            future.set_exception(error)

    threading.Thread(target=run, name="meeting", daemon=True).start()
    return future.result()


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Torch's errors of lost processes in one line."""
    try:
        yield
    except RuntimeError as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        cause = _PLACE.sub("", line).partition(". ")[0]
        raise RankError(f"{what}: {cause}") from error


@contextlib.contextmanager
def lead(count: int, *, wait_seconds: float = RANK_SECONDS) -> Iterator[Ranks | None]:
    """Rank 0 of `count`: the others end with it, whatever ends it. None where it is alone.

    Raises:
        RankError: not all ranks came, or one was gone at the end: `torchrun` tells rank 0 to end
            then, as Ctrl-C does.
    """
    if count == 1:
        yield None
        return
    ranks = Ranks(wait_seconds=wait_seconds)
    try:
        yield ranks
    except RankError:
        raise  # a hanging rank hears no word; the others hear that this process ended
    except Exception:
        with contextlib.suppress(RankError):
            ranks.close()
        raise
    except BaseException:
        ranks.close()
        raise
    else:
        ranks.close()


def follow(*, wait_seconds: float = RANK_SECONDS) -> None:
    """Another rank's whole life. Once met, rank 0 alone hears signals: it still needs this one.

    Raises:
        RankError: rank 0 is gone, or another rank is gone or silent within a share.
    """
    ranks = Ranks(wait_seconds=wait_seconds)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    ranks.serve()
    ranks.close()
