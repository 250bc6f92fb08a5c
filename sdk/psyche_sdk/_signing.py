"""Signs transactions: a recent blockhash, a compute budget, never the same signature twice."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash, ParseHashError
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.transaction import Transaction

from psyche_sdk._transport import Transport
from psyche_sdk.errors import ConfigError, RpcAnswerInvalid, TransactionTooLarge

Commitment: TypeAlias = Literal["processed", "confirmed", "finalized"]
LEVELS: Final[tuple[Commitment, ...]] = ("processed", "confirmed", "finalized")

TRANSACTION_BYTES_MAX: Final = 1232
_LAMPORTS_PER_SIGNATURE = 5000
_MICRO = 1_000_000
_UNITS_MAX = 1_400_000
_SIGNATURES_KEPT = 512
_PRICE_SECONDS = 20.0
_PRICE_ACCOUNTS_MAX = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """How transactions are sent and awaited.

    Attributes:
        commitment: how sure a result must be, reading and sending.
        preflight: whether the node tries a transaction first; a refusal then costs nothing.
        priority_micro_lamports: price of a compute unit above the fee; None for the median of
            what others paid of late for the same accounts.
        priority_cap_micro_lamports: the most that None may come to.
        attempts: how often to send anew what did not land and cannot any more.
        timeout_seconds: after which an outcome is unknown; a blockhash expires in about 60.
        blockhash_seconds: how long a blockhash is reused.
        rebroadcast_seconds: between two sendings of the same transaction.
        poll_seconds: first wait between two looks at the outcome; it doubles up to a second.
    """

    commitment: Commitment = "confirmed"
    preflight: bool = True
    priority_micro_lamports: int | None = 0
    priority_cap_micro_lamports: int = 100_000
    attempts: int = 2
    timeout_seconds: float = 90.0
    blockhash_seconds: float = 5.0
    rebroadcast_seconds: float = 2.0
    poll_seconds: float = 0.05

    def __post_init__(self) -> None:
        """Check each value."""
        if self.commitment not in LEVELS:
            raise ConfigError(f"commitment {self.commitment!r} is none of {', '.join(LEVELS)}")
        for name in ("priority_micro_lamports", "priority_cap_micro_lamports"):
            if (getattr(self, name) or 0) < 0:
                raise ConfigError(f"{name} is below 0")
        if self.attempts < 1:
            raise ConfigError("attempts is below 1")
        for name in ("timeout_seconds", "rebroadcast_seconds", "poll_seconds"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be above 0")


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction and when it can no longer land."""

    signature: str
    wire: str
    instructions: tuple[Instruction, ...]
    fee_lamports: int
    last_block_height: int


@dataclass(frozen=True, slots=True)
class _Blockhash:
    value: Hash
    last_block_height: int
    fetched_at: float


class Signer:
    """Signs what one wallet pays.

    Args:
        transport: to the cluster, for blockhashes.
        payer: pays the fees and signs first.
        options: see `SendOptions`.
    """

    def __init__(self, transport: Transport, payer: Keypair, options: SendOptions) -> None:
        self._transport = transport
        self._payer = payer
        self._options = options
        self._blockhash: _Blockhash | None = None
        self._measured: tuple[int, float] | None = None
        self._lock = asyncio.Lock()
        self._signatures: OrderedDict[str, None] = OrderedDict()

    def forget_blockhash(self) -> None:
        """Use another blockhash from now on."""
        self._blockhash = None

    async def sign(
        self, instructions: Sequence[Instruction], signers: Sequence[Keypair], units: int
    ) -> Signed:
        """Return a transaction never signed before; TransactionTooLarge over 1,232 bytes."""
        blockhash = await self._recent_blockhash()
        keys = list({key.pubkey(): key for key in (self._payer, *signers)}.values())
        price = await self._price(instructions)
        units = min(units, _UNITS_MAX - _SIGNATURES_KEPT)
        while True:
            budget = [set_compute_unit_limit(units)]
            if price:
                budget.append(set_compute_unit_price(price))
            everything = (*budget, *instructions)
            message = Message.new_with_blockhash(everything, self._payer.pubkey(), blockhash.value)
            _check_signers(message, keys)
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
        return Signed(signature, encoded, everything, fee, blockhash.last_block_height)

    async def _price(self, instructions: Sequence[Instruction]) -> int:
        """Return micro-lamports a compute unit: the fixed price, or the median of late ones."""
        fixed = self._options.priority_micro_lamports
        if fixed is not None:
            return fixed
        if self._measured and time.monotonic() - self._measured[1] < _PRICE_SECONDS:
            return self._measured[0]
        metas = [meta for instruction in instructions for meta in instruction.accounts]
        written = dict.fromkeys(str(meta.pubkey) for meta in metas if meta.is_writable)
        answer = await self._transport.call(
            "getRecentPrioritizationFees", [list(written)[:_PRICE_ACCOUNTS_MAX]]
        )
        try:
            fees = sorted(int(row["prioritizationFee"]) for row in answer)
        except (TypeError, KeyError, ValueError):
            url = self._transport.url
            raise RpcAnswerInvalid("no prices in the answer", url=url) from None
        median = max(0, fees[len(fees) // 2]) if fees else 0
        price = min(median, self._options.priority_cap_micro_lamports)
        self._measured = (price, time.monotonic())
        return price

    async def _recent_blockhash(self) -> _Blockhash:
        async with self._lock:
            cached = self._blockhash
            if cached and time.monotonic() - cached.fetched_at < self._options.blockhash_seconds:
                return cached
            answer = await self._transport.call(
                "getLatestBlockhash", [{"commitment": self._options.commitment}]
            )
            try:
                value = answer["value"]
                found = Hash.from_string(value["blockhash"])
                height = int(value["lastValidBlockHeight"])
            except (TypeError, KeyError, ValueError, ParseHashError):
                url = self._transport.url
                raise RpcAnswerInvalid("no blockhash in the answer", url=url) from None
            self._blockhash = _Blockhash(found, height, time.monotonic())
            return self._blockhash


def _check_signers(message: Message, keys: Sequence[Keypair]) -> None:
    """Refuse keys that are not those that the message asks for: solders would panic."""
    asked = message.account_keys[: message.header.num_required_signatures]
    given = {key.pubkey() for key in keys}
    for address in asked:
        if address not in given:
            raise ConfigError(f"signer {address} is missing", hint="pass its keypair in `signers`")
    for address in given.difference(asked):
        raise ConfigError(f"signer {address} is not asked for by any instruction")
