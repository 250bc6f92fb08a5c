"""`psyche data serve`: the server of data, with the chain's word on who is a member."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from solders.pubkey import Pubkey
from solders.signature import Signature

from psyche_client.data.serving import DataServer
from psyche_sdk._rules.roster import decode_roster
from psyche_sdk.coordinator import Coordinator
from psyche_sdk.errors import PsycheError

PORT_MAX = 65_535
FRESH_SECONDS = 5.0
"""How old the list of members may be: the chain is not asked for every connection."""


class BindError(ValueError):
    """What shall be an address to listen on is none."""

    hint = "write HOST:PORT, with a port of at most 65535"


class Members:
    """Node keys of a run's members, as the chain told them last."""

    def __init__(
        self,
        read_roster: Callable[[], Awaitable[bytes]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`read_roster` gives the roster account's bytes; PsycheError if the chain is away."""
        self._read_roster, self._clock = read_roster, clock
        self._keys: frozenset[bytes] = frozenset()
        self._due = clock()
        self._reading = asyncio.Lock()

    async def knows(self, key: bytes) -> bool:
        """Whether a member has this node key; while the chain is away, the last list counts."""
        async with self._reading:
            if self._clock() >= self._due:
                try:
                    members = decode_roster(await self._read_roster()).members()
                    self._keys = frozenset(member.node_key for member in members)
                except PsycheError:
                    pass
                self._due = self._clock() + FRESH_SECONDS
        return key in self._keys


async def serve_members(
    folder: Path, coordinator: Coordinator, bind: str, say: Callable[[str], None]
) -> None:
    """Serves a folder to the run's members until Ctrl-C or SIGTERM.

    Raises:
        BindError: `bind` is no address to listen on.
        DataError: the folder holds no data, or (ListenError) nobody can listen there.
    """
    host, port = parse_bind(bind)

    async def roster() -> bytes:
        return (await coordinator.roster()).data

    server = DataServer(
        folder,
        run=bytes(coordinator.address),
        is_member=Members(roster).knows,
        verify=signed_by,
    )
    stop = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    listening = await server.start(host, port)
    async with listening:
        for socket in listening.sockets:
            name, number = socket.getsockname()[:2]
            say(f"serving {folder} to the run's members at {name}:{number}; Ctrl-C stops it")
        await stop.wait()
    say(f"served {server.served.sent_bytes} bytes in {server.served.answers} answers")


def signed_by(key: bytes, text: bytes, signature: bytes) -> bool:
    """Whether an ed25519 signature (64 bytes) is that of a key (32) over a text."""
    return Signature.from_bytes(signature).verify(Pubkey.from_bytes(key), text)


def parse_bind(bind: str) -> tuple[str, int]:
    """HOST:PORT in two; BindError if it is not that."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > PORT_MAX:
        raise BindError(f"`{bind}` is no address to listen on")
    return host.strip("[]"), int(port)
