"""Checkpoints: one method an instruction.

The builders are the functions of psyche_sdk.instructions, as in `_actions`.
"""

from __future__ import annotations

from psyche_sdk._generated import instructions as _ix
from psyche_sdk._generated import types as _t
from psyche_sdk._money_actions import MoneyActions
from psyche_sdk._send import Receipt


class CheckpointActions(MoneyActions):
    """Instructions about published checkpoints; see `Actions`."""

    # Owner

    async def set_checkpoint(self, args: _t.SetCheckpointArgs) -> Receipt:
        """Set the parameters from which a paused run goes on; a new chain hash begins."""
        return await self._send("set_checkpoint", [_ix.set_checkpoint(**self._owner(), args=args)])

    # Member

    async def publish_checkpoint(self, args: _t.PublishCheckpointArgs) -> Receipt:
        """Say where the agreed parameters lie."""
        built = _ix.publish_checkpoint(**self._member(), args=args)
        return await self._send("publish_checkpoint", [built])

    async def confirm_checkpoint(self, args: _t.ConfirmCheckpointArgs) -> Receipt:
        """Say that manifest and drawn piece came from there, and were right."""
        built = _ix.confirm_checkpoint(**self._member(), args=args)
        return await self._send("confirm_checkpoint", [built])
