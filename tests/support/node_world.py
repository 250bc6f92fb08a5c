"""One client's parts around its loop, and a chain that a test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np

from psyche_client.decide import Phase, Standing
from psyche_client.events import EventLog, tail
from psyche_client.fetching import Fetcher
from psyche_client.keeper import Keeper
from psyche_client.node import Node
from psyche_client.replica import Replica
from psyche_client.resync import Resync
from psyche_client.seen import Sight
from psyche_client.store import Store
from psyche_client.trainer import Trainer
from support.client import (
    PAYLOAD_BYTES_MAX,
    Peers,
    agreed,
    record,
    settled,
    sight,
    tiny_document,
    tokens,
)

WALLET = bytes([1]) * 32
SECONDS_MAX = 30.0
BAD = b"a payload of no form"


class FakeChain:
    """A chain that stands still until an instruction, or a look, moves it as the test says.

    Attributes:
        now: what the next look sees.
        moves: by instruction, what happens when it is sent: an error, or a function.
        sent: (instruction, arguments after the sight), in order; `sight` stands for a look.
    """

    wallet = WALLET

    def __init__(self, now: Sight) -> None:
        self.now = now
        self.moves: dict[str, list[Any]] = {}
        self.sent: list[tuple[str, tuple[Any, ...]]] = []

    def on(self, name: str, *moves: Any) -> None:
        """What happens at the next times; the last one at all that follow."""
        self.moves[name] = list(moves)

    def to(self, now: Sight) -> Callable[[], None]:
        """A move to what is seen from then on."""

        def move() -> None:
            self.now = now

        return move

    def names(self) -> list[str]:
        """Instructions in order, looks left out."""
        return [name for name, _ in self.sent if name != "sight"]

    async def sight(self) -> Sight:
        await self._do("sight")
        return self.now

    async def members(self, _: Sight, unreachable: frozenset[bytes]) -> dict[bytes, Any]:
        self.unreachable = unreachable
        return {}

    async def announce(self, _: Sight) -> None:
        """The address on chain is right."""

    async def changes(self) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield

    async def join(self, _: Sight) -> tuple[int, int]:
        await self._do("join")
        return 0, 1

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def send(_: Sight, *arguments: Any) -> None:
            await self._do(name, *arguments)

        return send

    async def _do(self, name: str, *arguments: Any) -> None:
        await asyncio.sleep(0)
        self.sent.append((name, arguments))
        moves = self.moves.get(name, [])
        move = (moves.pop(0) if len(moves) > 1 else moves[0]) if moves else None
        if isinstance(move, Exception):
            raise move
        if move is not None:
            move()


class Work:
    """Sequences for any positions; an error first, where a test says so."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.prefetched: list[list[int]] = []

    def prefetch(self, positions: Any) -> None:
        self.prefetched.append(positions.tolist())

    def sequences(self, positions: Any) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        return tokens(1, len(positions))


class World:
    """One client's parts around a node."""

    def __init__(self, home: Path, trainer: Trainer, *, keep_all: bool) -> None:
        self.trainer, self.store, self.peers, self.work = trainer, Store(home), Peers(), Work()
        self.log = EventLog(home / "events.jsonl")
        self.keeper, changed = Keeper(self.store), asyncio.Event()
        self.replica = Replica(trainer, self.store, self.keeper, self.log)
        self.initial = agreed(0, trainer.digest(0))
        self.chain = FakeChain(self.sight())
        peers: Any = self.peers
        self.fetcher = Fetcher(
            peers,
            self.store,
            self.log,
            check=lambda data, of: trainer.read(data, of) is not None,
            changed=changed.set,
            bytes_max=PAYLOAD_BYTES_MAX,
        )
        shapes = tiny_document().architecture.parameter_shapes()
        self.node = Node(
            chain=self.chain,  # type: ignore[arg-type]
            exchange=peers,
            fetcher=self.fetcher,
            replica=self.replica,
            resync=Resync(peers, self.store, self.fetcher, self.log, shapes),
            keeper=self.keeper,
            workload=self.work,  # type: ignore[arg-type]
            log=self.log,
            changed=changed,
            keep_all=keep_all,
        )

    def sight(self, **changes: Any) -> Sight:
        """What is seen; the initial state is agreed."""
        return sight(**({"states": (self.initial,)} | changes))

    def finished(self, **changes: Any) -> Sight:
        """A run that is over."""
        over = {"phase": Phase.FINISHED, "standing": Standing.NONE, "seat": None}
        return self.sight(**(over | changes))

    async def run(self) -> Sight:
        async with asyncio.timeout(SECONDS_MAX):
            return await self.node.run()

    def errors(self) -> list[str]:
        return [event["message"] for event in tail(self.log.path) if event["event"] == "error"]

    async def close(self) -> None:
        await self.fetcher.close()
        self.replica.close()
        self.log.close()


def share(world: World, **changes: Any) -> Sight:
    """Train of round 0, where this client has a share and has not committed."""
    values: dict[str, Any] = {
        "settled": False, "accepted": (), "train_closed": False,
        "positions": np.arange(2, dtype=np.uint64), "awaited": 1,
    }  # fmt: skip
    mine = record(settled(0, {}), {}, **values)
    return world.sight(**({"rounds": (mine,)} | changes))
