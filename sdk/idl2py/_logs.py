"""Finds what a program logged with `sol_log_data` in the log lines of a transaction."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator

_INVOKE = re.compile(r"Program (\w+) invoke \[\d+\]")
_END = re.compile(r"Program (\w+) (?:success|failed)")
_DATA = "Program data: "


def program_data(lines: Iterable[str], program: str) -> Iterator[bytes]:
    """Yield the data that `program` itself logged, not what programs around it did.

    Lines that are no base64 are passed over: only other programs' loggers make such.
    """
    stack: list[str] = []
    for line in lines:
        if match := _INVOKE.match(line):
            stack.append(match[1])
        elif _END.match(line):
            if stack:
                stack.pop()
        elif line.startswith(_DATA) and stack and stack[-1] == program:
            # One call may log several pieces; an event is one.
            for piece in line[len(_DATA) :].split():
                try:
                    yield base64.b64decode(piece, validate=True)
                except binascii.Error:
                    continue
