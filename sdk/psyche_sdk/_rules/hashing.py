"""sha256 of fixed-width fields: the seeds of draws and the hash of what was applied."""

import hashlib
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import numpy.typing as npt

#: Bytes of every hash.
HASH_BYTES = 32


class Purpose(IntEnum):
    """What a draw is for; its byte keeps draws of the same round apart."""

    ROLES = 0
    WITNESSES = 1
    SECOND_WITNESSES = 2
    TICK_ORDER = 3
    VERIFIER_TARGETS = 4
    SAMPLES = 5
    CHALLENGES = 6
    BLOOM_KEYS = 7
    CHECKPOINT_PUBLISHERS = 8
    COMMITTEES = 9


def sha256(*parts: bytes) -> bytes:
    """Sha256 of the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def u32(value: int) -> bytes:
    """The four bytes of a number, little-endian."""
    return value.to_bytes(4, "little")


def u64(value: int) -> bytes:
    """The eight bytes of a number, little-endian."""
    return value.to_bytes(8, "little")


def draw_seed(instance: bytes, epoch: int, round_: int, purpose: Purpose, entropy: bytes) -> bytes:
    """The seed of a draw: sha256(instance | epoch | round | purpose | entropy)."""
    return sha256(instance, u32(epoch), u32(round_), bytes([purpose]), entropy)


def instance_of(address: bytes, creation_slot: int) -> bytes:
    """What tells a run from any other, before or after it at the same address."""
    return sha256(address, u64(creation_slot))


def first_chain_hash(instance: bytes) -> bytes:
    """The chain hash of a new run: sha256("psyche" | instance)."""
    return sha256(b"psyche", instance)


def reset_chain_hash(previous: bytes, digest: bytes) -> bytes:
    """The chain hash after the owner set a checkpoint: sha256("reset" | previous | digest)."""
    return sha256(b"reset", previous, digest)


def chain_hash(
    previous: bytes, epoch: int, round_: int, accepted: bytes, commitments: Sequence[bytes]
) -> bytes:
    """The chain hash after a round.

    ``accepted`` is the bit field over all slots, ``commitments`` are those of the accepted slots
    alone, ascending by slot.

    Raises:
        ValueError: the commitments are not as many as the set bits, or one is not 32 bytes long.
    """
    if len(commitments) != sum(byte.bit_count() for byte in accepted):
        raise ValueError("a chain hash needs one commitment for each accepted slot")
    if any(len(commitment) != HASH_BYTES for commitment in commitments):
        raise ValueError("a commitment has 32 bytes")
    return sha256(previous, u32(epoch), u32(round_), accepted, *commitments)


def bit(field: bytes, index: int) -> bool:
    """Whether bit ``index`` is set: bit i is bit i % 8 of byte i // 8; beyond the end it is not."""
    return index >> 3 < len(field) and field[index >> 3] >> (index & 7) & 1 == 1


def set_bits(field: bytes) -> npt.NDArray[np.intp]:
    """The indices of the set bits, ascending."""
    bits = np.unpackbits(np.frombuffer(field, np.uint8), bitorder="little")
    return np.flatnonzero(bits)


def bit_field(indices: Sequence[int], capacity: int) -> bytes:
    """The bit field of ``capacity`` bits (a multiple of 8) in which the given ones are set."""
    bits = np.zeros(capacity, np.uint8)
    bits[list(indices)] = 1
    return np.packbits(bits, bitorder="little").tobytes()
