"""The base of a program's errors, where the caller names no other."""

from __future__ import annotations

from typing import ClassVar


class ProgramError(Exception):
    """The program refused an instruction. Each error of the program is a subclass."""

    code: ClassVar[int]
    name: ClassVar[str]
    message: ClassVar[str]
