"""How a command fails: one line, a hint, an exit code."""

from __future__ import annotations

import errno
import sys
from enum import IntEnum


class Code(IntEnum):
    """Exit codes; docs/cli.md lists them for scripts."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    CHAIN = 3
    REFUSED = 4
    FUNDS = 5
    DATA = 6
    NETWORK = 7
    DESYNC = 8
    INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot do what was asked; shown as one line and a hint."""

    def __init__(self, message: str, *, hint: str = "", code: Code = Code.USAGE) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


CODES: dict[str, Code] = {
    "psyche_client._sections.ConfigError": Code.USAGE,
    "psyche_client.admission.AdmissionError": Code.REFUSED,
    "psyche_client.chain.TakenOverError": Code.USAGE,
    "psyche_client.data.errors.DataError": Code.DATA,
    "psyche_client.data.errors.ListenError": Code.NETWORK,
    "psyche_client.demo.director.ChainGoneError": Code.CHAIN,
    "psyche_client.demo.director.DemoError": Code.INTERNAL,
    "psyche_client.demo.director.DesyncError": Code.DESYNC,
    "psyche_client.model.errors.ModelError": Code.DATA,
    "psyche_client.network._types.NetworkError": Code.NETWORK,
    "psyche_client.optim.errors.ExactnessError": Code.DESYNC,
    "psyche_client.optim.errors.LayoutError": Code.USAGE,
    "psyche_client.optim.errors.RuleError": Code.USAGE,
    "psyche_client.serving.BindError": Code.USAGE,
    "psyche_client.store.StoreError": Code.DATA,
    "psyche_sdk._error_base.TransactionError": Code.REFUSED,
    "psyche_sdk.errors.AccountError": Code.CHAIN,
    "psyche_sdk.errors.AnchorError": Code.REFUSED,
    "psyche_sdk.errors.ConfigError": Code.USAGE,
    "psyche_sdk.errors.InsufficientFunds": Code.FUNDS,
    "psyche_sdk.errors.OutcomeUnknown": Code.CHAIN,
    "psyche_sdk.errors.RpcError": Code.CHAIN,
    "psyche_sdk.localnet.errors.LocalnetError": Code.DATA,
    "psyche_sdk.localnet.errors.PortInUse": Code.NETWORK,
}
"""Exit codes of the errors of other packages, by full class name: no import for a table."""

HINTS: dict[Code, str] = {
    Code.INTERNAL: "this is a fault of the program; run it again with --debug to see where",
    Code.USAGE: "docs/cli.md lists commands and options, docs/owner.md the keys of a run's file",
    Code.CHAIN: "check --url, and that the run is on that chain",
    Code.REFUSED: "look at the run with `psyche run show`",
    Code.FUNDS: "`psyche wallet show` says what is there; a test chain gives more by an airdrop",
    Code.DATA: "look whether it is there and whole, whether you may write it, and for free space",
    Code.NETWORK: "`psyche doctor` says what works here; another program may have the port",
    Code.DESYNC: "do not go on with these parameters",
}
"""What helps where an error has no better hint of its own."""


def code_of(error: BaseException) -> Code:
    """The exit code of any error: its own, that of its class or a base class, or INTERNAL."""
    if isinstance(error, CommandError):
        return error.code
    if isinstance(error, KeyboardInterrupt):
        return Code.INTERRUPTED
    for kind in type(error).__mro__:
        found = CODES.get(f"{kind.__module__}.{kind.__qualname__}")
        if found is not None:
            return found
    if isinstance(error, OSError):
        return Code.NETWORK if error.errno == errno.EADDRINUSE else Code.DATA
    return Code.INTERNAL


def show(error: BaseException) -> Code:
    """Writes an error to stderr, as one line and a hint, and returns its exit code."""
    code = code_of(error)
    if code is Code.INTERRUPTED:
        sys.stderr.write("interrupted\n")
        return code
    message, hint = _one_line(error), getattr(error, "hint", "")
    if code is Code.INTERNAL and not hint:
        message = f"{type(error).__name__}: {message}"
    sys.stderr.write(f"error: {message}\n\nhint: {hint or HINTS[code]}\n")
    return code


def _one_line(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(text.split()) or type(error).__name__
