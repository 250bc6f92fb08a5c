"""The root of the exceptions, and the base of those that are generated from the program.

Apart from errors.py, because the generated classes stand between the two.
"""

from __future__ import annotations

from typing import ClassVar

_NO_HINT = "docs/INSTRUCTIONS.md says when it is given; read the run again before retrying"

#: What to do about the program's errors, where its message leaves that open.
_HINTS: dict[str, str] = {
    "Unauthorized": "sign with the key that the run names as its authority",
    "WrongAccount": "read the run again: it names its roster and its rounds",
    "WrongVersion": "the account's layout is of another version: use a matching release",
    "RunIncomplete": "send `allocate` until roster and rounds have their full size",
    "AlreadyComplete": "nothing is left to allocate",
    "WrongPhase": "read the run: `psyche run show` says in which phase it is",
    "WrongRound": "read the run again: it is in another epoch or round",
    "TooEarly": "nothing is due yet; wait for the phase's deadline",
    "NotYourSlot": "read the roster again to find the slot that your wallet holds",
    "NotAMember": "join the run first",
    "AlreadyAMember": "the wallet is in the run: go on with `ready`",
    "SlotTaken": "read the roster again and choose another slot",
    "MembersRemain": "they leave, or are dropped once silent for `ready_seconds`: try again then",
    "PointsRemain": "run `psyche rewards collect` first",
    "BondsRemain": "run `psyche rewards collect` first",
    "SlotRemains": "after leaving run `psyche rewards collect`, then try again",
    "JoinAuthorityRequired": "ask the owner of the run to let your wallet in",
}


class PsycheError(Exception):
    """Anything that this package raises. `hint` says what to do about it."""

    hint: str = ""


class TransactionError(PsycheError):
    """The cluster refused a transaction.

    Attributes:
        signature: the transaction's, or None if it was refused before it was sent.
        landed: whether it stands in a block as failed; its fee is paid then.
        logs: what the programs logged, if the node told.
    """

    signature: str | None = None
    landed: bool = False
    logs: tuple[str, ...] = ()


class ProgramError(TransactionError):
    """The coordinator program refused an instruction; each of its errors is a subclass.

    Attributes:
        code: number of the error in the program.
        name: its name in the program.
        message: what the program expected.
        instruction: name of the instruction that failed, or its place in the transaction.
    """

    code: ClassVar[int] = -1
    name: ClassVar[str] = ""
    message: ClassVar[str] = ""

    def __init__(self, instruction: str = "") -> None:
        self.instruction = instruction
        super().__init__(f"{instruction}: {self.message}" if instruction else self.message)

    @property
    def hint(self) -> str:  # type: ignore[override]  # computed here, plain in its siblings
        """What to do about it."""
        return _HINTS.get(self.name, _NO_HINT)
