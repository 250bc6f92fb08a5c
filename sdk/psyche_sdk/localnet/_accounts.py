"""JSON-RPC methods that read accounts, and the filters of program accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from solders.account import Account

from psyche_sdk.localnet._bank import Bank
from psyche_sdk.localnet._encode import AccountForm
from psyche_sdk.localnet._params import Params, binary, pubkey, whole
from psyche_sdk.localnet._rpc import with_context
from psyche_sdk.localnet.errors import invalid_params

_ACCOUNTS_MAX = 100  # of getMultipleAccounts, as on public nodes
_ACCOUNT_BYTES_MAX = 10 * 2**20
_FILTERS_MAX = 4
_MEMCMP_TEXT_MAX = 175  # characters: 128 bytes
_DATA_BYTES_MAX = 32 * 2**20  # account data in one answer


def account_info(bank: Bank, params: Params) -> dict[str, Any]:
    form = AccountForm.read(params.config(1))
    account = bank.account(params.pubkey(0))
    return with_context(bank.slots.slot, None if account is None else form.encode(account))


def multiple_accounts(bank: Bank, params: Params) -> dict[str, Any]:
    form = AccountForm.read(params.config(1), "base64")
    addresses = [pubkey(text) for text in params.list(0, "addresses", _ACCOUNTS_MAX)]
    found: list[Account | None] = []
    room = _DATA_BYTES_MAX
    for address in addresses:
        account = bank.account(address)
        room = _charge(account, form, room)
        found.append(account)
    return with_context(bank.slots.slot, [None if a is None else form.encode(a) for a in found])


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


def program_accounts(bank: Bank, params: Params) -> Any:
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
    return with_context(bank.slots.slot, found) if config.boolean("withContext") else found


def balance(bank: Bank, params: Params) -> dict[str, Any]:
    params.config(1)
    account = bank.account(params.pubkey(0))
    return with_context(bank.slots.slot, 0 if account is None else account.lamports)


def rent(bank: Bank, params: Params) -> int:
    params.config(1)
    size = params.integer(0, "data length")
    if size > _ACCOUNT_BYTES_MAX:
        raise invalid_params("an account holds at most 10,485,760 bytes")
    return bank.rent_lamports(size)
