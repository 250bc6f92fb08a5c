"""Accounts and transactions in the JSON forms of Solana's RPC."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from solders.account import Account
from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM

from psyche_sdk import _base58
from psyche_sdk.localnet._params import Config, whole
from psyche_sdk.localnet._records import Record
from psyche_sdk.localnet.errors import (
    INVALID_REQUEST,
    UNSUPPORTED_VERSION,
    RpcError,
    invalid_params,
)

AnyMessage = Message | MessageV0 | MessageV1
BASE58_BYTES_MAX = 128
EMPTY_ACCOUNT = Account(0, b"", SYSTEM_PROGRAM, False, 0)
_ACCOUNT_ENCODINGS = frozenset({"binary", "base58", "base64", "jsonParsed"})
_TRANSACTION_ENCODINGS = frozenset({"json", "jsonParsed", "base58", "base64", "binary"})


@dataclass(frozen=True, slots=True)
class AccountForm:
    """How a client wants accounts: encoding, and the slice of the data (offset, length)."""

    encoding: str
    data_slice: tuple[int, int] | None

    @classmethod
    def read(cls, config: Config, default: str = "binary") -> AccountForm:
        """Reads `encoding` and `dataSlice` of a request; RpcError for what is not offered."""
        encoding = config.text("encoding", default)
        if encoding == "base64+zstd":
            raise invalid_params("encoding base64+zstd is not offered by this chain; use base64")
        if encoding not in _ACCOUNT_ENCODINGS:
            raise invalid_params(f"unknown encoding {encoding[:20]!r}")
        part = config.object("dataSlice")
        if part is None:
            return cls(encoding, None)
        offset = whole(part.get("offset"), "dataSlice.offset")
        return cls(encoding, (offset, whole(part.get("length"), "dataSlice.length")))

    def encode(self, account: Account, *, strict: bool = True) -> dict[str, Any]:
        """Returns the account's JSON form.

        Data too long for base 58 raises RpcError, or, if not `strict`, gives a text that says so,
        as nodes do in notifications.
        """
        data = account.data
        if self.data_slice is not None:
            offset, length = self.data_slice
            data = data[offset : offset + length]
        return {
            "lamports": account.lamports,
            "data": self._data(data, strict),
            "owner": str(account.owner),
            "executable": account.executable,
            "rentEpoch": account.rent_epoch,
            "space": len(account.data),
        }

    def _data(self, data: bytes, strict: bool) -> str | list[str]:
        # No parser is offered, and then nodes answer jsonParsed with base64 too.
        if self.encoding in ("base64", "jsonParsed"):
            return [base64.b64encode(data).decode(), "base64"]
        if len(data) <= BASE58_BYTES_MAX:
            text = _base58.encode(data)
        elif strict:
            raise RpcError(
                INVALID_REQUEST,
                "Encoded binary (base 58) data should be less than 128 bytes, "
                "please use Base64 encoding.",
            )
        else:
            text = "error: data too large for bs58 encoding"
        return text if self.encoding == "binary" else [text, "base58"]


def status_of(err: Any) -> dict[str, Any]:
    """Returns the old form of a transaction's outcome that some answers still carry."""
    return {"Ok": None} if err is None else {"Err": err}


def transaction_answer(record: Record, config: Config) -> dict[str, Any]:
    """Returns what getTransaction answers for an executed transaction."""
    encoding = config.text("encoding", "json")
    if encoding not in _TRANSACTION_ENCODINGS:
        raise invalid_params(f"unknown encoding {encoding[:20]!r}")
    message = record.transaction.message
    version: int | str = 0 if isinstance(message, MessageV0) else "legacy"
    version_max = config.integer("maxSupportedTransactionVersion", -1)
    if version == 0 and version_max < 0:
        raise RpcError(
            UNSUPPORTED_VERSION,
            "Transaction version (0) is not supported by the requesting client. Please try the "
            "request again with the following configuration parameter: "
            '"maxSupportedTransactionVersion": 0',
        )
    answer = {
        "slot": record.slot,
        "blockTime": record.block_time,
        "transaction": _transaction(record, encoding),
        "meta": _meta(record),
    }
    if version_max >= 0:
        answer["version"] = version
    return answer


def _meta(record: Record) -> dict[str, Any]:
    meta = {
        "err": record.err,
        "status": status_of(record.err),
        "fee": record.fee_lamports,
        "preBalances": record.pre_balances,
        "postBalances": record.post_balances,
        "innerInstructions": record.inner,
        "logMessages": record.logs,
        "preTokenBalances": [],
        "postTokenBalances": [],
        "rewards": [],
        "loadedAddresses": {
            "writable": [str(key) for key in record.keys.loaded_writable],
            "readonly": [str(key) for key in record.keys.loaded_readonly],
        },
        "computeUnitsConsumed": record.compute_units,
    }
    if record.return_data is not None:
        meta["returnData"] = record.return_data
    return meta


def _transaction(record: Record, encoding: str) -> Any:
    raw = bytes(record.transaction)
    if encoding == "base64":
        return [base64.b64encode(raw).decode(), encoding]
    if encoding in ("base58", "binary"):
        text = _base58.encode(raw)
        return text if encoding == "binary" else [text, encoding]
    message = record.transaction.message
    parsed = encoding == "jsonParsed"
    body = _parsed_message(message, record) if parsed else _raw_message(message)
    return {"signatures": [str(s) for s in record.transaction.signatures], "message": body}


def _raw_message(message: AnyMessage) -> dict[str, Any]:
    header = message.header
    body: dict[str, Any] = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "programIdIndex": instruction.program_id_index,
                "accounts": list(instruction.accounts),
                "data": _base58.encode(bytes(instruction.data)),
                "stackHeight": 1,
            }
            for instruction in message.instructions
        ],
    }
    if isinstance(message, MessageV0):
        body["addressTableLookups"] = [
            {
                "accountKey": str(lookup.account_key),
                "writableIndexes": list(lookup.writable_indexes),
                "readonlyIndexes": list(lookup.readonly_indexes),
            }
            for lookup in message.address_table_lookups
        ]
    return body


def _parsed_message(message: AnyMessage, record: Record) -> dict[str, Any]:
    # No program's instructions are parsed here; nodes answer such ones in this form as well.
    keys = record.keys.all
    signers = message.header.num_required_signatures
    static = len(record.keys.static)
    writable: set[Pubkey] = set(record.keys.writable)
    return {
        "accountKeys": [
            {
                "pubkey": str(key),
                "signer": index < signers,
                "writable": key in writable,
                "source": "transaction" if index < static else "lookupTable",
            }
            for index, key in enumerate(keys)
        ],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [
            {
                "programId": str(keys[instruction.program_id_index]),
                "accounts": [str(keys[index]) for index in bytes(instruction.accounts)],
                "data": _base58.encode(bytes(instruction.data)),
                "stackHeight": 1,
            }
            for instruction in message.instructions
        ],
    }
