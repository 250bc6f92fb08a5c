"""JSON-RPC methods that run transactions: send, simulate, airdrop."""

from __future__ import annotations

import logging
from typing import Any

from solders.hash import Hash
from solders.message import Message, MessageV0
from solders.transaction import VersionedTransaction

from psyche_sdk.localnet._bank import (
    Bank,
    Outcome,
    decode_transaction,
    inner_instructions,
    return_data,
    signatures_are_good,
)
from psyche_sdk.localnet._encode import AccountForm
from psyche_sdk.localnet._messages import transaction_error_text
from psyche_sdk.localnet._params import Config, Params, encoded_transaction, pubkey
from psyche_sdk.localnet._rpc import with_context
from psyche_sdk.localnet._slots import BLOCKHASH_AGE_MAX
from psyche_sdk.localnet.errors import (
    PREFLIGHT_FAILURE,
    SIGNATURE_FAILURE,
    RpcError,
    invalid_params,
)

_LOG = logging.getLogger(__name__)


def send_transaction(bank: Bank, params: Params) -> str:
    """sendTransaction: executes at once; RpcError if the preflight fails.

    Without preflight a transaction that the chain does not take (expired blockhash, sent before,
    no money for the fee) is dropped in silence and its signature returned, as nodes do.
    """
    config = params.config(1)
    transaction = _read(params, config)
    refusal = _refusal(bank, transaction, verify=True)
    signature = str(transaction.signatures[0])
    if not config.boolean("skipPreflight"):
        if refusal is not None:
            raise _preflight_failure(_result(refusal, None))
        outcome = bank.simulate(transaction)
        if outcome.err is not None:
            raise _preflight_failure(_result(outcome.err, outcome))
    elif refusal == "SignatureFailure":
        # A node would drop this too, but nothing is gained by keeping a mistake secret.
        raise RpcError(SIGNATURE_FAILURE, "Transaction signature verification failure")
    elif refusal is not None:
        _LOG.debug("dropped %s: %s", signature, refusal)
        return signature
    bank.execute(transaction)
    return signature


def simulate_transaction(bank: Bank, params: Params) -> dict[str, Any]:
    """simulateTransaction: what executing would give, with accounts after it if asked."""
    config = params.config(1)
    verify, replace = config.boolean("sigVerify"), config.boolean("replaceRecentBlockhash")
    if verify and replace:
        raise invalid_params("sigVerify may not be used with replaceRecentBlockhash")
    transaction = _read(params, config)
    if replace:
        transaction = _with_blockhash(transaction, bank.slots.blockhash)
    refusal = None if replace else _refusal(bank, transaction, verify=verify)
    outcome = None if refusal is not None else bank.simulate(transaction)
    err = refusal if outcome is None else outcome.err
    result = _result(err, outcome)
    result["accounts"] = _accounts(bank, config, outcome)
    if config.boolean("innerInstructions") and outcome is not None:
        result["innerInstructions"] = inner_instructions(outcome.meta)
    if replace:
        height = bank.slots.slot + BLOCKHASH_AGE_MAX
        result["replacementBlockhash"] = {
            "blockhash": str(bank.slots.blockhash),
            "lastValidBlockHeight": height,
        }
    return with_context(bank.slots.slot, result)


def request_airdrop(bank: Bank, params: Params) -> str:
    """requestAirdrop: pays from the faucet and returns the signature."""
    params.config(2)
    return bank.airdrop(params.pubkey(0), params.integer(1, "lamports")).signature


def _read(params: Params, config: Config) -> VersionedTransaction:
    text = params.text(0, "transaction")
    return decode_transaction(encoded_transaction(text, config.text("encoding", "base58")))


def _refusal(bank: Bank, transaction: VersionedTransaction, *, verify: bool) -> str | None:
    if verify and not signatures_are_good(transaction):
        return "SignatureFailure"
    return bank.refusal(transaction)


def _result(err: Any, outcome: Outcome | None) -> dict[str, Any]:
    meta = None if outcome is None else outcome.meta
    return {
        "err": err,
        "logs": [] if meta is None else meta.logs(),
        "accounts": None,
        "fee": None if meta is None else meta.fee(),
        "loadedAccountsDataSize": None,
        "unitsConsumed": 0 if meta is None else meta.compute_units_consumed(),
        "returnData": None if meta is None else return_data(meta),
        "innerInstructions": None,
        "replacementBlockhash": None,
    }


def _preflight_failure(result: dict[str, Any]) -> RpcError:
    text = transaction_error_text(result["err"])
    return RpcError(PREFLIGHT_FAILURE, f"Transaction simulation failed: {text}", result)


def _accounts(bank: Bank, config: Config, outcome: Outcome | None) -> list[Any] | None:
    wanted = config.object("accounts")
    if wanted is None:
        return None
    inner = Config(wanted, bank.slots.slot)
    form = AccountForm.read(Config({"encoding": inner.text("encoding", "base64")}, 0))
    if form.encoding in ("binary", "base58"):
        raise invalid_params("base58 encoding not supported")
    texts = inner.list("addresses")
    if len(texts) > 64:  # noqa: PLR2004 - accounts that a transaction can lock
        raise invalid_params("Too many accounts provided; max 64")
    addresses = [pubkey(text) for text in texts]
    if outcome is None or outcome.err is not None:
        return [None] * len(addresses)
    found = [outcome.post_accounts.get(address) or bank.account(address) for address in addresses]
    return [None if account is None else form.encode(account) for account in found]


def _with_blockhash(transaction: VersionedTransaction, fresh: Hash) -> VersionedTransaction:
    message = transaction.message
    replaced: Message | MessageV0
    if isinstance(message, MessageV0):
        replaced = MessageV0(
            message.header,
            message.account_keys,
            fresh,
            message.instructions,
            message.address_table_lookups,
        )
    else:
        header = message.header
        replaced = Message.new_with_compiled_instructions(
            header.num_required_signatures,
            header.num_readonly_signed_accounts,
            header.num_readonly_unsigned_accounts,
            message.account_keys,
            fresh,
            message.instructions,
        )
    return VersionedTransaction.populate(replaced, transaction.signatures)
