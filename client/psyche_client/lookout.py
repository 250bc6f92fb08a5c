"""Looks at the chain, and tells the client's other parts what is new there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from psyche_client.chain import Chain, ChainError
from psyche_client.decide import Phase
from psyche_client.diary import Diary
from psyche_client.events import EventLog
from psyche_client.fetching import Fetcher
from psyche_client.keeper import Keeper
from psyche_client.model.errors import ModelError
from psyche_client.network import Exchange
from psyche_client.progress import Progress
from psyche_client.publishing import Publishing
from psyche_client.replica import Replica
from psyche_client.seen import Sight, wanted_payloads
from psyche_client.store import StoreError

LOOK_SECONDS = 0.4
"""Longest time between two looks at the chain, however quiet it is."""
RETRY_SECONDS = 2.0
"""How long a chain that does not answer is left alone."""


class Lookout:
    """One client's view of its run, kept fresh."""

    def __init__(
        self,
        *,
        chain: Chain,
        exchange: Exchange,
        fetcher: Fetcher,
        replica: Replica,
        keeper: Keeper,
        publishing: Publishing,
        diary: Diary,
        log: EventLog,
        now: Progress,
        keep_all: bool,
    ) -> None:
        self._chain, self._exchange, self._fetcher = chain, exchange, fetcher
        self._replica, self._keeper, self._publishing = replica, keeper, publishing
        self._diary, self._log, self._now = diary, log, now
        self._keep_all = keep_all
        self._looked = 0.0
        self._opened = False
        self.sight: Sight | None = None
        """What was seen last."""

    async def watch(self, changed: Callable[[], None]) -> None:
        """Makes the next look a fresh one, and calls `changed`, whenever the run changes."""
        while True:
            with contextlib.suppress(ChainError):  # the looks say so; it may come back
                async for _ in self._chain.changes():
                    self.expire()
                    changed()
            await asyncio.sleep(RETRY_SECONDS)

    def expire(self) -> None:
        """What was seen is old: the next look reads the chain."""
        self._looked = 0.0

    async def look(self) -> bool:
        """Reads the chain if what is known may be old; False if it could not be read."""
        if self.sight is not None and time.monotonic() - self._looked < LOOK_SECONDS:
            return True
        try:
            self.sight = await self._chain.sight()
            if not self._opened:
                await self._replica.open(self.sight)
                self._opened = True
        except (ChainError, StoreError, ModelError) as error:
            if str(error) != self._now.trouble:
                self._now.trouble = str(error)
                self._log.write("error", message=self._now.trouble)
            return False
        if self._now.trouble:
            self._log.write("recovered")
        self._looked, self._now.trouble = time.monotonic(), ""
        await self._tell(self.sight)
        return True

    async def _tell(self, sight: Sight) -> None:
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
