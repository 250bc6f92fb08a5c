"""Sends transactions and finds out what became of them.

A transaction is signed once and only that one is ever sent, again and again until it lands or its
blockhash expires: it cannot take effect twice. What cannot be told is `OutcomeUnknown`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from solders.instruction import Instruction
from solders.keypair import Keypair

from psyche_sdk._error_base import TransactionError
from psyche_sdk._refusals import Refusal, transaction_error
from psyche_sdk._signing import LEVELS, SendOptions, Signed, Signer
from psyche_sdk._transport import Transport
from psyche_sdk._usage import Usage
from psyche_sdk.errors import (
    OutcomeUnknown,
    RpcAnswerInvalid,
    RpcError,
    RpcUnreachable,
    TransactionExpired,
)

_PREFLIGHT_FAILURE = -32002


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A transaction that took effect.

    Attributes:
        signature: in base58.
        chain_slot: of the block that it stands in.
    """

    signature: str
    chain_slot: int


def waits(first: float, cap: float = 1.0) -> Iterator[float]:
    """Yield seconds to wait: none at first, then `first`, doubled each time up to `cap`."""
    yield 0.0
    wait = first
    while True:
        yield min(wait, cap)
        wait = min(2 * wait, cap)


class Sender:
    """Signs, sends and awaits transactions that one wallet pays.

    Args:
        transport: to the cluster.
        payer: pays the fees and signs.
        options: see `SendOptions`.
        usage: where costs are counted.
        on_landed: called with (name, signature) of each transaction that took effect or failed.
    """

    def __init__(
        self,
        transport: Transport,
        payer: Keypair,
        options: SendOptions,
        usage: Usage,
        on_landed: Callable[[str, str], None] | None = None,
    ) -> None:
        self.payer = payer
        self._transport = transport
        self._options = options
        self._usage = usage
        self._on_landed = on_landed
        self._signer = Signer(transport, payer, options)

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
        for _ in range(self._options.attempts - 1):
            try:
                return await self._attempt(name, instructions, signers, units)
            except TransactionExpired:
                # It can never land, so another one cannot be a second one.
                continue
        return await self._attempt(name, instructions, signers, units)

    async def _attempt(
        self,
        name: str,
        instructions: Sequence[Instruction],
        signers: Sequence[Keypair],
        units: int,
    ) -> Receipt:
        signed = await self._signer.sign(instructions, signers, units)
        try:
            await self._submit(signed)
        except _StaleBlockhashError:
            # The node refused it before it went anywhere, so another may be signed.
            self._signer.forget_blockhash()
            signed = await self._signer.sign(instructions, signers, units)
            await self._submit(signed, last_try=True)
        status = await self._outcome(signed)
        failed = status.get("err") is not None
        self._usage.landed(fee_lamports=signed.fee_lamports, failed=failed)
        if self._on_landed:
            self._on_landed(name, signed.signature)
        if failed:
            raise self._error(Refusal(status["err"]), signed, landed=True)
        return Receipt(signature=signed.signature, chain_slot=_whole(status.get("slot")))

    async def _submit(self, signed: Signed, *, last_try: bool = False) -> None:
        """Hand it to a node; return if it may have been taken."""
        try:
            await self._broadcast(signed, preflight=self._options.preflight)
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

    async def _broadcast(self, signed: Signed, *, preflight: bool) -> None:
        config = {
            "encoding": "base64",
            "skipPreflight": not preflight,
            "preflightCommitment": self._options.commitment,
            "maxRetries": 0,
        }
        await self._transport.call("sendTransaction", [signed.wire, config])

    async def _outcome(self, signed: Signed) -> dict[str, Any]:
        """Return the status at the wanted commitment; rebroadcast until then."""
        started = resent_at = time.monotonic()
        reason = "no node told in time"
        for wait in waits(self._options.poll_seconds):
            await asyncio.sleep(wait)
            now = time.monotonic()
            try:
                status = await self._status(signed.signature)
                if status is not None and self._sure(status):
                    return status
                if now - resent_at >= self._options.rebroadcast_seconds:
                    resent_at = now
                    if status is None and await self._expired(signed):
                        self._signer.forget_blockhash()
                        raise TransactionExpired(signed.signature)
                    await self._rebroadcast(signed)
            except RpcError as error:
                reason = str(error)
            if now - started > self._options.timeout_seconds:
                break
        raise OutcomeUnknown(signed.signature, reason)

    async def _status(self, signature: str, *, search: bool = False) -> dict[str, Any] | None:
        answer = await self._transport.call(
            "getSignatureStatuses", [[signature], {"searchTransactionHistory": search}]
        )
        match answer:
            case {"value": [None]}:
                return None
            case {"value": [dict() as status]}:
                return status
            case _:
                raise RpcAnswerInvalid("no status in the answer", url=self._transport.url)

    def _sure(self, status: dict[str, Any]) -> bool:
        level = status.get("confirmationStatus")
        return level in LEVELS and LEVELS.index(level) >= LEVELS.index(self._options.commitment)

    async def _expired(self, signed: Signed) -> bool:
        """Whether it cannot land any more: the finalized chain has passed its blockhash."""
        height = await self._transport.call("getBlockHeight", [{"commitment": "finalized"}])
        if not isinstance(height, int) or height <= signed.last_block_height:
            return False
        return await self._status(signed.signature, search=True) is None

    async def _rebroadcast(self, signed: Signed) -> None:
        try:
            await self._broadcast(signed, preflight=False)
        except RpcUnreachable:
            raise
        except RpcError:
            # A node that has it already, or thinks it stale, says so; the status decides.
            return

    def _error(self, refusal: Refusal, signed: Signed, *, landed: bool) -> TransactionError:
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
