"""This client on the chain: one look at the run as plain values, one method an instruction.

The one module of the client that speaks to the SDK's `Coordinator`. Whatever goes wrong there is a
`ChainError`: the loop looks again and decides anew.
"""

from __future__ import annotations

import contextlib
import math
import random
import time
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from psyche_client.collecting import collect_from
from psyche_client.network import Member
from psyche_client.payloads import Trained
from psyche_client.seen import AgreedState, RoundSeen, Seat, Sight, StateVoteSeen
from psyche_client.sighting import (
    Turns,
    free_slots,
    freed_slots,
    participant_address_text,
    read_sight,
)
from psyche_client.store import SettledRound
from psyche_sdk._generated import types as t
from psyche_sdk._rules.hashing import bit_field
from psyche_sdk.coordinator import Coordinator, Snapshot
from psyche_sdk.errors import InsufficientFunds, PsycheError
from psyche_sdk.program_errors import (
    ComplaintClosed,
    ComplaintSpent,
    NotAccepted,
    PublicationsFull,
    SlotTaken,
    TooEarly,
    WrongPhase,
    WrongRound,
)

Result = TypeVar("Result")

MICRO = 1_000_000
U32_MAX = 2**32 - 1
ADDRESS_SECONDS = 1.0
"""How old the known address of a silent member must be before it is read again."""
WEIGHT = 1
"""Declared weight of a client that was not told another."""


class ChainError(Exception):
    """The chain did not answer, or refused; nothing is known to have changed."""


class TakenOverError(Exception):
    """A newer client goes on with this one's wallet and slot."""

    hint = "one wallet is for one client: make another with `psyche wallet new`"


class Chain:
    """One wallet's view of one run, and its hand in it."""

    def __init__(
        self,
        coordinator: Coordinator,
        wallet: Keypair,
        *,
        node_key: bytes,
        address_text: str,
        weight: int = WEIGHT,
        bond_lamports_max: int = 0,
    ) -> None:
        self._coordinator, self._key = coordinator, wallet
        self._endpoint, self._weight = (node_key, address_text), weight
        self._bond_lamports_max = bond_lamports_max
        self._snapshot: Snapshot | None = None
        self._addresses: dict[int, tuple[str, float]] = {}
        self._announced: tuple[int, int] | None = None
        """(member id, chain slot since when the chain knows where its node is)."""
        self._turns = Turns()
        self.wallet = bytes(wallet.pubkey())

    async def changes(self) -> AsyncIterator[None]:
        """One item after each change of the run.

        Raises:
            ChainError: there is no such run any more.
        """
        try:
            async for _ in self._coordinator.watch():
                yield None
        except PsycheError as error:
            raise ChainError(str(error)) from error

    async def sight(self) -> Sight:
        """The run as it is now.

        Raises:
            ChainError: it could not be read.
        """
        last = self._snapshot
        snapshot = await self._try(self._coordinator.snapshot())
        if last is None or snapshot.chain_slot >= last.chain_slot:
            self._snapshot = snapshot  # a lagging node must not turn time back
        assert self._snapshot is not None
        seconds = self._snapshot.unix_seconds
        now = time.time() if seconds is None else seconds
        try:
            return read_sight(self._snapshot, self.wallet, self._turns, now=now)
        except PsycheError as error:
            raise ChainError(str(error)) from error

    async def members(
        self, sight: Sight, unreachable: frozenset[bytes] = frozenset()
    ) -> dict[bytes, Member]:
        """Members by node key, with the addresses in their accounts.

        An address is read once a member, and again now and then while its node (`unreachable`, by
        node key) does not answer: it may have moved.
        """
        now = time.monotonic()
        for seat in sight.seats:
            known = self._addresses.get(seat.member_id)
            moved = seat.node_key in unreachable
            if known is None or (moved and now - known[1] >= ADDRESS_SECONDS):
                await self._read_address(seat, now)
        texts = {member: text for member, (text, _) in self._addresses.items()}
        return {
            seat.node_key: Member(seat.slot, seat.member_id, texts.get(seat.member_id, ""))
            for seat in sight.seats
        }

    async def _read_address(self, seat: Seat, now: float) -> None:
        try:
            account = await self._coordinator.participant(Pubkey(seat.wallet))
        except PsycheError:
            return  # asked again at the next look
        self._addresses[seat.member_id] = (participant_address_text(account.data), now)

    async def announce(self, sight: Sight) -> None:
        """Writes this node's address to the chain if another stands there: after a restart, say.

        Raises:
            ChainError: the chain did not answer; nothing was written.
            TakenOverError: another client wrote its own there since.
        """
        seat = sight.seat
        if seat is None:
            return
        if self._announced is not None and seat.member_id == self._announced[0]:
            if seat.node_key != self._endpoint[0] and sight.chain_slot > self._announced[1]:
                raise TakenOverError("another client goes on with this wallet; this one stops")
            return
        since = sight.chain_slot
        account = await self._try(self._coordinator.participant(Pubkey(seat.wallet)))
        if (seat.node_key, participant_address_text(account.data)) != self._endpoint:
            node_key, address = self._endpoint
            args = t.SetEndpointArgs(slot=seat.slot, node_key=node_key, address=address)
            since = (await self._try(self._coordinator.set_endpoint(args))).chain_slot
        self._announced = seat.member_id, since

    async def join(self, sight: Sight) -> tuple[int, int] | None:
        """Takes a free slot; returns it and the number of the member that will be known there.

        None if another newcomer took that slot at the same time: the next look finds a free one.
        """
        del sight
        assert self._snapshot is not None
        free = free_slots(self._snapshot) or await self._free_one()
        if not free:
            raise ChainError("every slot of the run is taken; it is tried again")
        slot = random.choice(free[:8])  # newcomers should not race for one
        args = t.JoinArgs(
            slot=slot,
            weight=self._weight,
            node_key=self._endpoint[0],
            address=self._endpoint[1],
            bond_lamports_max=self._bond_lamports_max,
        )
        if await self._try(_unless_taken(self._coordinator.join(args))) is None:
            return None
        seat = (await self.sight()).seat
        return slot, seat.member_id if seat is not None else 0

    async def _free_one(self) -> list[int]:
        """Frees a slot whose holder is gone, by collecting what is left on it."""
        assert self._snapshot is not None
        left = freed_slots(self._snapshot)
        if not left:
            return []
        chosen = random.choice(left[:8])
        await self._try(collect_from(self._coordinator, chosen))
        return [chosen.slot]

    async def ready(self, sight: Sight, state: AgreedState, chain_hash: bytes) -> None:
        """Names the agreed state and the history that this client holds."""
        args = t.ReadyArgs(
            **_who(sight),
            digest_epoch=state.epoch,
            digest_round=state.round,
            digest=state.digest,
            chain_hash=chain_hash,
        )
        await self._try(self._coordinator.ready(args, transition=True))

    async def behind(self, sight: Sight) -> None:
        """Says that this client cannot follow."""
        await self._try(self._coordinator.behind(t.MemberArgs(**_who(sight)), transition=True))

    async def leave(self, sight: Sight) -> None:
        """Hands the slot back."""
        await self._try(self._coordinator.leave(t.MemberArgs(**_who(sight)), transition=True))

    async def tick(self, sight: Sight) -> None:
        """Makes what is due; somebody else may have been faster."""
        del sight
        await self._try(self._tick())

    async def _tick(self) -> None:
        with contextlib.suppress(TooEarly):  # somebody else was faster: it is done
            await self._coordinator.tick()

    async def commit(self, sight: Sight, commitment: bytes, trained: Trained) -> None:
        """Commits to the payload of the round that is under way."""
        record = sight.current
        last = record is not None and record.awaited <= 1
        args = t.CommitArgs(
            **_who(sight),
            commitment=commitment,
            bytes=len(trained.payload),
            loss_micronats=_u32(trained.loss * MICRO),
            tokens=_u32(trained.tokens),
            train_milliseconds=_u32(trained.seconds * 1000),
        )
        await self._try(self._coordinator.commit(args, transition=last or sight.due))

    async def attest(
        self, sight: Sight, target: RoundSeen, slots: frozenset[int], custody_root: bytes
    ) -> None:
        """Says which committed payloads of `target` are here."""
        if target.filter is None:
            bits = bit_field(sorted(slots), target.capacity)
        else:
            bits = target.filter.made_of((slot, target.commitments[slot].digest) for slot in slots)
        assert sight.seat is not None
        args = t.AttestArgs(
            epoch=target.epoch,
            round=target.round,
            slot=sight.seat.slot,
            bits=bits,
            custody_root=custody_root,
        )
        last = target.unattested <= 1
        await self._try(self._coordinator.attest(args, transition=last or sight.due))

    async def missing(self, sight: Sight, settled: SettledRound, target: int) -> None:
        """Says that an accepted payload is nowhere, unless others said enough."""
        assert sight.seat is not None
        args = t.MissingArgs(
            epoch=settled.epoch, round=settled.round, slot=sight.seat.slot, target=target
        )
        await self._try(_unless_over(self._coordinator.missing(args)))

    async def attest_state(self, sight: Sight, vote: StateVoteSeen, sealed: bytes) -> None:
        """Votes, hidden."""
        assert sight.seat is not None
        args = t.AttestStateArgs(
            epoch=vote.epoch, round=vote.round, slot=sight.seat.slot, vote=sealed
        )
        await self._try(self._coordinator.attest_state(args))

    async def reveal_state(self, sight: Sight, vote: StateVoteSeen, digest: bytes) -> None:
        """Opens the vote."""
        assert sight.seat is not None
        args = t.RevealStateArgs(
            epoch=vote.epoch, round=vote.round, slot=sight.seat.slot, digest=digest
        )
        await self._try(self._coordinator.reveal_state(args))

    async def publish_checkpoint(self, sight: Sight, uri: str) -> None:
        """Says where the agreed parameters lie, unless the epoch is over or others said enough."""
        assert sight.seat is not None
        args = t.PublishCheckpointArgs(epoch=sight.epoch, slot=sight.seat.slot, uri=uri)
        await self._try(_unless_over(self._coordinator.publish_checkpoint(args)))

    async def confirm_checkpoint(self, sight: Sight, place: int) -> None:
        """Says that what was published in this place is right, unless the epoch is over."""
        assert sight.seat is not None
        args = t.ConfirmCheckpointArgs(epoch=sight.epoch, slot=sight.seat.slot, place=place)
        await self._try(_unless_over(self._coordinator.confirm_checkpoint(args)))

    async def _try(self, call: Awaitable[Result]) -> Result:
        try:
            return await call
        except InsufficientFunds:
            raise  # nothing that this client does will mend it
        except PsycheError as error:
            raise ChainError(str(error)) from error


async def _unless_taken(call: Awaitable[Result]) -> Result | None:
    with contextlib.suppress(SlotTaken):
        return await call
    return None


async def _unless_over(call: Awaitable[object]) -> None:
    over = (WrongPhase, WrongRound, PublicationsFull, ComplaintClosed, ComplaintSpent, NotAccepted)
    with contextlib.suppress(*over):  # others were faster
        await call


def _who(sight: Sight) -> dict[str, int]:
    assert sight.seat is not None
    return {"epoch": sight.epoch, "round": sight.round, "slot": sight.seat.slot}


def _u32(value: float) -> int:
    if math.isnan(value):  # a loss that blew up: nothing is larger
        return U32_MAX
    return round(max(0.0, min(float(U32_MAX), value)))
