"""The table of JSON-RPC methods, and those that read slots, blockhashes and the history."""

from __future__ import annotations

from typing import Any

from solders.hash import Hash
from solders.message import Message, MessageV0, from_bytes_versioned
from solders.pubkey import Pubkey

from psyche_sdk.localnet import _accounts, _transactions
from psyche_sdk.localnet._bank import Bank
from psyche_sdk.localnet._encode import status_of, transaction_answer
from psyche_sdk.localnet._fees import fee_lamports
from psyche_sdk.localnet._params import Params, binary, blockhash, signature
from psyche_sdk.localnet._rpc import VERSION, Methods, with_context
from psyche_sdk.localnet._slots import BLOCKHASH_AGE_MAX, SLOTS_PER_EPOCH
from psyche_sdk.localnet.errors import BLOCK_NOT_AVAILABLE, RpcError, invalid_params

_NODE_VERSION = {"solana-core": VERSION, "feature-set": 0}
_SIGNATURES_MAX = 256
_HISTORY_LIMIT = 1_000
_MESSAGE_TEXT_MAX = 1_644


def _epoch_info(bank: Bank, params: Params) -> dict[str, int]:
    params.config(0)
    slots = bank.slots
    return {
        "absoluteSlot": slots.slot,
        "blockHeight": slots.slot,
        "epoch": slots.epoch,
        "slotIndex": slots.slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": slots.transactions,
    }


def _slot(bank: Bank, params: Params) -> int:
    params.config(0)
    return bank.slots.slot


def _transaction_count(bank: Bank, params: Params) -> int:
    params.config(0)
    return bank.slots.transactions


def _block_time(bank: Bank, params: Params) -> int:
    slot = params.integer(0, "slot")
    seconds = bank.slots.block_time(slot)
    if seconds is None:
        raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
    return seconds


def _latest_blockhash(bank: Bank, params: Params) -> dict[str, Any]:
    params.config(0)
    slots = bank.slots
    height = slots.slot + BLOCKHASH_AGE_MAX
    return with_context(
        bank.slots.slot, {"blockhash": str(slots.blockhash), "lastValidBlockHeight": height}
    )


def _blockhash_valid(bank: Bank, params: Params) -> dict[str, Any]:
    params.config(1)
    wanted = blockhash(params.get(0, "blockhash"))
    return with_context(bank.slots.slot, bank.slots.height_limit(wanted) is not None)


def _signature_statuses(bank: Bank, params: Params) -> dict[str, Any]:
    params.config(1)
    values: list[dict[str, Any] | None] = []
    for text in params.list(0, "signatures", _SIGNATURES_MAX):
        record = bank.history.get(signature(text))
        values.append(
            None
            if record is None
            else {
                "slot": record.slot,
                "confirmations": None,
                "err": record.err,
                "status": status_of(record.err),
                "confirmationStatus": "finalized",
            }
        )
    return with_context(bank.slots.slot, values)


def _transaction(bank: Bank, params: Params) -> dict[str, Any] | None:
    config = params.config(1, text_field="encoding")
    record = bank.history.get(params.signature(0))
    return None if record is None else transaction_answer(record, config)


def _signatures_for_address(bank: Bank, params: Params) -> list[dict[str, Any]]:
    address = params.pubkey(0)
    config = params.config(1)
    limit = config.integer("limit", _HISTORY_LIMIT)
    if not 1 <= limit <= _HISTORY_LIMIT:
        raise invalid_params(f"Invalid limit; max {_HISTORY_LIMIT}")
    before, until = config.text("before", ""), config.text("until", "")
    found: list[dict[str, Any]] = []
    started = not before
    for record in bank.history.newest_first():
        if record.signature == until or len(found) == limit:
            break
        if started and address in record.keys.all:
            found.append(
                {
                    "signature": record.signature,
                    "slot": record.slot,
                    "err": record.err,
                    "memo": None,
                    "blockTime": record.block_time,
                    "confirmationStatus": "finalized",
                }
            )
        started = started or record.signature == before
    return found


def _fee_for_message(bank: Bank, params: Params) -> dict[str, Any]:
    params.config(1)
    raw = binary(params.text(0, "message"), "base64", _MESSAGE_TEXT_MAX)
    try:
        message = from_bytes_versioned(raw)
        fee = fee_lamports(message) if isinstance(message, Message | MessageV0) else None
        known = bank.slots.height_limit(message.recent_blockhash) is not None
    except Exception as error:  # solders raises several unrelated classes
        raise invalid_params(f"failed to deserialize message: {error}") from error
    return with_context(bank.slots.slot, fee if known else None)


def _prioritization_fees(bank: Bank, params: Params) -> list[dict[str, int]]:
    # Nobody competes for room here, so no fee above zero is ever needed.
    del params
    return [{"slot": bank.slots.slot, "prioritizationFee": 0}]


def _genesis_hash(bank: Bank, params: Params) -> str:
    del params
    return str(Hash(bank.slots.genesis))


METHODS: Methods = {
    "getAccountInfo": _accounts.account_info,
    "getBalance": _accounts.balance,
    "getBlockHeight": _slot,
    "getBlockTime": _block_time,
    "getEpochInfo": _epoch_info,
    "getFeeForMessage": _fee_for_message,
    "getFirstAvailableBlock": lambda bank, _: bank.slots.first_slot,
    "getGenesisHash": _genesis_hash,
    "getHealth": lambda _bank, _params: "ok",
    "getLatestBlockhash": _latest_blockhash,
    "getMinimumBalanceForRentExemption": _accounts.rent,
    "getMultipleAccounts": _accounts.multiple_accounts,
    "getProgramAccounts": _accounts.program_accounts,
    "getRecentPrioritizationFees": _prioritization_fees,
    "getSignatureStatuses": _signature_statuses,
    "getSignaturesForAddress": _signatures_for_address,
    "getSlot": _slot,
    "getSlotLeader": lambda bank, _: str(Pubkey(bank.slots.genesis)),
    "getTransaction": _transaction,
    "getTransactionCount": _transaction_count,
    "getVersion": lambda _bank, _params: _NODE_VERSION,
    "isBlockhashValid": _blockhash_valid,
    "minimumLedgerSlot": lambda bank, _: bank.slots.first_slot,
    "requestAirdrop": _transactions.request_airdrop,
    "sendTransaction": _transactions.send_transaction,
    "simulateTransaction": _transactions.simulate_transaction,
}
