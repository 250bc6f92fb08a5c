"""Connections to all members: dialling, accepting, replacing, banning, announcing."""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Coroutine, Iterable, Mapping
from itertools import islice
from typing import Any

from iroh import iroh_ffi as iroh

from psyche_client.network import wire
from psyche_client.network._counters import Counters
from psyche_client.network._limits import Allowance
from psyche_client.network._link import Close, HandshakeError, Link
from psyche_client.network._pulse import Pulse
from psyche_client.network._types import (
    AddressError,
    EndpointError,
    Event,
    EventKind,
    Member,
    OnEvent,
    Settings,
)
from psyche_client.network.address import parse_address
from psyche_client.network.endpoint import Endpoint, reason_of
from psyche_client.network.scores import Offence, Scoreboard

log = logging.getLogger(__name__)

_MAX_HANDSHAKES = 64
_MAX_HELD = 4096
_FIRST_REDIAL_SECONDS = 0.2
#: Of two members that see each other at once, the larger key waits so long for the other.
_YIELD_SECONDS = 0.5


class Mesh:
    """Keeps one connection to each member and none to anyone else."""

    def __init__(
        self, endpoint: Endpoint, instance: bytes, on_event: OnEvent | None, settings: Settings
    ) -> None:
        self.settings = settings
        self.counters = Counters()
        self.board = Scoreboard(settings.ban_seconds)
        self.links: dict[bytes, Link] = {}
        self.members: dict[bytes, Member] = {}
        self.pulse = Pulse()
        self.epoch = 0
        self._endpoint = endpoint
        self._instance = instance
        self._on_event = on_event
        self._session = secrets.randbits(64)
        self._held: dict[bytes, None] = {}
        self._nudges: dict[bytes, asyncio.Event] = {}
        self._dialers: dict[bytes, asyncio.Task[None]] = {}
        self._greeting: set[bytes] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stranger_events = Allowance(1.0, 10.0)
        self._pending = 0

    def start(self) -> None:
        """Begin to accept connections."""
        self._spawn(self._accept())

    async def close(self) -> None:
        """Close all connections and end all tasks."""
        for link in self.links.values():
            link.close(Close.BYE)
        tasks = [*self._tasks, *self._dialers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def set_members(self, members: Mapping[bytes, Member]) -> None:
        """Take a new roster: dial who is new, close who is gone, redial changed addresses."""
        old, own = self.members, self._endpoint.node_key
        self.members = {key: member for key, member in members.items() if key != own}
        for node in old.keys() - self.members.keys():
            self._dialers.pop(node).cancel()
            self._nudges.pop(node)
            if link := self.links.get(node):
                link.close(Close.STRANGER)
        for node, member in self.members.items():
            if node not in old:
                self._nudges[node] = asyncio.Event()
                self._dialers[node] = asyncio.create_task(self._keep_connected(node))
                self._dialers[node].add_done_callback(_report)
            elif old[node].address_text != member.address_text:
                self._nudges[node].set()
        self.board.keep(set(self.members), self.now())
        self.pulse.fire()

    def announce(self, commitments: Iterable[bytes]) -> None:
        """Tell all peers, present and future, that these are held here now."""
        fresh = [c for c in commitments if c not in self._held]
        self._held.update(dict.fromkeys(fresh))
        for old in list(islice(self._held, max(len(self._held) - _MAX_HELD, 0))):
            del self._held[old]
        for link in self.links.values():
            link.announce(fresh)

    def withdraw(self, commitments: Iterable[bytes]) -> None:
        """No longer tell new peers that these are held."""
        for commitment in commitments:
            self._held.pop(commitment, None)

    def now(self) -> float:
        """The event loop's time, seconds."""
        return asyncio.get_running_loop().time()

    def hello(self) -> wire.Hello:
        """This client's hello, with the newest of what it holds."""
        newest = tuple(self._held)[-wire.MAX_COMMITMENTS :]
        return wire.Hello(self._instance, self._session, self.epoch, newest)

    def heartbeat(self) -> tuple[float, float]:
        """Seconds between heartbeats, and of silence until a peer is taken for dead."""
        factor = max(1.0, len(self.links) / self.settings.brisk_peers)
        return factor * self.settings.heartbeat_seconds, factor * self.settings.dead_seconds

    def heard_announce(self, link: Link, commitments: tuple[bytes, ...]) -> None:
        """Pass an announcement on to whoever waits for it."""
        self.emit(EventKind.ANNOUNCED, link.node, commitments=commitments)
        self.pulse.fire(commitments)

    def offended(self, node: bytes, offence: Offence) -> None:
        """Mark a peer; one that is banned by it loses its connection."""
        if not self.board.offend(node, offence, self.now()):
            return
        log.warning("peer %s %s: banned for a while", node.hex()[:8], offence.text)
        if link := self.links.get(node):
            link.close(Close.BANNED)
        self.emit(EventKind.BANNED, node, offence.text)

    async def serve(self, link: Link, stream: iroh.BiStream) -> None:
        """Answer a request; the exchange puts its server here."""
        raise NotImplementedError

    def emit(
        self, kind: EventKind, node: bytes, detail: str = "", commitments: tuple[bytes, ...] = ()
    ) -> None:
        """Call the client back; its mistakes must not harm the network's tasks."""
        if self._on_event is None:
            return
        member = self.members.get(node)
        try:
            slot = member.slot if member else -1
            self._on_event(Event(kind, node, slot, detail, commitments))
        except Exception:
            log.exception("the event callback failed")

    async def _accept(self) -> None:
        while True:
            try:
                incoming = await self._endpoint.accept()
                if incoming is None:
                    return
                if self._pending >= _MAX_HANDSHAKES:
                    await incoming.refuse()
                elif self._pending >= _MAX_HANDSHAKES // 4 and not (
                    await incoming.remote_addr_validated()
                ):
                    # Let it prove that its address is its own before we spend more on it.
                    await incoming.retry()
                else:
                    self._pending += 1
                    self._spawn(self._greet(incoming))
            except iroh.IrohError as error:
                log.debug("cannot accept: %s", reason_of(error))
                await asyncio.sleep(_FIRST_REDIAL_SECONDS)

    async def _greet(self, incoming: iroh.Incoming) -> None:
        try:
            async with asyncio.timeout(self.settings.dial_seconds):
                connection = await (await incoming.accept()).connect()
                node = connection.remote_id().to_bytes()
                if (refusal := self._refusal(node)) is not None:
                    connection.close(int(refusal), refusal.name.lower().encode())
                    return
                await self._shake_hands(connection, node, dialled=False)
        except (iroh.IrohError, HandshakeError, TimeoutError) as error:
            log.debug("a connection attempt failed: %s", type(error).__name__)
        finally:
            self._pending -= 1

    def _refusal(self, node: bytes) -> Close | None:
        # The peer's key is known only now, after the handshake; no stream is accepted yet.
        if node not in self.members:
            if self._stranger_events.take(self.now()):
                self.emit(EventKind.STRANGER, node, "not a member")
            return Close.STRANGER
        if self.board.banned_until(node, self.now()) is not None:
            return Close.BANNED
        return Close.REPLACED if node in self._greeting else None

    async def _shake_hands(
        self, connection: iroh.Connection, node: bytes, *, dialled: bool
    ) -> None:
        link = Link(connection, node, self, dialled=dialled)
        if not dialled:
            self._greeting.add(node)
        try:
            await link.shake_hands()
        except BaseException:
            link.close(Close.BYE)
            raise
        finally:
            if not dialled:
                self._greeting.discard(node)
        self._adopt(link)

    def _adopt(self, link: Link) -> None:
        node = link.node
        banned = self.board.banned_until(node, self.now()) is not None
        if node not in self.members or banned:
            link.close(Close.BANNED if banned else Close.STRANGER)
            return
        old = self.links.get(node)
        if old and old.session == link.session and old.dialled is not link.dialled:
            # Both sides dialled at once: both keep the one that the smaller key dialled.
            keep_dialled = self._endpoint.node_key < node
            if old.dialled is keep_dialled:
                link.close(Close.REPLACED)
                return
        if old:
            old.close(Close.REPLACED)
        self.links[node] = link
        self._spawn(self._live(link))
        link.announce(self._held.keys() - set(link.said))
        if not old:
            self.emit(EventKind.PEER_UP, node, link.path())
        if link.announced:
            self.heard_announce(link, tuple(link.announced))
        self._nudge(node)
        self.pulse.fire()

    async def _live(self, link: Link) -> None:
        why = ""
        try:
            why = await link.run()
        finally:
            if self.links.get(link.node) is link:
                del self.links[link.node]
                self.emit(EventKind.PEER_DOWN, link.node, why)
                self._nudge(link.node)
                self.pulse.fire()

    async def _keep_connected(self, node: bytes) -> None:
        wait = _FIRST_REDIAL_SECONDS
        if self._endpoint.node_key > node:
            await self._nap(node, _YIELD_SECONDS)
        while True:
            if link := self.links.get(node):
                await self._nap(node, None)
                if self.now() - link.began_at > self.settings.redial_seconds:
                    wait = _FIRST_REDIAL_SECONDS
                continue
            until = self.board.banned_until(node, self.now())
            if until is not None:
                await self._nap(node, until - self.now())
                continue
            if not await self._dial(node) and node not in self.links:
                await self._nap(node, wait * random.uniform(0.75, 1.25))
            wait = min(2 * wait, self.settings.redial_seconds)

    async def _dial(self, node: bytes) -> bool:
        try:
            address = parse_address(self.members[node].address_text)
            async with asyncio.timeout(self.settings.dial_seconds):
                connection = await self._endpoint.dial(node, address)
                await self._shake_hands(connection, node, dialled=True)
        except (AddressError, EndpointError, HandshakeError, TimeoutError) as error:
            log.debug("cannot reach %s: %s", node.hex()[:8], error)
            return False
        except iroh.IrohError as error:
            log.debug("cannot reach %s: %s", node.hex()[:8], reason_of(error))
            return False
        return True

    async def _nap(self, node: bytes, seconds: float | None) -> None:
        nudge = self._nudges[node]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await nudge.wait()
        nudge.clear()

    def _nudge(self, node: bytes) -> None:
        if nudge := self._nudges.get(node):
            nudge.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        _report(task)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a network task failed", exc_info=error)
