"""The chain side of Psyche in Python: read, watch and act on runs.

Names are loaded when they are first used, so that importing the package costs nothing. The rooms
beside them: `errors`, `program_errors`, `instructions` (pure builders), `pda` (addresses), `views`
(the rules as pure functions), `localnet` (the embedded chain).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psyche_sdk._accounts import AccountData
    from psyche_sdk._send import Receipt
    from psyche_sdk._signing import SendOptions
    from psyche_sdk._transport import HttpTransport, Transport, cluster_url
    from psyche_sdk._usage import Units, Usage
    from psyche_sdk.coordinator import Coordinator, Snapshot
    from psyche_sdk.errors import OutcomeUnknown, ProgramError, PsycheError, RpcError

__all__ = [
    "AccountData",
    "Coordinator",
    "HttpTransport",
    "OutcomeUnknown",
    "ProgramError",
    "PsycheError",
    "Receipt",
    "RpcError",
    "SendOptions",
    "Snapshot",
    "Transport",
    "Units",
    "Usage",
    "cluster_url",
]

_HOMES = {
    "AccountData": "_accounts",
    "Coordinator": "coordinator",
    "HttpTransport": "_transport",
    "OutcomeUnknown": "errors",
    "ProgramError": "errors",
    "PsycheError": "errors",
    "Receipt": "_send",
    "RpcError": "errors",
    "SendOptions": "_signing",
    "Snapshot": "coordinator",
    "Transport": "_transport",
    "Units": "_usage",
    "Usage": "_usage",
    "cluster_url": "_transport",
}


def __getattr__(name: str) -> object:
    """Load a public name from the module that holds it."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
