"""From what a node says about a failed transaction to an exception."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import Instruction

from psyche_sdk import program_errors
from psyche_sdk._error_base import TransactionError
from psyche_sdk._generated._program import PROGRAM_ID
from psyche_sdk._generated.instructions import NAMES
from psyche_sdk.errors import AnchorError, InsufficientFunds, TransactionFailed

_DISCRIMINATOR_BYTES = 8
#: The system program's code for a transfer of more than there is.
_SYSTEM_NO_FUNDS = 1
_ANCHOR_CODES = range(100, 6000)

#: Anchor's errors that the accounts of an instruction can cause; others keep their number.
_ANCHOR_NAMES = {
    100: "InstructionMissing",
    101: "InstructionFallbackNotFound",
    102: "InstructionDidNotDeserialize",
    2000: "ConstraintMut",
    2001: "ConstraintHasOne",
    2002: "ConstraintSigner",
    2003: "ConstraintRaw",
    2004: "ConstraintOwner",
    2006: "ConstraintSeeds",
    2012: "ConstraintAddress",
    2014: "ConstraintTokenMint",
    3000: "AccountDiscriminatorAlreadySet",
    3001: "AccountDiscriminatorNotFound",
    3002: "AccountDiscriminatorMismatch",
    3003: "AccountDidNotDeserialize",
    3004: "AccountDidNotSerialize",
    3005: "AccountNotEnoughKeys",
    3006: "AccountNotMutable",
    3007: "AccountOwnedByWrongProgram",
    3008: "InvalidProgramId",
    3009: "InvalidProgramExecutable",
    3010: "AccountNotSigner",
    3011: "AccountNotSystemOwned",
    3012: "AccountNotInitialized",
    4100: "DeclaredProgramIdMismatch",
}

_NO_FEE = ("InsufficientFundsForFee", "AccountNotFound")
_NO_PROGRAM = ("InvalidProgramForExecution", "ProgramAccountNotFound")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a node said: the error as JSON, and the logs if it gave them."""

    error: object
    logs: tuple[str, ...] = ()


def instruction_name(instruction: Instruction) -> str:
    """Return the name of one of the program's instructions, "" for another program's."""
    if instruction.program_id != PROGRAM_ID:
        return ""
    return NAMES.get(bytes(instruction.data)[:_DISCRIMINATOR_BYTES], "")


def transaction_error(
    refusal: Refusal, instructions: Sequence[Instruction], payer: str
) -> TransactionError:
    """Return the exception for a refused transaction of these instructions."""
    error = _classify(refusal, instructions, payer)
    error.logs = refusal.logs
    return error


def _classify(
    refusal: Refusal, instructions: Sequence[Instruction], payer: str
) -> TransactionError:
    match refusal.error:
        case {"InstructionError": [int(index), {"Custom": int(code)}]}:
            if 0 <= index < len(instructions):
                return _custom(code, instructions[index], f"instruction {index}", refusal, payer)
        case {"InstructionError": [int(index), str(reason)]}:
            if 0 <= index < len(instructions):
                return _broken(reason, instructions[index], f"instruction {index}", refusal)
        case {"InsufficientFundsForRent": _}:
            return InsufficientFunds(payer, "an account would be left with less than its rent")
        case str(name) if name in _NO_FEE:
            return InsufficientFunds(payer, "it cannot pay the fee")
        case str(name) if name in _NO_PROGRAM:
            missing = TransactionFailed(f"program {PROGRAM_ID} is not on this cluster", name)
            missing.hint = "check the URL, or deploy the program first"
            return missing
        case _:
            pass
    return TransactionFailed(f"the transaction failed: {refusal.error}", refusal.error)


def _broken(
    reason: str, instruction: Instruction, place: str, refusal: Refusal
) -> TransactionFailed:
    """The runtime stopped the program, or the program gave one of the runtime's own errors."""
    where = instruction_name(instruction) or place
    last = refusal.logs[-1] if refusal.logs else ""
    error = TransactionFailed(f"{where}: {reason}{': ' if last else ''}{last}", refusal.error)
    if reason == "ComputationalBudgetExceeded" or "exceeded CUs" in last:
        error.hint = "it needs more compute units: pass `units`, or `transition=True` if one is due"
    return error


def _custom(
    code: int, instruction: Instruction, place: str, refusal: Refusal, payer: str
) -> TransactionError:
    where = instruction_name(instruction) or place
    if code == _SYSTEM_NO_FUNDS:
        # Only the system program has so low a code here, called directly or for an account's rent.
        return InsufficientFunds(payer, f"{where} moves more lamports than there are")
    if instruction.program_id == PROGRAM_ID:
        if code in program_errors.BY_CODE:
            return program_errors.BY_CODE[code](where)
        if code in _ANCHOR_CODES:
            return AnchorError(code, _ANCHOR_NAMES.get(code, "AnchorError"), where)
    return TransactionFailed(f"{where} failed with code {code}", refusal.error)
