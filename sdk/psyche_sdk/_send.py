"""Sends transactions and finds out what became of them.

A transaction is signed once and only that one is ever sent, again and again until it lands or its
blockhash expires: it cannot take effect twice. What cannot be told is `OutcomeUnknown`.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash, ParseHashError
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.transaction import Transaction

from psyche_sdk._error_base import TransactionError
from psyche_sdk._refusals import Refusal, transaction_error
from psyche_sdk._transport import Transport
from psyche_sdk._usage import Usage
from psyche_sdk.errors import (
    ConfigError,
    OutcomeUnknown,
    RpcAnswerInvalid,
    RpcError,
    RpcUnreachable,
    TransactionExpired,
    TransactionTooLarge,
)

Commitment: TypeAlias = Literal["processed", "confirmed", "finalized"]
LEVELS: Final[tuple[Commitment, ...]] = ("processed", "confirmed", "finalized")

TRANSACTION_BYTES_MAX: Final = 1232
_LAMPORTS_PER_SIGNATURE = 5000
_MICRO = 1_000_000
_UNITS_MAX = 1_400_000
_PREFLIGHT_FAILURE = -32002
_SIGNATURES_KEPT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """How transactions are sent and awaited.

    Attributes:
        commitment: how sure a result must be, reading and sending.
        preflight: whether the node tries a transaction first; a refusal then costs nothing.
        priority_micro_lamports: price of a compute unit above the fee.
        timeout_seconds: after which an outcome is unknown; a blockhash expires in about 60.
        blockhash_seconds: how long a blockhash is reused.
        rebroadcast_seconds: between two sendings of the same transaction.
        poll_seconds: first wait between two looks at the outcome; it doubles up to a second.
    """

    commitment: Commitment = "confirmed"
    preflight: bool = True
    priority_micro_lamports: int = 0
    timeout_seconds: float = 90.0
    blockhash_seconds: float = 5.0
    rebroadcast_seconds: float = 2.0
    poll_seconds: float = 0.05

    def __post_init__(self) -> None:
        """Check each value."""
        if self.commitment not in LEVELS:
            raise ConfigError(f"commitment {self.commitment!r} is none of {', '.join(LEVELS)}")
        if self.priority_micro_lamports < 0:
            raise ConfigError("priority_micro_lamports is below 0")
        for name in ("timeout_seconds", "rebroadcast_seconds", "poll_seconds"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A transaction that took effect.

    Attributes:
        signature: in base58.
        chain_slot: of the block that it stands in.
    """

    signature: str
    chain_slot: int


@dataclass(frozen=True, slots=True)
class _Signed:
    """A signed transaction and when it can no longer land."""

    signature: str
    wire: str
    instructions: tuple[Instruction, ...]
    fee_lamports: int
    last_block_height: int


@dataclass(slots=True)
class _Blockhash:
    value: Hash
    last_block_height: int
    fetched_at: float


def waits(first: float, cap: float = 1.0) -> Iterator[float]:
    """Yield seconds to wait: none at first, then `first`, doubled each time up to `cap`."""
    yield 0.0
    wait = first
    while True:
        yield min(wait, cap)
        wait = min(2 * wait, cap)


@dataclass(slots=True)
class Sender:
    """Signs, sends and awaits transactions that one wallet pays.

    Args:
        transport: to the cluster.
        payer: pays the fees and signs.
        options: see `SendOptions`.
        usage: where costs are counted.
        on_landed: called with (name, signature) of each transaction that took effect.
    """

    transport: Transport
    payer: Keypair
    options: SendOptions
    usage: Usage
    on_landed: Callable[[str, str], None] = lambda _name, _signature: None
    _blockhash: _Blockhash | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _signatures: OrderedDict[str, None] = field(default_factory=OrderedDict)

    async def send(
        self,
        name: str,
        instructions: Sequence[Instruction],
        *,
        signers: Sequence[Keypair],
        units: int,
    ) -> Receipt:
        """Send a transaction and return once it took effect.

        Args:
            name: under which its costs are counted.
            instructions: its instructions, in order.
            signers: who signs besides the payer.
            units: compute units it may use.

        Raises:
            TransactionError: it was refused; the subclass says why.
            OutcomeUnknown: it was sent, and nobody knows.
            RpcError: it was not sent.
        """
        signed = await self._sign(instructions, signers, units)
        try:
            await self._submit(signed)
        except _StaleBlockhashError:
            # The node refused it before it went anywhere, so another may be signed.
            self._blockhash = None
            signed = await self._sign(instructions, signers, units)
            await self._submit(signed, last_try=True)
        status = await self._outcome(signed)
        failed = status.get("err") is not None
        self.usage.landed(fee_lamports=signed.fee_lamports, failed=failed)
        self.on_landed(name, signed.signature)
        if failed:
            raise self._error(Refusal(status["err"]), signed, landed=True)
        return Receipt(signature=signed.signature, chain_slot=_whole(status.get("slot")))

    async def _sign(
        self, instructions: Sequence[Instruction], signers: Sequence[Keypair], units: int
    ) -> _Signed:
        blockhash = await self._recent_blockhash()
        keys = list({key.pubkey(): key for key in (self.payer, *signers)}.values())
        price = self.options.priority_micro_lamports
        units = min(units, _UNITS_MAX - _SIGNATURES_KEPT)
        while True:
            budget = [set_compute_unit_limit(units)]
            if price:
                budget.append(set_compute_unit_price(price))
            everything = (*budget, *instructions)
            message = Message.new_with_blockhash(everything, self.payer.pubkey(), blockhash.value)
            wire = bytes(Transaction(keys, message, blockhash.value))
            signature = str(Transaction.from_bytes(wire).signatures[0])
            # The same instructions under the same blockhash are the same transaction, and the
            # cluster runs it once. One unit more makes it another.
            if signature not in self._signatures:
                break
            units += 1
        if len(wire) > TRANSACTION_BYTES_MAX:
            raise TransactionTooLarge(len(wire), TRANSACTION_BYTES_MAX)
        self._signatures[signature] = None
        if len(self._signatures) > _SIGNATURES_KEPT:
            self._signatures.popitem(last=False)
        fee = _LAMPORTS_PER_SIGNATURE * len(keys) + -(-units * price // _MICRO)
        encoded = base64.b64encode(wire).decode()
        return _Signed(signature, encoded, everything, fee, blockhash.last_block_height)

    async def _recent_blockhash(self) -> _Blockhash:
        async with self._lock:
            cached = self._blockhash
            if cached and time.monotonic() - cached.fetched_at < self.options.blockhash_seconds:
                return cached
            answer = await self.transport.call(
                "getLatestBlockhash", [{"commitment": self.options.commitment}]
            )
            try:
                value = answer["value"]
                found = Hash.from_string(value["blockhash"])
                height = int(value["lastValidBlockHeight"])
            except (TypeError, KeyError, ValueError, ParseHashError):
                raise RpcAnswerInvalid(
                    "no blockhash in the answer", url=self.transport.url
                ) from None
            self._blockhash = _Blockhash(found, height, time.monotonic())
            return self._blockhash

    async def _submit(self, signed: _Signed, *, last_try: bool = False) -> None:
        """Hand it to a node; return if it may have been taken."""
        try:
            await self._broadcast(signed, preflight=self.options.preflight)
        except RpcUnreachable as error:
            if not error.sent:
                raise
        except RpcError as error:
            refusal = _refusal(error)
            if refusal is None:
                raise
            if refusal.error == "AlreadyProcessed":
                return
            if refusal.error == "BlockhashNotFound" and not last_try:
                raise _StaleBlockhashError from None
            raise self._error(refusal, signed, landed=False) from error

    async def _broadcast(self, signed: _Signed, *, preflight: bool) -> None:
        config = {
            "encoding": "base64",
            "skipPreflight": not preflight,
            "preflightCommitment": self.options.commitment,
            "maxRetries": 0,
        }
        await self.transport.call("sendTransaction", [signed.wire, config])

    async def _outcome(self, signed: _Signed) -> dict[str, Any]:
        """Return the status at the wanted commitment; rebroadcast until then."""
        started = resent_at = time.monotonic()
        reason = "no node told in time"
        for wait in waits(self.options.poll_seconds):
            await asyncio.sleep(wait)
            now = time.monotonic()
            if now - started > self.options.timeout_seconds:
                break
            try:
                status = await self._status(signed.signature)
                if status is not None and self._sure(status):
                    return status
                if now - resent_at >= self.options.rebroadcast_seconds:
                    resent_at = now
                    if status is None and await self._expired(signed):
                        raise TransactionExpired(signed.signature)
                    await self._rebroadcast(signed)
            except RpcError as error:
                reason = str(error)
        raise OutcomeUnknown(signed.signature, reason)

    async def _status(self, signature: str, *, search: bool = False) -> dict[str, Any] | None:
        answer = await self.transport.call(
            "getSignatureStatuses", [[signature], {"searchTransactionHistory": search}]
        )
        match answer:
            case {"value": [None]}:
                return None
            case {"value": [dict() as status]}:
                return status
            case _:
                raise RpcAnswerInvalid("no status in the answer", url=self.transport.url)

    def _sure(self, status: dict[str, Any]) -> bool:
        level = status.get("confirmationStatus")
        return level in LEVELS and LEVELS.index(level) >= LEVELS.index(self.options.commitment)

    async def _expired(self, signed: _Signed) -> bool:
        """Whether it cannot land any more: the finalized chain has passed its blockhash."""
        height = await self.transport.call("getBlockHeight", [{"commitment": "finalized"}])
        if not isinstance(height, int) or height <= signed.last_block_height:
            return False
        return await self._status(signed.signature, search=True) is None

    async def _rebroadcast(self, signed: _Signed) -> None:
        try:
            await self._broadcast(signed, preflight=False)
        except RpcUnreachable:
            raise
        except RpcError:
            # A node that has it already, or thinks it stale, says so; the status decides.
            return

    def _error(self, refusal: Refusal, signed: _Signed, *, landed: bool) -> TransactionError:
        error = transaction_error(refusal, signed.instructions, str(self.payer.pubkey()))
        error.signature, error.landed = signed.signature, landed
        return error


class _StaleBlockhashError(Exception):
    """The node does not know the blockhash (any more)."""


def _refusal(error: RpcError) -> Refusal | None:
    """Return what a preflight found, None if the error is another."""
    if error.code != _PREFLIGHT_FAILURE or not isinstance(error.data, dict):
        return None
    logs = error.data.get("logs") or ()
    return Refusal(error.data.get("err"), tuple(str(line) for line in logs))


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
