"""JSON-RPC over HTTP: the table of methods, and those that read the chain."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from solders.account import Account
from solders.hash import Hash
from solders.message import Message, MessageV0, from_bytes_versioned
from solders.pubkey import Pubkey

from psyche_sdk.localnet import _transactions
from psyche_sdk.localnet._bank import Bank
from psyche_sdk.localnet._encode import AccountForm, status_of, transaction_answer
from psyche_sdk.localnet._fees import fee_lamports
from psyche_sdk.localnet._params import Params, binary, blockhash, pubkey, signature, whole
from psyche_sdk.localnet._slots import BLOCKHASH_AGE_MAX, SLOTS_PER_EPOCH
from psyche_sdk.localnet.errors import (
    BLOCK_NOT_AVAILABLE,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    RpcError,
    invalid_params,
)

_LOG = logging.getLogger(__name__)
_NODE_VERSION = {"solana-core": "4.0.0", "feature-set": 0}
_ACCOUNTS_MAX = 100  # of getMultipleAccounts, as on public nodes
_FILTERS_MAX = 4
_MEMCMP_TEXT_MAX = 175  # characters: 128 bytes
_DATA_BYTES_MAX = 32 * 2**20  # account data in one answer
_SIGNATURES_MAX = 256
_HISTORY_LIMIT = 1_000
_MESSAGE_TEXT_MAX = 1_644

Method = Callable[[Bank, Params], Any]


def dispatch(bank: Bank, methods: dict[str, Method], request: Any) -> dict[str, Any] | None:
    """Answers one JSON-RPC request object; None for a notification, which wants no answer."""
    identity = request.get("id") if isinstance(request, dict) else None
    if isinstance(identity, bool) or not isinstance(identity, int | str | None):
        identity = None
    try:
        result = _call(bank, methods, request)
    except RpcError as error:
        return {"jsonrpc": "2.0", "error": error.to_object(), "id": identity}
    except Exception:
        _LOG.exception("a request failed inside the chain")
        return _internal_error(identity)
    except BaseException as error:
        # A panic inside LiteSVM or solders arrives as a BaseException of a private class.
        if type(error).__name__ != "PanicException":
            raise
        _LOG.error("a request made the virtual machine panic: %s", error)
        return _internal_error(identity)
    if "id" not in request:
        return None
    return {"jsonrpc": "2.0", "result": result, "id": identity}


def _call(bank: Bank, methods: dict[str, Method], request: Any) -> Any:
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise RpcError(INVALID_REQUEST, "Invalid request")
    method = methods.get(request["method"])
    if method is None:
        raise RpcError(METHOD_NOT_FOUND, "Method not found")
    return method(bank, Params(request.get("params"), bank.slots.slot))


def _internal_error(identity: int | str | None) -> dict[str, Any]:
    error = {"code": INTERNAL_ERROR, "message": "Internal error"}
    return {"jsonrpc": "2.0", "error": error, "id": identity}


def _with_context(bank: Bank, value: Any) -> dict[str, Any]:
    return {"context": {"slot": bank.slots.slot, "apiVersion": "4.0.0"}, "value": value}


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
    return _with_context(bank, {"blockhash": str(slots.blockhash), "lastValidBlockHeight": height})


def _blockhash_valid(bank: Bank, params: Params) -> dict[str, Any]:
    params.config(1)
    wanted = blockhash(params.get(0, "blockhash"))
    return _with_context(bank, bank.slots.height_limit(wanted) is not None)


def _account_info(bank: Bank, params: Params) -> dict[str, Any]:
    form = AccountForm.read(params.config(1))
    account = bank.account(params.pubkey(0))
    return _with_context(bank, None if account is None else form.encode(account))


def _multiple_accounts(bank: Bank, params: Params) -> dict[str, Any]:
    form = AccountForm.read(params.config(1))
    addresses = [pubkey(text) for text in params.list(0, "addresses", _ACCOUNTS_MAX)]
    found: list[Account | None] = []
    room = _DATA_BYTES_MAX
    for address in addresses:
        account = bank.account(address)
        room = _charge(account, form, room)
        found.append(account)
    return _with_context(bank, [None if a is None else form.encode(a) for a in found])


def _charge(account: Account | None, form: AccountForm, room: int) -> int:
    if account is not None:
        size = len(account.data)
        room -= size if form.data_slice is None else min(size, form.data_slice[1])
    if room < 0:
        raise invalid_params(f"the answer would hold more than {_DATA_BYTES_MAX} bytes of data")
    return room


def read_filters(filters: list[Any]) -> Callable[[bytes], bool]:
    """Reads `dataSize` and `memcmp` filters; returns the test of an account's data."""
    if len(filters) > _FILTERS_MAX:
        raise invalid_params(f"Too many filters provided; max {_FILTERS_MAX}")
    sizes: list[int] = []
    parts: list[tuple[int, bytes]] = []
    for entry in filters:
        if not isinstance(entry, dict) or len(entry) != 1:
            raise invalid_params("a filter is an object with one field")
        if "dataSize" in entry:
            sizes.append(whole(entry["dataSize"], "dataSize"))
        elif isinstance(entry.get("memcmp"), dict):
            parts.append(_memcmp(entry["memcmp"]))
        else:
            raise invalid_params("filters are dataSize and memcmp")

    def matches(data: bytes) -> bool:
        return all(len(data) == size for size in sizes) and all(
            data[offset : offset + len(part)] == part for offset, part in parts
        )

    return matches


def _memcmp(entry: dict[str, Any]) -> tuple[int, bytes]:
    offset = whole(entry.get("offset"), "memcmp.offset")
    text = entry.get("bytes")
    if not isinstance(text, str):
        raise invalid_params("memcmp.bytes must be a string")
    encoding = entry.get("encoding") or "base58"
    if not isinstance(encoding, str):
        raise invalid_params("memcmp.encoding must be a string")
    return offset, binary(text, encoding, _MEMCMP_TEXT_MAX)


def _program_accounts(bank: Bank, params: Params) -> Any:
    program_id = params.pubkey(0, "program id")
    config = params.config(1)
    form = AccountForm.read(config)
    matches = read_filters(config.list("filters"))
    found = []
    room = _DATA_BYTES_MAX
    for address, account in bank.program_accounts(program_id):
        if matches(account.data):
            room = _charge(account, form, room)
            found.append({"pubkey": str(address), "account": form.encode(account)})
    return _with_context(bank, found) if config.boolean("withContext") else found


def _balance(bank: Bank, params: Params) -> dict[str, Any]:
    params.config(1)
    account = bank.account(params.pubkey(0))
    return _with_context(bank, 0 if account is None else account.lamports)


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
    return _with_context(bank, values)


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
    return _with_context(bank, fee if known else None)


def _prioritization_fees(bank: Bank, params: Params) -> list[dict[str, int]]:
    # Nobody competes for room here, so no fee above zero is ever needed.
    del params
    return [{"slot": bank.slots.slot, "prioritizationFee": 0}]


def _rent(bank: Bank, params: Params) -> int:
    params.config(1)
    size = params.integer(0, "data length")
    if size > 10 * 2**20:
        raise invalid_params("an account holds at most 10,485,760 bytes")
    return bank.rent_lamports(size)


def _genesis_hash(bank: Bank, params: Params) -> str:
    del params
    return str(Hash(bank.slots.genesis))


METHODS: dict[str, Method] = {
    "getAccountInfo": _account_info,
    "getBalance": _balance,
    "getBlockHeight": _slot,
    "getBlockTime": _block_time,
    "getEpochInfo": _epoch_info,
    "getFeeForMessage": _fee_for_message,
    "getFirstAvailableBlock": lambda bank, _: bank.slots.first_slot,
    "getGenesisHash": _genesis_hash,
    "getHealth": lambda _bank, _params: "ok",
    "getLatestBlockhash": _latest_blockhash,
    "getMinimumBalanceForRentExemption": _rent,
    "getMultipleAccounts": _multiple_accounts,
    "getProgramAccounts": _program_accounts,
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
