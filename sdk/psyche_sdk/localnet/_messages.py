"""The English texts in which nodes report transaction errors; some clients match on them."""

from __future__ import annotations

import re
from typing import Any

_TRANSACTION_TEXTS = {
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidAccountForFee": "This account may not be used to pay transaction fees",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
    "SignatureFailure": "Transaction did not pass signature verification",
}
_INSTRUCTION_TEXTS = {
    "InvalidArgument": "invalid program argument",
    "InvalidInstructionData": "invalid instruction data",
    "InvalidAccountData": "invalid account data for instruction",
    "AccountDataTooSmall": "account data too small for instruction",
    "InsufficientFunds": "insufficient funds for instruction",
    "IncorrectProgramId": "incorrect program id for instruction",
    "MissingRequiredSignature": "missing required signature for instruction",
    "AccountAlreadyInitialized": "instruction requires an uninitialized account",
    "UninitializedAccount": "instruction requires an initialized account",
    "ComputationalBudgetExceeded": "Computational budget exceeded",
    "ProgramFailedToComplete": "Program failed to complete",
}


def transaction_error_text(err: Any) -> str:
    """Returns the text of an error in its JSON form, e.g. {"InstructionError": [0, ...]}."""
    if isinstance(err, str):
        return _TRANSACTION_TEXTS.get(err, _words(err))
    name, detail = next(iter(err.items()))
    if name == "InstructionError":
        index, inner = detail
        return f"Error processing Instruction {index}: {_instruction_error_text(inner)}"
    if name == "InsufficientFundsForRent":
        index = detail["account_index"]
        return f"Transaction results in an account ({index}) with insufficient funds for rent"
    return f"{_words(name)}: {detail}"


def _instruction_error_text(err: Any) -> str:
    if isinstance(err, str):
        return _INSTRUCTION_TEXTS.get(err, _words(err))
    name, detail = next(iter(err.items()))
    if name == "Custom":
        return f"custom program error: {detail:#x}"
    return f"{_words(name)}: {detail}"


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()
