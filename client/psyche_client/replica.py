"""One client's parameters in step with the chain: which history they hold, and how they move on.

Every change of the parameters goes through here, in order, on one worker thread; each is written
down before it is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from psyche_client.events import EventLog
from psyche_client.keeper import Keeper
from psyche_client.model.errors import ModelError
from psyche_client.momentum_file import load_momentum
from psyche_client.network import FetchFailed
from psyche_client.optim.errors import LayoutError
from psyche_client.payloads import PayloadKey, Trained
from psyche_client.resync import Resync, local_state
from psyche_client.seen import AgreedState, Sight
from psyche_client.store import SettledRound, Store, StoreError
from psyche_client.trainer import Trainer

Result = TypeVar("Result")


class LostHistoryError(Exception):
    """No peer has a settled round that is needed; it is tried again later."""


class Replica:
    """Trainer, store and place in the run's history.

    Attributes:
        chain_hash: of the history that the parameters hold; empty before `open`.
        training: whether a share is being trained right now.
    """

    def __init__(self, trainer: Trainer, store: Store, keeper: Keeper, log: EventLog) -> None:
        self.trainer, self.store, self.keeper, self._log = trainer, store, keeper, log
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trainer")
        self._order = asyncio.Lock()
        self.chain_hash = b""
        self.step = 0
        self.training = False
        self._doubts = False
        """The rounds on this disk led nowhere: one of them may have lost a payload meanwhile."""
        self.candidates: dict[bytes, bytes] = {}
        """Chain hash -> digest of the parameters that hold that history, for votes."""

    async def run(self, work: Callable[[], Result]) -> Result:
        """Runs work that touches the parameters on their one thread."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    async def open(self, sight: Sight) -> None:
        """The newest agreed state on this disk, or the initial one, and all that was settled since.

        Leaves `chain_hash` empty if neither is at hand: then `rebuild` asks the peers.
        """
        self.keeper.reopen(sight.states)
        found = local_state(self.store, sight.states)
        if found is not None:
            state, parameters = found
            await self.run(lambda: self.trainer.load(parameters))
            await self._recall(state)
            self.chain_hash, self.step = state.chain_hash, state.step
        elif sight.states:
            # A fresh client takes the newest state; only the first needs no download.
            await self._take_initial(max(sight.states, key=lambda s: s.step))
        while self.chain_hash and (settled := self.store.round_after(self.chain_hash)) is not None:
            if not all(self.store.holds(commitment) for _, _, commitment in settled.members):
                break
            await self.apply(settled, loss=None)

    async def _recall(self, state: AgreedState) -> None:
        """This client's own momentum as of the state that was loaded, if it lies beside it.

        The rounds settled since then are replayed upon it: `Trainer.settle` knows from the saved
        commitments which of the selections in flight were accepted.
        """

        def take() -> bool:
            momentum = load_momentum(self.store, state.digest, state.chain_hash)
            if momentum is not None:
                self.trainer.take_momentum(momentum)
            return momentum is not None

        try:
            if await self.run(take):
                self._log.write("momentum", step=state.step)
        except (ModelError, LayoutError) as error:
            message = f"the momentum saved with step {state.step} is of no use, it starts at zero"
            self._log.write("error", message=f"{message}: {error}")

    async def _take_initial(self, state: AgreedState) -> bool:
        """Makes the parameters from the run's init seed, if `state` is what they are."""
        if state.step:
            return False
        await self.run(self.trainer.load_initial)
        if await self.run(lambda: self.trainer.digest(0)) != state.digest:
            return False
        self.chain_hash, self.step = state.chain_hash, 0
        self.keeper.adopt(state, self.trainer.parameters())
        return True

    async def apply(self, settled: SettledRound, *, loss: float | None) -> None:
        """Writes a settled round down, then applies it.

        Args:
            settled: follows `chain_hash`; its payloads are on disk.
            loss: mean loss that its trainers reported, for the log.

        Raises:
            StoreError: the disk refuses it; nothing was applied.
        """
        payloads = [self._payload(settled, *member) for member in settled.members]
        async with self._order:
            self.store.append_round(settled)
            await self.run(lambda: self._settle(settled, payloads))
        self._log.write(
            "round",
            epoch=settled.epoch,
            round=settled.round,
            step=settled.step,
            loss=loss,
            accepted=len(settled.members),
            chain_hash=settled.chain_hash,
        )

    def correct(self, sight: Sight) -> None:
        """Writes down anew what lost a payload after it was written, for this client and its peers.

        Raises:
            StoreError: the disk refuses it.
        """
        for record in sight.rounds:
            settled = record.as_settled()
            known = self.store.round_after(settled.previous)
            if record.settled and known not in (None, settled) and settled.holds_together:
                self.store.append_round(settled)

    def _settle(self, settled: SettledRound, payloads: list[tuple[PayloadKey, bytes]]) -> None:
        """On the worker thread: parameters and place move together, even if nobody waits."""
        self.trainer.settle(settled.key, settled.step, payloads)
        self.chain_hash, self.step = settled.chain_hash, settled.step + 1

    def _payload(
        self, settled: SettledRound, slot: int, member: int, commitment: bytes
    ) -> tuple[PayloadKey, bytes]:
        data = self.store.payload(commitment)
        if data is None:
            raise StoreError(f"payload {commitment.hex()[:16]} is no longer on disk")
        key = PayloadKey(
            epoch=settled.epoch,
            round=settled.round,
            slot=slot,
            member_id=member,
            step=settled.step,
        )
        return key, data

    async def train(self, sequences: npt.NDArray[np.int64], key: PayloadKey) -> Trained:
        """Trains a share."""
        self.training = True
        try:
            return await self.run(lambda: self.trainer.train(sequences, key))
        finally:
            self.training = False

    async def vote_digest(self, chain_hash: bytes, step: int) -> bytes | None:
        """Digest of the parameters with this history; a copy is taken while they are at hand."""
        if chain_hash not in self.candidates and chain_hash == self.chain_hash:
            async with self._order:
                await self._take_candidate(chain_hash, step)
        return self.candidates.get(chain_hash)

    async def _take_candidate(self, chain_hash: bytes, step: int) -> None:
        if chain_hash != self.chain_hash:
            return  # a round was applied while this waited for its turn
        found = await self.run(
            lambda: self.keeper.candidate(
                self.trainer.parameters(), step, chain_hash, self.trainer.momentum_state()
            )
        )
        self.candidates = {chain_hash: found}

    def give_up_if_outvoted(self, states: Iterable[AgreedState]) -> bool:
        """Lets go of parameters that are not what the members agreed on for the same history.

        It cannot happen where arithmetic is exact and memory sound; if it does, this client alone
        is wrong, and must load what the others hold.
        """
        for state in states:
            held = self.candidates.get(state.chain_hash)
            if held is not None and held != state.digest:
                self.chain_hash, self.candidates = b"", {}
                return True
        return False

    async def rebuild(self, resync: Resync, look: Callable[[], Sight]) -> None:
        """Comes back in step with the help of peers: replays what is missing, else loads anew.

        Raises:
            LostHistoryError: no peer has what is needed now.
        """
        if not self.chain_hash or not await self._replay(resync, look):
            await self._load_newest(resync, look().states)
            if not await self._replay(resync, look):
                self._doubts = True
                raise LostHistoryError("no peer has the round that follows this history")

    async def _load_newest(self, resync: Resync, states: tuple[AgreedState, ...]) -> None:
        for state in sorted(states, key=lambda s: s.step, reverse=True):
            if await self._take_initial(state):
                return
            try:
                found = local_state(self.store, [state])
                parameters = found[1] if found is not None else await resync.state(state)
            except FetchFailed as error:
                self._log.write("error", message=f"state of step {state.step}: {error}")
                continue
            await self.run(lambda p=parameters: self.trainer.load(p))  # type: ignore[misc]
            self.keeper.adopt(state, parameters)
            self.chain_hash, self.step = state.chain_hash, state.step
            return
        raise LostHistoryError("no peer has an agreed state")

    async def _replay(self, resync: Resync, look: Callable[[], Sight]) -> bool:
        """Applies round after round; whether it arrived where the chain is."""
        while self.chain_hash != look().chain_hash:
            if look().next_settled(self.chain_hash) is not None:
                return True  # the records on chain lead on
            settled = await resync.next_round(self.chain_hash, doubts=self._doubts)
            if settled is None:
                return False
            await self.apply(settled, loss=None)
        self._doubts = False
        return True

    def close(self) -> None:
        """Ends the worker thread after what it does now."""
        self._worker.shutdown(wait=True, cancel_futures=True)
