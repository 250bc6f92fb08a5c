"""The client's loop: look at the chain, decide, act. Everything long runs beside it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from hashlib import sha256
from typing import Any

from psyche_client.chain import Chain, ChainError
from psyche_client.decide import Me, Phase, Step, decide
from psyche_client.diary import Diary
from psyche_client.events import EventLog
from psyche_client.fetching import Fetcher
from psyche_client.keeper import Keeper
from psyche_client.model.errors import ModelError
from psyche_client.network import Exchange, NetworkError
from psyche_client.payloads import PayloadKey
from psyche_client.progress import Progress, what_i_know
from psyche_client.publishing import Publishing
from psyche_client.replica import LostHistoryError, Replica
from psyche_client.resync import Resync
from psyche_client.seen import Sight, view, wanted_payloads
from psyche_client.store import StoreError
from psyche_client.work import Workload

LOOK_SECONDS = 0.4
"""Longest time between two looks at the chain, however quiet it is."""
RETRY_SECONDS = 2.0
LEAVE_SECONDS = 1.5
"""How long handing the slot back may take, the chain being what it is."""


class Node:
    """One member of a run, from joining to the end."""

    def __init__(
        self,
        *,
        chain: Chain,
        exchange: Exchange,
        fetcher: Fetcher,
        replica: Replica,
        resync: Resync,
        keeper: Keeper,
        workload: Workload,
        log: EventLog,
        changed: asyncio.Event,
        keep_all: bool,
    ) -> None:
        self._chain, self._exchange, self._fetcher = chain, exchange, fetcher
        self._replica, self._resync, self._keeper = replica, resync, keeper
        self._workload, self._log, self._keep_all = workload, log, keep_all
        self._now, self._diary = Progress(), Diary(log)
        self._changed = changed
        self._publishing = Publishing(chain, exchange, log, self.wake)
        self._sight: Sight | None = None
        self._looked = 0.0
        self._opened = False
        self._gone = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Something changed: decide again."""
        self._changed.set()

    def stop(self) -> None:
        """Leave the run, handing the slot back if the chain takes it soon."""
        if not self._now.stopping:
            self._now.stopping = True
            asyncio.get_running_loop().call_later(LEAVE_SECONDS, self._gone.set)
            if self._watching is not None:
                self._watching.cancel()  # a chain that hangs takes its time to hang up
        self.wake()

    @property
    def stopping(self) -> bool:
        """Whether somebody asked for an end."""
        return self._now.stopping

    @property
    def sight(self) -> Sight:
        """What was seen last."""
        assert self._sight is not None
        return self._sight

    async def run(self) -> Sight | None:
        """Takes part until the run is finished, or `stop`; what was seen last, None: nothing."""
        self._watching = asyncio.create_task(self._watch())
        taking_part = asyncio.create_task(self._take_part())
        leaving = asyncio.create_task(self._gone.wait())  # whatever it waits for then
        try:
            await asyncio.wait({taking_part, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return taking_part.result() if taking_part.done() else self._sight
        finally:
            tasks = [self._watching, taking_part, leaving, *self._now.tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._publishing.close()

    async def _take_part(self) -> Sight:
        while True:
            if self._now.failure is not None:
                raise self._now.failure
            if not await self._look():
                continue
            step = decide(view(self.sight), self._me())
            if step is Step.FINISH:
                return self.sight
            await self._act(step)

    # Seeing

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(ChainError):  # the looks say so; it may come back
                async for _ in self._chain.changes():
                    self._looked = 0.0
                    self.wake()
            await asyncio.sleep(RETRY_SECONDS)

    async def _look(self) -> bool:
        """Reads the chain if what is known may be old; False if it could not be read."""
        if self._sight is not None and time.monotonic() - self._looked < LOOK_SECONDS:
            return True
        try:
            self._sight = await self._chain.sight()
            if not self._opened:
                await self._replica.open(self.sight)
                self._opened = True
        except (ChainError, StoreError, ModelError) as error:
            if str(error) != self._now.trouble:
                self._now.trouble = str(error)
                self._log.write("error", message=self._now.trouble)
            await self._pause(RETRY_SECONDS)
            return False
        if self._now.trouble:
            self._log.write("recovered")
        self._looked, self._now.trouble = time.monotonic(), ""
        await self._follow()
        return True

    async def _follow(self) -> None:
        """Tells the network, the fetcher and the log what is new on chain."""
        sight = self.sight
        silent = frozenset(peer.node_key for peer in self._exchange.peers() if not peer.alive)
        self._exchange.set_members(await self._chain.members(sight, silent))
        with contextlib.suppress(ChainError):  # the next look tries again
            await self._chain.announce(sight)
        self._exchange.set_epoch(sight.epoch)
        if self._now.share != (sight.epoch, sight.round) or sight.phase is not Phase.TRAIN:
            self._keeper.release()
        self._fetcher.want(wanted_payloads(sight))
        self._correct_history(sight)
        self._diary.look(sight, self._exchange.peers())
        self._publishing.look(sight)
        vote = sight.vote
        if vote is not None:
            await self._replica.vote_digest(vote.chain_hash, vote.step)
        await self._keep_states(sight)

    def _correct_history(self, sight: Sight) -> None:
        try:
            self._replica.correct(sight)
        except StoreError as error:  # the next look tries again
            self._log.write("error", message=str(error))

    async def _keep_states(self, sight: Sight) -> None:
        try:
            new = await asyncio.to_thread(self._keeper.keep, sight.states)
        except ModelError as error:  # the disk refuses it; the next look tries again
            self._log.write("error", message=str(error))
            return
        for state in new:
            self._log.write("snapshot", epoch=state.epoch, round=state.round, digest=state.digest)
            self._exchange.announce([state.digest])
        if new:
            await self._keep_momenta()
        if self._replica.give_up_if_outvoted(sight.states):
            self._log.write("error", message="the members agreed on other parameters than these")
        in_step = self._replica.chain_hash == sight.chain_hash  # else it still needs older ones
        if not self._keep_all and in_step and sight.states:
            oldest = min(sight.states, key=lambda s: s.step)
            # Two rounds may be in flight when a state is agreed.
            self._replica.store.forget_payloads((oldest.epoch, max(0, oldest.round - 2)))

    async def _keep_momenta(self) -> None:
        try:
            await asyncio.to_thread(self._keeper.keep_momenta)
        except ModelError as error:
            self._log.write("error", message=f"a restart will begin without momentum: {error}")

    def _me(self) -> Me:
        return what_i_know(self.sight, self._now, self._replica, self._fetcher, self._publishing)

    # Acting

    async def _act(self, step: Step) -> None:
        actions: dict[Step, Callable[[], Awaitable[None]]] = {
            Step.APPLY: self._apply,
            Step.RESYNC: self._begin_resync,
            Step.SAY_MISSING: self._say_missing,
            Step.SAY_BEHIND: lambda: self._chain.behind(self.sight),
            Step.JOIN: self._join,
            Step.SAY_READY: self._say_ready,
            Step.TRAIN: self._begin_training,
            Step.COMMIT: self._commit,
            Step.ATTEST: self._attest,
            Step.VOTE: self._vote,
            Step.REVEAL: self._reveal,
            Step.PUBLISH: lambda: self._publishing.publish(self.sight),
            Step.CHECK: lambda: self._publishing.check(self.sight),
            Step.CONFIRM: lambda: self._publishing.confirm(self.sight),
            Step.TICK: lambda: self._chain.tick(self.sight),
            Step.LEAVE: self._leave,
            Step.WAIT: lambda: self._pause(LOOK_SECONDS),
        }
        try:
            await actions[step]()
        except (ChainError, StoreError, ModelError) as error:
            self._log.write("error", message=f"{step.value}: {error}")
            await self._pause(LOOK_SECONDS)
        if step is not Step.WAIT:
            self._looked = 0.0

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)
        self._changed.clear()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._now.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._now.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._now.failure = task.exception()
            self.wake()

    async def _apply(self) -> None:
        settled = self.sight.next_settled(self._replica.chain_hash)
        assert settled is not None
        record = self.sight.find(*settled.key)
        losses = [
            (c.loss * c.tokens, c.tokens)
            for slot, c in (record.commitments.items() if record is not None else ())
            if slot in record.accepted  # type: ignore[union-attr]
        ]
        tokens = sum(t for _, t in losses)
        loss = sum(x for x, _ in losses) / tokens if tokens else None
        await self._replica.apply(settled, loss=loss)
        self._log.write(
            "settled",
            epoch=settled.epoch,
            round=settled.round,
            accepted=[slot for slot, _, _ in settled.members],
        )
        if self.sight.vote is not None:
            await self._replica.vote_digest(self.sight.vote.chain_hash, self.sight.vote.step)

    async def _say_missing(self) -> None:
        settled, target = self.sight.next_settled(self._replica.chain_hash), self._me().missing
        if settled is not None and target is not None:
            await self._chain.missing(self.sight, settled, target)
            key = {"epoch": settled.epoch, "round": settled.round}
            self._log.write("missing", **key, slot=target)

    async def _begin_resync(self) -> None:
        self._now.resyncing = True
        self._spawn(self._resynchronise())

    async def _resynchronise(self) -> None:
        sight = self.sight
        self._log.write("resync", epoch=sight.epoch, round=sight.round, reason="history is missing")
        try:
            await self._replica.rebuild(self._resync, lambda: self.sight)
        except (LostHistoryError, NetworkError, ModelError, StoreError) as error:
            self._log.write("error", message=f"cannot catch up yet: {error}")
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._now.resyncing = False
            self.wake()

    async def _join(self) -> None:
        slot, member_id = await self._chain.join(self.sight)
        self._log.write("joined", slot=slot, member_id=member_id)

    async def _say_ready(self) -> None:
        state = max(self.sight.states, key=lambda s: s.step)
        await self._chain.ready(self.sight, state, self._replica.chain_hash)
        self._log.write("ready", epoch=self.sight.epoch, digest=state.digest)

    async def _begin_training(self) -> None:
        sight = self.sight
        if self._now.share == (sight.epoch, sight.round):
            await self._pause(LOOK_SECONDS)
            return
        self._now.share, self._now.trained = (sight.epoch, sight.round), None
        self._spawn(self._train(sight))

    async def _train(self, sight: Sight) -> None:
        record, seat = sight.current, sight.seat
        assert record is not None
        assert seat is not None
        key = PayloadKey(
            epoch=record.epoch,
            round=record.round,
            slot=seat.slot,
            member_id=seat.member_id,
            step=record.step,
        )
        try:
            sequences = await asyncio.to_thread(self._workload.sequences, record.positions)
            trained = await self._replica.train(sequences, key)
            commitment = self._fetcher.keep_own(key, trained.payload)
            self._keeper.hold_back(commitment)
            self._now.commitment, self._now.trained = commitment, trained
        except (StoreError, ValueError) as error:
            self._log.write("error", message=f"cannot train: {error}")
            await asyncio.sleep(RETRY_SECONDS)  # before the share is free to be tried again
            self._now.share = None
            return
        finally:
            self.wake()
        self._diary.trained(key, trained.seconds)

    async def _commit(self) -> None:
        trained, commitment = self._now.trained, self._now.commitment
        assert trained is not None
        await self._chain.commit(self.sight, commitment, trained)
        self._log.write(
            "committed",
            epoch=self.sight.epoch,
            round=self.sight.round,
            bytes=len(trained.payload),
            coefficients=trained.coefficients,
            loss=trained.loss,
            tokens=trained.tokens,
            milliseconds=round(1000 * trained.seconds),
        )

    async def _attest(self) -> None:
        target = self.sight.target
        assert target is not None
        held = self._me().held & frozenset(target.commitments)
        slots, root = await asyncio.to_thread(
            self._fetcher.custody, self._chain.wallet, target, held
        )
        await self._chain.attest(self.sight, target, slots, root)
        self._log.write("attested", epoch=target.epoch, round=target.round, slots=sorted(slots))

    async def _vote(self) -> None:
        vote = self.sight.vote
        assert vote is not None
        digest = self._replica.candidates[vote.chain_hash]
        sealed = sha256(digest + self._chain.wallet).digest()
        await self._chain.attest_state(self.sight, vote, sealed)

    async def _reveal(self) -> None:
        vote = self.sight.vote
        assert vote is not None
        await self._chain.reveal_state(self.sight, vote, self._replica.candidates[vote.chain_hash])

    async def _leave(self) -> None:
        await self._chain.leave(self.sight)
