"""Runs the play: starts clients, kills one, lets another in, and watches until the run is over."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from psyche_client.cli.state import State, fold, new_state
from psyche_client.demo.costs import CostReader
from psyche_client.demo.faults import Faults, faults_of
from psyche_client.demo.processes import ClientProcess, stop_all
from psyche_client.demo.stage import Stage
from psyche_client.events import Event, Tail
from psyche_client.options import DemoOptions
from psyche_sdk.coordinator import Coordinator, Snapshot
from psyche_sdk.errors import RpcError

TICK_SECONDS = 0.2
PATIENCE_SECONDS = 180.0
"""A run without any progress for so long has failed."""


class DemoError(Exception):
    """The demo cannot go on; the message says why."""

    hint = "with --out DIR each client's words stay, in DIR/client-N/client.log"


class ChainGoneError(DemoError):
    """The demo's own chain has ended, and with it all that stood on it."""

    hint = "run it again; if it happens again, look for who ends processes (memory may be short)"


class DesyncError(DemoError):
    """The clients ended with different parameters; the message says which."""


@dataclass(slots=True)
class Play:
    """What happened so far."""

    clients: list[ClientProcess] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    events: dict[str, list[Event]] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    accounts: Snapshot | None = None
    rent_lamports: int = 0
    """What lies in all accounts of the run, those of its participants included."""
    training_began: float = 0.0
    training_ended: float = 0.0


class Director:
    """One showing of the demo."""

    def __init__(
        self,
        options: DemoOptions,
        stage: Stage,
        show: Callable[[State], None],
        chain_lives: Callable[[], bool],
    ) -> None:
        self._options, self._stage, self._show = options, stage, show
        self._chain_lives = chain_lives
        self._steps = stage.config.rounds.total_steps
        self._faults = faults_of(options.seed, options.clients, self._steps)
        self._tails: dict[str, Tail] = {}
        self._moved = time.monotonic()
        self.play = Play()
        self.state = new_state(stage.config.run.id, self._steps)
        self.state["dense_bytes"] = dense_bytes(stage)

    async def run(self) -> Play:
        """From the first client's start to the last one's end.

        Raises:
            DemoError: clients or the chain died, or nothing moves any more.
        """
        address = Pubkey.from_string(self._stage.run)
        async with Coordinator(self._stage.url, address) as coordinator:
            self._costs = CostReader(coordinator.transport, address)
            try:
                for number in range(self._options.clients):
                    self._start(number)
                while not self._over():
                    if not self._chain_lives():
                        raise ChainGoneError("the demo's chain has ended in mid-run")
                    await self._look()
                    self._stir()
                    await asyncio.sleep(TICK_SECONDS)
                await self._look()
                self._check_clients()
            finally:
                await asyncio.to_thread(stop_all, self.play.clients)
            await self._look()
            self.play.accounts = await coordinator.snapshot()
            participants = await coordinator.participants()
            self.play.rent_lamports = self.play.accounts.lamports + sum(
                account.lamports for account in participants
            )
        return self.play

    @property
    def costs(self) -> CostReader:
        """What the run cost on chain."""
        return self._costs

    def _start(self, number: int) -> None:
        client = self._stage.start_client(number, parent=os.getpid())
        self.play.clients.append(client)
        self._tails[client.name] = Tail(client.home / "events.jsonl")
        self.play.events[client.name] = []
        # Its own first word comes only once its libraries are loaded.
        fold(self.state, client.name, {"event": "start"})

    def _over(self) -> bool:
        waiting = [c for c in self.play.clients if c.name not in self.play.killed]
        return all(not c.alive for c in waiting)

    async def _look(self) -> None:
        for name, tail in self._tails.items():
            for event in tail.read():
                self._moved = time.monotonic()
                self.play.events[name].append(event)
                if event["event"] != "chain":  # costs are read from the chain itself
                    fold(self.state, name, event)
                self._note_phase(event)
        try:
            costs = await self._costs.read()
        except RpcError:
            return
        self.state["chain"] = {
            "transactions": costs.transactions,
            "lamports_spent": costs.fee_lamports,
            "compute_units": dict(costs.units_max),
        }
        self._show(self.state)

    def _note_phase(self, event: Event) -> None:
        if event["event"] != "phase":
            return
        if event.get("phase") == "train" and not self.play.training_began:
            self.play.training_began = event["t"]
        if event.get("phase") == "finished":
            self.play.training_ended = event["t"]

    def _cause(self, faults: Faults, step: int) -> None:
        """The faults that are due."""
        play = self.play
        if not play.killed and step >= faults.kill_step:
            victim = play.clients[faults.victim]
            victim.kill()
            play.killed.append(victim.name)
            fold(self.state, victim.name, {"event": "stop", "reason": "killed with SIGKILL"})
        # Once the last round is over there is nothing to join any more.
        if not play.joined and faults.join_step <= step < self._steps:
            self._start(self._options.clients)
            play.joined.append(play.clients[-1].name)

    def _stir(self) -> None:
        """The faults that are due, and those that nobody planned."""
        if self._options.faults:
            self._cause(self._faults, self.state["step"])
        self._check_clients()
        if time.monotonic() - self._moved > PATIENCE_SECONDS:
            raise DemoError(f"nothing has moved for {PATIENCE_SECONDS:.0f} seconds")

    def _check_clients(self) -> None:
        for client in self.play.clients:
            code = client.process.poll()
            if code and client.name not in self.play.killed:
                words = client.last_words().partition("\n")[0].removeprefix("error: ")
                raise DemoError(
                    f"{client.name} ended with exit code {code}: {words or 'it said nothing'}"
                )


def dense_bytes(stage: Stage) -> int:
    """Bytes of one float32 gradient of the model."""
    return sum(values.nbytes for values in stage.founding.initial.values())
