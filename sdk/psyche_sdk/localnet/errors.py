"""What the embedded chain raises, and the errors it answers requests with.

LocalnetError
    PortInUse       another program listens on the port (also an OSError)
    StateError      a saved state cannot be read or written
    ProgramError    a program file is missing or is no program
    NotManual       `advance` was called on a chain whose slots follow the clock
RpcError            an answer to a client, with the codes of Solana's JSON-RPC
"""

from __future__ import annotations

import errno
from typing import Any

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
PREFLIGHT_FAILURE = -32002
SIGNATURE_FAILURE = -32003
BLOCK_NOT_AVAILABLE = -32004
UNSUPPORTED_VERSION = -32015
MIN_CONTEXT_SLOT = -32016


class LocalnetError(Exception):
    """Anything the embedded chain raises to the program that runs it."""


class PortInUse(LocalnetError, OSError):  # noqa: N818 - says what is the matter
    """Another program listens on `port`; choose another, or 0 for any free one."""

    def __init__(self, port: int) -> None:
        self.port = port
        hint = "stop the program that has it, or choose another with --port (0 takes any)"
        OSError.__init__(self, errno.EADDRINUSE, f"port {port} is in use: {hint}")


class StateError(LocalnetError):
    """A saved state cannot be read or written; the message names the file and why."""

    hint = "name another file to begin a new chain there, or one that this version saved"


class ProgramError(LocalnetError):
    """A program file is missing or the chain does not accept it as a program."""

    hint = "name an ELF file of a program for Solana's virtual machine"


class NotManual(LocalnetError):  # noqa: N818 - says what is the matter
    """`advance` moves only a chain started with `slot_ms=0`."""

    def __init__(self) -> None:
        super().__init__("slots of this chain follow the clock; start it with slot_ms=0")


class RpcError(Exception):
    """An error answer: `code` and `message` as Solana's nodes give them, `data` or None."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def to_object(self) -> dict[str, Any]:
        """Returns the JSON-RPC error object."""
        answer: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            answer["data"] = self.data
        return answer


def invalid_params(message: str) -> RpcError:
    """Returns the error for parameters of a wrong shape or value."""
    return RpcError(INVALID_PARAMS, f"Invalid params: {message}")
