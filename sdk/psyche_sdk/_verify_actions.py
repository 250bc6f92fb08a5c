"""What verifiers say of payloads: one method an instruction.

The builders are the functions of psyche_sdk.instructions, as in `_actions`.
"""

from __future__ import annotations

from psyche_sdk._actions import Actions
from psyche_sdk._generated import instructions as _ix
from psyche_sdk._generated import types as _t
from psyche_sdk._send import Receipt


class VerifyActions(Actions):
    """Instructions of auditors and of committees; see `Actions`."""

    async def verdict(self, args: _t.VerdictArgs) -> Receipt:
        """Say what the audited payload is worth; that it fails calls a committee together."""
        return await self._send("verdict", [_ix.verdict(**self._member(), args=args)])

    async def seal_verdict(self, args: _t.SealVerdictArgs) -> Receipt:
        """Seal a committee member's verdict, see `views.sealed_verdict`."""
        return await self._send("seal_verdict", [_ix.seal_verdict(**self._member(), args=args)])

    async def open_verdict(self, args: _t.OpenVerdictArgs) -> Receipt:
        """Open the sealed verdict."""
        return await self._send("open_verdict", [_ix.open_verdict(**self._member(), args=args)])
