"""The fee of a message: so much a signature, and the priority fee that it offers."""

from __future__ import annotations

from solders.compute_budget import ID as COMPUTE_BUDGET
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey

LAMPORTS_PER_SIGNATURE = 5_000
UNITS_MAX = 1_400_000
_UNITS_PER_INSTRUCTION = 200_000
_UNITS_PER_BUILTIN = 3_000
_SET_LIMIT, _SET_PRICE = 2, 3  # tags of the compute budget program's instructions
_BUILTINS = frozenset(
    Pubkey.from_string(address)
    for address in (
        "11111111111111111111111111111111",
        "ComputeBudget111111111111111111111111111111",
        "Vote111111111111111111111111111111111111111",
        "BPFLoader2111111111111111111111111111111111",
        "BPFLoaderUpgradeab1e11111111111111111111111",
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
    )
)


def fee_lamports(message: Message | MessageV0) -> int:
    """Returns the fee that executing the message would cost its payer, in lamports."""
    keys = message.account_keys
    units = 0
    limit: int | None = None
    micro_lamports = 0
    for instruction in message.instructions:
        program = keys[instruction.program_id_index]
        units += _UNITS_PER_BUILTIN if program in _BUILTINS else _UNITS_PER_INSTRUCTION
        data = bytes(instruction.data)
        if program == COMPUTE_BUDGET and data[:1] == bytes([_SET_LIMIT]):
            limit = int.from_bytes(data[1:5], "little")
        elif program == COMPUTE_BUDGET and data[:1] == bytes([_SET_PRICE]):
            micro_lamports = int.from_bytes(data[1:9], "little")
    units = min(units if limit is None else limit, UNITS_MAX)
    priority = -(-units * micro_lamports // 1_000_000)
    return message.header.num_required_signatures * LAMPORTS_PER_SIGNATURE + priority
