"""Executed transactions: what a node remembers of them, and the bounded history."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

HISTORY_MAX = 20_000  # transactions kept, about 4 KB each
LOOKUP_TABLE_HEADER_BYTES = 56


@dataclass(frozen=True, slots=True)
class Keys:
    """All accounts of a transaction in their order: static, then loaded writable, loaded readonly.

    `writable` holds those that it may change.
    """

    static: tuple[Pubkey, ...]
    loaded_writable: tuple[Pubkey, ...]
    loaded_readonly: tuple[Pubkey, ...]
    writable: tuple[Pubkey, ...]

    @property
    def all(self) -> tuple[Pubkey, ...]:
        """The accounts, as instruction indices count them."""
        return self.static + self.loaded_writable + self.loaded_readonly


@dataclass(frozen=True, slots=True)
class Record:
    """One executed transaction. `err` is None or Solana's JSON form of the error."""

    signature: str
    slot: int
    block_time: int
    transaction: VersionedTransaction
    keys: Keys
    err: Any
    logs: list[str]
    compute_units: int
    fee_lamports: int
    inner: list[dict[str, Any]]
    return_data: dict[str, Any] | None
    pre_balances: list[int]
    post_balances: list[int]


class History:
    """The newest records by signature; older ones are forgotten."""

    def __init__(self, records_max: int = HISTORY_MAX) -> None:
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._records_max = records_max

    def add(self, record: Record) -> None:
        """Remembers `record` and forgets the oldest beyond the limit."""
        self._records[record.signature] = record
        if len(self._records) > self._records_max:
            self._records.popitem(last=False)

    def get(self, signature: str) -> Record | None:
        """The record of a signature, or None if unknown or forgotten."""
        return self._records.get(signature)

    def newest_first(self) -> Iterator[Record]:
        """All records, the newest first."""
        return reversed(self._records.values())


def keys_of(svm: LiteSVM, transaction: VersionedTransaction) -> Keys:
    """Finds the accounts of a transaction, lookup tables included.

    An index or a table that does not exist is left out: LiteSVM refuses such a transaction.
    """
    message = transaction.message
    static = tuple(message.account_keys)
    header = message.header
    signed = header.num_required_signatures
    readonly_from = len(static) - header.num_readonly_unsigned_accounts
    writable = [
        key
        for index, key in enumerate(static)
        if index < signed - header.num_readonly_signed_accounts or signed <= index < readonly_from
    ]
    if not isinstance(message, MessageV0):
        return Keys(static, (), (), tuple(writable))
    loaded_writable: list[Pubkey] = []
    loaded_readonly: list[Pubkey] = []
    for lookup in message.address_table_lookups:
        table = svm.get_account(lookup.account_key)
        data = b"" if table is None else table.data[LOOKUP_TABLE_HEADER_BYTES:]
        loaded_writable += _addresses(data, lookup.writable_indexes)
        loaded_readonly += _addresses(data, lookup.readonly_indexes)
    return Keys(
        static,
        tuple(loaded_writable),
        tuple(loaded_readonly),
        tuple(writable + loaded_writable),
    )


def _addresses(data: bytes, indexes: bytes) -> list[Pubkey]:
    return [Pubkey(data[32 * i : 32 * i + 32]) for i in indexes if 32 * i + 32 <= len(data)]
