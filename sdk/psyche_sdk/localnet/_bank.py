"""The bank: LiteSVM with the checks of a validator around it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata

from psyche_sdk import _base58
from psyche_sdk.localnet._records import History, Keys, Record, keys_of
from psyche_sdk.localnet._slots import Slots, SlotsStart
from psyche_sdk.localnet.errors import INVALID_PARAMS, ProgramError, RpcError, invalid_params

TRANSACTION_BYTES_MAX = 1232  # a packet; LiteSVM itself would take more
FAUCET_LAMPORTS = 500_000_000_000_000_000  # 500 million SOL
RENT_EPOCH_EXEMPT = 2**64 - 1
_FAUCET_UNITS = 1_000  # compute units of an airdrop, plus its number to make it unique
_FAUCET_NUMBERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What executing or simulating gave; `err` is None or Solana's JSON form of the error."""

    err: Any
    meta: TransactionMetadata
    post_accounts: dict[Pubkey, Account]


class Bank:
    """Accounts, programs and transactions of one chain; not thread-safe.

    `on_executed` functions are called with the record of each transaction that was executed.
    """

    def __init__(self, start: SlotsStart, unix_seconds: float) -> None:
        svm = LiteSVM().with_sigverify(False).with_blockhash_check(False)
        self._svm = svm.with_transaction_history(0)
        self.slots = Slots(self._svm, start, unix_seconds)
        self.history = History()
        self.touched: set[Pubkey] = set()
        self.on_executed: list[Callable[[Record], None]] = []
        self._faucet = Keypair()
        self._airdrops = 0
        self._svm.set_account(
            self._faucet.pubkey(),
            Account(FAUCET_LAMPORTS, b"", SYSTEM_PROGRAM, False, RENT_EPOCH_EXEMPT),
        )

    def add_programs(self, programs: Mapping[Pubkey, str | Path | bytes]) -> None:
        """Loads programs from files or bytes; ProgramError says which failed and why."""
        for program_id, source in programs.items():
            try:
                elf = source if isinstance(source, bytes) else Path(source).read_bytes()
                self._svm.add_program(program_id, elf)
            except OSError as error:
                reason = f"cannot read program {program_id}: {source!s}: {error.strerror}"
                raise ProgramError(reason) from error
            except Exception as error:  # LiteSVM's error class is not exported
                raise ProgramError(f"program {program_id} is not accepted: {error}") from error
            self.touched.add(program_id)
            account = self._svm.get_account(program_id)
            if account is not None and len(account.data) == 36:  # noqa: PLR2004 - tag and address
                self.touched.add(Pubkey(account.data[4:36]))

    def account(self, address: Pubkey) -> Account | None:
        """The account at an address, or None."""
        return self._svm.get_account(address)

    def set_account(self, address: Pubkey, account: Account) -> None:
        """Puts an account in place as it is: for restored states and tests."""
        self._svm.set_account(address, account)
        self.touched.add(address)

    def program_accounts(self, program_id: Pubkey) -> list[tuple[Pubkey, Account]]:
        """All accounts that a program owns."""
        return self._svm.get_program_accounts(program_id)

    def rent_lamports(self, data_bytes: int) -> int:
        """The balance that exempts an account of so many bytes from rent."""
        return self._svm.minimum_balance_for_rent_exemption(data_bytes)

    def refusal(self, transaction: VersionedTransaction) -> str | None:
        """Why the chain takes no such transaction now ("BlockhashNotFound", ...), or None."""
        message = transaction.message
        return self.slots.refusal(message.recent_blockhash, _message_hash(transaction))

    def simulate(self, transaction: VersionedTransaction) -> Outcome:
        """Runs a transaction without effect; checks neither signatures nor blockhash."""
        result = self._svm.simulate_transaction(transaction)
        if isinstance(result, FailedTransactionMetadata):
            return Outcome(json.loads(result.to_json())["err"], result.meta(), {})
        return Outcome(None, result.meta(), dict(result.post_accounts()))

    def execute(self, transaction: VersionedTransaction) -> Record | None:
        """Executes a transaction that `refusal` has nothing against.

        Returns its record, or None where it cannot even pay its fee and leaves no trace.
        """
        keys = keys_of(self._svm, transaction)
        before = self._balances(keys.all)
        result = self._svm.send_transaction(transaction)
        failed = isinstance(result, FailedTransactionMetadata)
        meta = result.meta() if isinstance(result, FailedTransactionMetadata) else result
        if failed and meta.signature() == Signature.default():
            return None
        err = json.loads(result.to_json())["err"] if failed else None
        self.slots.record(transaction.message.recent_blockhash, _message_hash(transaction))
        self.touched.update(keys.writable)
        record = self._record(transaction, keys, err, meta, before)
        self.history.add(record)
        for listener in self.on_executed:
            listener(record)
        return record

    def airdrop(self, address: Pubkey, lamports: int) -> Record:
        """Pays `lamports` from the faucet; RpcError if the chain does not allow it."""
        self._airdrops += 1
        payer = self._faucet.pubkey()
        # The number in the limit makes two equal airdrops of one slot two transactions.
        limit = _FAUCET_UNITS + self._airdrops % _FAUCET_NUMBERS
        instructions = [
            set_compute_unit_limit(limit),
            transfer(TransferParams(from_pubkey=payer, to_pubkey=address, lamports=lamports)),
        ]
        message = Message.new_with_blockhash(instructions, payer, self.slots.blockhash)
        transaction = VersionedTransaction(message, [self._faucet])
        outcome = self.simulate(transaction)
        record = None if outcome.err is not None else self.execute(transaction)
        if record is None:
            raise invalid_params(f"airdrop refused: {json.dumps(outcome.err)}")
        return record

    def _balances(self, addresses: Iterable[Pubkey]) -> list[int]:
        return [self._svm.get_balance(address) or 0 for address in addresses]

    def _record(
        self,
        transaction: VersionedTransaction,
        keys: Keys,
        err: Any,
        meta: TransactionMetadata,
        before: list[int],
    ) -> Record:
        return Record(
            signature=str(transaction.signatures[0]),
            slot=self.slots.slot,
            block_time=int(self.slots.unix_seconds),
            transaction=transaction,
            keys=keys,
            err=err,
            logs=meta.logs(),
            compute_units=meta.compute_units_consumed(),
            fee_lamports=meta.fee(),
            inner=inner_instructions(meta),
            return_data=return_data(meta),
            pre_balances=before,
            post_balances=self._balances(keys.all),
        )


def decode_transaction(raw: bytes) -> VersionedTransaction:
    """Reads a transaction as it came over the wire; RpcError for anything malformed."""
    name = "solana_transaction::versioned::VersionedTransaction"
    if len(raw) > TRANSACTION_BYTES_MAX:
        size = f"{len(raw)} bytes (max: {TRANSACTION_BYTES_MAX} bytes)"
        raise RpcError(INVALID_PARAMS, f"decoded {name} too large: {size}")
    try:
        transaction = VersionedTransaction.from_bytes(raw)
        transaction.sanitize()
        message = transaction.message
        whole = bytes(transaction) == raw
    except Exception as error:  # solders raises several unrelated classes
        raise RpcError(INVALID_PARAMS, f"failed to deserialize {name}: {error}") from error
    if not isinstance(message, Message | MessageV0):
        raise RpcError(INVALID_PARAMS, "only legacy and version 0 transactions are accepted")
    if not whole or not transaction.signatures:
        reason = "trailing bytes or no signature"
        raise RpcError(INVALID_PARAMS, f"failed to deserialize {name}: {reason}")
    return transaction


def signatures_are_good(transaction: VersionedTransaction) -> bool:
    """Whether every required signature is there and good."""
    return all(transaction.verify_with_results())


def inner_instructions(meta: TransactionMetadata) -> list[dict[str, Any]]:
    """The instructions that programs called, in the form of a transaction's `meta`."""
    return [
        {
            "index": index,
            "instructions": [
                {
                    "programIdIndex": inner.instruction().program_id_index,
                    "accounts": list(inner.instruction().accounts),
                    "data": _base58.encode(bytes(inner.instruction().data)),
                    "stackHeight": inner.stack_height(),
                }
                for inner in called
            ],
        }
        for index, called in enumerate(meta.inner_instructions())
        if called
    ]


def return_data(meta: TransactionMetadata) -> dict[str, Any] | None:
    """What the transaction returned, or None if nothing."""
    returned = meta.return_data()
    data = bytes(returned.data)
    if not data:
        return None
    text = base64.b64encode(data).decode()
    return {"programId": str(returned.program_id), "data": [text, "base64"]}


def _message_hash(transaction: VersionedTransaction) -> bytes:
    return hashlib.sha256(to_bytes_versioned(transaction.message)).digest()
