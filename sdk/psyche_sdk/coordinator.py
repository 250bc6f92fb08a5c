"""`Coordinator`: one run on one cluster: read it, watch it, act on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Self

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from psyche_sdk import _accounts, _measure
from psyche_sdk._accounts import AccountData
from psyche_sdk._checkpoint_actions import CheckpointActions
from psyche_sdk._send import Sender
from psyche_sdk._signing import SendOptions
from psyche_sdk._transport import HttpTransport, Transport
from psyche_sdk._usage import Usage
from psyche_sdk._verify_actions import VerifyActions
from psyche_sdk._watch import Watch, states
from psyche_sdk.errors import RpcAnswerInvalid

__all__ = ["Coordinator", "Snapshot"]

_CAPACITY_OFFSET = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A run's accounts, all as they were at `chain_slot`.

    Attributes:
        chain_slot: the slot that the node answered for.
        unix_seconds: the chain's clock then, None if the node does not tell.
        run: configuration, phase, counters.
        roster: who takes part.
        rounds: the last four round records.
    """

    chain_slot: int
    unix_seconds: int | None
    run: AccountData
    roster: AccountData
    rounds: AccountData

    def same_as(self, other: Snapshot | None) -> bool:
        """Return whether no account differs, whatever the slot."""
        return other is not None and all(
            mine.data == theirs.data
            for mine, theirs in (
                (self.run, other.run),
                (self.rounds, other.rounds),
                (self.roster, other.roster),
            )
        )

    @property
    def lamports(self) -> int:
        """What lies in the three accounts: their rent."""
        return self.run.lamports + self.roster.lamports + self.rounds.lamports


class Coordinator(CheckpointActions, VerifyActions):
    """One run: read (`run`, `snapshot`, ...), watch (`watch`), act (a method an instruction).

    Args:
        transport: a `Transport`, or URLs of nodes (names of clusters will do).
        run: the run's address; see `psyche_sdk.pda`.
        payer: pays fees and rents; without it the run can only be read.
        signer: wallet of the member, or the run's authority; the payer by default.
        options: see `SendOptions`.
        measure: whether to ask for the compute units of each transaction, for `usage`.

    Example:
        async with Coordinator("localnet", run, payer=keypair) as coordinator:
            async for state in coordinator.watch():
                print(state.chain_slot, len(state.run.data))
    """

    def __init__(
        self,
        transport: Transport | str | Sequence[str],
        run: Pubkey,
        *,
        payer: Keypair | None = None,
        signer: Keypair | None = None,
        options: SendOptions | None = None,
        measure: bool = False,
    ) -> None:
        if isinstance(transport, str | Sequence):
            transport = HttpTransport(transport)
        self.transport: Transport = transport
        self.options = options or SendOptions()
        self.usage = Usage()
        self._meter = _measure.Meter(transport, self.usage, commitment=self.options.commitment)
        sender = None
        if payer is not None:
            on_landed = self._meter.landed if measure else None
            sender = Sender(transport, payer, self.options, self.usage, on_landed)
        super().__init__(run, signer=signer, sender=sender)

    async def __aenter__(self) -> Self:
        """Return itself; leaving closes it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Finish measuring, then close the connections."""
        await self._meter.finish()
        await self.transport.close()

    async def run(self) -> AccountData:
        """Return the run's account.

        Raises:
            AccountError: it is missing or is no run; the subclass says why.
            RpcError: the cluster did not answer.
        """
        account = await self._one(self.address, _accounts.RUN)
        self._learn(account)
        return account

    async def roster(self) -> AccountData:
        """Return the roster's account; raises as `run`."""
        return await self._one(self.roster_address, _accounts.ROSTER)

    async def rounds(self) -> AccountData:
        """Return the account of the round records; raises as `run`."""
        return await self._one(self.rounds_address, _accounts.ROUNDS)

    async def participant(self, wallet: Pubkey | None = None) -> AccountData:
        """Return what the run keeps about a wallet, by default the signer's; raises as `run`."""
        return await self._one(self.participant_address(wallet), _accounts.PARTICIPANT)

    async def join_pass(self, wallet: Pubkey | None = None) -> AccountData:
        """Return a wallet's pass, by default the signer's; raises as `run`."""
        return await self._one(self.pass_address(wallet), _accounts.PASS)

    async def participants(self) -> list[AccountData]:
        """Return what the run keeps about everybody who ever joined it, by address.

        Raises:
            RpcError: the cluster did not answer.
        """
        return await self._all(_accounts.PARTICIPANT)

    async def passes(self) -> list[AccountData]:
        """Return the run's passes, by address; raises as `participants`."""
        return await self._all(_accounts.PASS)

    async def snapshot(self, *, min_slot: int = 0) -> Snapshot:
        """Return run, roster and rounds by one read, so that they belong together.

        Args:
            min_slot: refuse an answer from before this slot; the node answers with an error.

        Raises:
            AccountError: one is missing or of another kind.
            RpcError: the cluster did not answer.
        """
        wanted = (
            (self.address, _accounts.RUN),
            (self.roster_address, _accounts.ROSTER),
            (self.rounds_address, _accounts.ROUNDS),
        )
        addresses = [address for address, _ in wanted]
        chain_slot, found = await _accounts.fetch(
            self.transport,
            [*addresses, _accounts.CLOCK_ADDRESS],
            commitment=self.options.commitment,
            min_slot=min_slot,
        )
        pairs = zip(wanted, found, strict=False)
        run, roster, rounds = (
            _accounts.checked(account, kind, address) for (address, kind), account in pairs
        )
        self._learn(run)
        return Snapshot(
            chain_slot=chain_slot,
            unix_seconds=_accounts.clock_seconds(found[-1]),
            run=run,
            roster=roster,
            rounds=rounds,
        )

    async def watch(
        self, *, poll_seconds: float = 2.0, blind_poll_seconds: float = 0.5
    ) -> AsyncGenerator[Snapshot, None]:
        """Yield the run's state now and after each change; never one older than the last.

        Notifications of the Run account make it quick; polling finds what they miss, and serves
        alone while no websocket can be had. Outages of the nodes are waited through; changes that
        come while the caller is busy are yielded as one.

        Args:
            poll_seconds: how often to look where nothing is notified.
            blind_poll_seconds: the same while there are no notifications.

        Raises:
            AccountError: the run is missing, was closed, or is of another kind.
        """
        watch = Watch(
            self.transport,
            self.address,
            commitment=self.options.commitment,
            poll_seconds=poll_seconds,
            blind_poll_seconds=blind_poll_seconds,
        )
        last: Snapshot | None = None
        stream = states(watch, self.snapshot, retry_seconds=blind_poll_seconds)
        async with contextlib.aclosing(stream):
            async for state in stream:
                if last is not None and state.chain_slot < last.chain_slot:
                    continue
                if not state.same_as(last):
                    last = state
                    yield state

    async def balance(self, address: Pubkey | None = None) -> int:
        """Return lamports at an address, by default the payer's."""
        target = address or self._payer()
        answer = await self.transport.call(
            "getBalance", [str(target), {"commitment": self.options.commitment}]
        )
        match answer:
            case {"value": int(lamports)}:
                return lamports
            case _:
                raise RpcAnswerInvalid("no balance in the answer", url=self.transport.url)

    async def airdrop(
        self, lamports: int, address: Pubkey | None = None, *, timeout_seconds: float = 30.0
    ) -> None:
        """Ask a test cluster for lamports and wait until they are there.

        Raises:
            RpcError: the cluster gives none.
            TimeoutError: they did not come in time.
        """
        target = address or self._payer()
        before = await self.balance(target)
        await self.transport.call("requestAirdrop", [str(target), lamports])
        async with asyncio.timeout(timeout_seconds):
            while await self.balance(target) < before + lamports:
                await asyncio.sleep(self.options.poll_seconds)

    async def settle_usage(self) -> Usage:
        """Return the counters once every measurement under way is in."""
        await self._meter.finish()
        return self.usage

    async def _one(self, address: Pubkey, kind: _accounts.Kind) -> AccountData:
        _, found = await _accounts.fetch(
            self.transport, [address], commitment=self.options.commitment
        )
        return _accounts.checked(found[0], kind, address)

    async def _all(self, kind: _accounts.Kind) -> list[AccountData]:
        commitment = self.options.commitment
        return await _accounts.search(self.transport, kind, commitment=commitment, run=self.address)

    def _learn(self, run: AccountData) -> None:
        self.capacity = int.from_bytes(run.data[_CAPACITY_OFFSET : _CAPACITY_OFFSET + 2], "little")
