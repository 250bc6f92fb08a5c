"""Asks what landed transactions cost, beside the caller's work."""

from __future__ import annotations

import asyncio
from typing import Any

from psyche_sdk._generated import types as _t
from psyche_sdk._generated._borsh import DecodeError
from psyche_sdk._generated.events import events_in
from psyche_sdk._transport import Transport
from psyche_sdk._usage import Usage
from psyche_sdk.errors import RpcError

#: Waits before a node is asked again for a transaction that it does not know yet, in seconds.
_WAITS = (0.0, 0.3, 1.0, 3.0, 10.0)
_UNDER_WAY_MAX = 64


class Meter:
    """Fills `Usage.units` from getTransaction; what no node tells stays uncounted.

    Args:
        transport: to the cluster.
        usage: where units are counted.
        commitment: at which transactions are asked for; "processed" is not served by nodes.
    """

    def __init__(self, transport: Transport, usage: Usage, *, commitment: str) -> None:
        self._transport = transport
        self._usage = usage
        self._commitment = "finalized" if commitment == "finalized" else "confirmed"
        self._tasks: set[asyncio.Task[None]] = set()

    def landed(self, name: str, signature: str) -> None:
        """Begin to measure a transaction."""
        if len(self._tasks) >= _UNDER_WAY_MAX:
            return
        task = asyncio.get_running_loop().create_task(self._measure(name, signature))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, *, timeout_seconds: float = 5.0) -> None:
        """Wait for the measurements under way; what is not in by then stays uncounted."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=timeout_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _measure(self, name: str, signature: str) -> None:
        config = {
            "encoding": "json",
            "commitment": self._commitment,
            "maxSupportedTransactionVersion": 0,
        }
        for wait in _WAITS:
            await asyncio.sleep(wait)
            try:
                answer = await self._transport.call("getTransaction", [signature, config])
            except RpcError:
                continue
            match answer:
                case {"meta": {"err": None, "computeUnitsConsumed": int(units)} as meta}:
                    return self._usage.measured(measured_name(name, meta), units)
                case {"meta": dict()}:
                    return None  # it failed: its units say nothing about the instruction
                case _:
                    continue
        return None


def measured_name(name: str, meta: dict[str, Any]) -> str:
    """Return the name, with `_and_tick` behind it if the instruction made a transition."""
    if name == "tick":
        return name
    logs = meta.get("logMessages")
    lines = [str(line) for line in logs] if isinstance(logs, list) else []
    try:
        moved = any(isinstance(event, _t.PhaseChanged) for event in events_in(lines))
    except DecodeError:
        return name
    return f"{name}_and_tick" if moved else name
