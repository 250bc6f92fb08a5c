"""The embedded chain: Solana's JSON-RPC and subscriptions over LiteSVM, in one process.

`Localnet` runs in an event loop, `LocalnetProcess` in a process of its own, and
`python -m psyche_sdk.localnet` on the command line. Unmodified clients of Solana work on it.
A transaction is executed when it arrives, so processed, confirmed and finalized are one.
"""

from psyche_sdk.localnet._config import LocalnetConfig
from psyche_sdk.localnet._main import main, packaged_program, run, serve
from psyche_sdk.localnet._process import LocalnetProcess
from psyche_sdk.localnet._server import Localnet
from psyche_sdk.localnet.errors import (
    LocalnetError,
    NotManual,
    PortInUse,
    ProgramError,
    StateError,
)

__all__ = [
    "Localnet",
    "LocalnetConfig",
    "LocalnetError",
    "LocalnetProcess",
    "NotManual",
    "PortInUse",
    "ProgramError",
    "StateError",
    "main",
    "packaged_program",
    "run",
    "serve",
]
