"""First looks at account bytes that nobody vouches for: owner, kind, version, length."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from psyche_sdk._generated import accounts as _heads
from psyche_sdk._generated import layouts
from psyche_sdk._generated._program import PROGRAM_ID
from psyche_sdk._rules.account_errors import AccountInvalid
from psyche_sdk.errors import WrongDiscriminator, WrongLength, WrongOwner, WrongVersion

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

#: Layout versions that this release reads.
VERSIONS: Final = (2,)
#: Bytes of the discriminator.
HEAD_BYTES: Final = 8
#: Slots that a run can have: a multiple of the first up to the second.
CAPACITIES: Final = (8, 1024)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of account: its name, what it begins with, the dtype of its fixed part."""

    name: str
    discriminator: bytes
    dtype: np.dtype[np.void]


RUN: Final = Kind("Run", _heads.RUN_DISCRIMINATOR, layouts.RUN)
ROSTER: Final = Kind("Roster", _heads.ROSTER_DISCRIMINATOR, layouts.ROSTER_HEADER)
ROUNDS: Final = Kind("Rounds", _heads.ROUNDS_DISCRIMINATOR, layouts.ROUNDS)
PARTICIPANT: Final = Kind("Participant", _heads.PARTICIPANT_DISCRIMINATOR, layouts.PARTICIPANT)
PASS: Final = Kind("Pass", _heads.PASS_DISCRIMINATOR, layouts.PASS)


@dataclass(frozen=True, slots=True)
class Source:
    """Whose bytes are read, for messages; without an owner (a file) it is not checked."""

    address: object = "?"
    owner: Pubkey | None = None

    def invalid(self, reason: str) -> AccountInvalid:
        """The error for impossible contents."""
        return AccountInvalid(self.address, reason)


def fixed_part(data: bytes, kind: Kind, source: Source) -> np.void:
    """The account's fixed part, after owner, discriminator, version and length are checked.

    Raises:
        AccountError: the first of them that is wrong, by name.
    """
    if source.owner is not None and source.owner != PROGRAM_ID:
        raise WrongOwner(source.address, found=source.owner, wanted=PROGRAM_ID)
    if data[:HEAD_BYTES] != kind.discriminator:
        raise WrongDiscriminator(source.address, found=data[:HEAD_BYTES], wanted=kind.name)
    if len(data) > HEAD_BYTES and data[HEAD_BYTES] not in VERSIONS:
        raise WrongVersion(source.address, found=data[HEAD_BYTES], supported=VERSIONS)
    wanted = HEAD_BYTES + kind.dtype.itemsize
    if len(data) < wanted:
        raise WrongLength(source.address, found=len(data), wanted=wanted)
    record: np.void = np.frombuffer(data, kind.dtype, 1, HEAD_BYTES)[0]
    return record


def checked_capacity(capacity: int, source: Source) -> int:
    """The capacity, if a run can have it.

    Raises:
        AccountInvalid: it cannot.
    """
    smallest, largest = CAPACITIES
    if not smallest <= capacity <= largest or capacity % smallest:
        raise source.invalid(f"{capacity} slots")
    return capacity


def exact_length(data: bytes, wanted: int, source: Source) -> None:
    """Checks the length of an account whose capacity is known.

    Raises:
        WrongLength: it is another.
    """
    if len(data) != wanted:
        raise WrongLength(source.address, found=len(data), wanted=wanted)


def raw(value: npt.NDArray[np.uint8]) -> bytes:
    """The bytes of an array field."""
    return value.tobytes()


def text(field: npt.NDArray[np.uint8], length: int, source: Source) -> str:
    """The text in the first bytes of a field; what is no UTF-8 is replaced.

    Raises:
        AccountInvalid: it would be longer than the field.
    """
    if length > len(field):
        raise source.invalid(f"a text of {length} bytes")
    return field[:length].tobytes().decode("utf-8", errors="replace")


def numbers(record: np.void, names: Iterable[str]) -> dict[str, Any]:
    """Fields of a record as plain numbers, by name."""
    return {name: int(record[name]) for name in names}


def hashes(record: np.void, names: Iterable[str]) -> dict[str, Any]:
    """Fields of a record as bytes, by name."""
    return {name: raw(record[name]) for name in names}
