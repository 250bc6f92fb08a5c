"""What verifiers, and who misses them, say of payloads: one method an instruction.

The builders are the functions of psyche_sdk.instructions, as in `_actions`.
"""

from __future__ import annotations

from psyche_sdk._actions import Actions
from psyche_sdk._generated import instructions as _ix
from psyche_sdk._generated import types as _t
from psyche_sdk._send import Receipt


class VerifyActions(Actions):
    """Instructions of auditors, of committees, and of who misses a payload; see `Actions`."""

    async def missing(self, args: _t.MissingArgs) -> Receipt:
        """Say that an accepted payload is nowhere to be had."""
        return await self._send("missing", [_ix.missing(**self._member(), args=args)])

    async def verdict(self, args: _t.VerdictArgs) -> Receipt:
        """Say what the audited payload is worth; that it fails calls a committee together."""
        return await self._send("verdict", [_ix.verdict(**self._member(), args=args)])

    async def seal_verdict(self, args: _t.SealVerdictArgs) -> Receipt:
        """Seal a committee member's verdict, see `views.sealed_verdict`."""
        return await self._send("seal_verdict", [_ix.seal_verdict(**self._member(), args=args)])

    async def open_verdict(self, args: _t.OpenVerdictArgs) -> Receipt:
        """Open the sealed verdict."""
        return await self._send("open_verdict", [_ix.open_verdict(**self._member(), args=args)])
