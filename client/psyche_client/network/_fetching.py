"""The fetching side: whom to ask, what to accept, when to turn to the next peer."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from iroh import iroh_ffi as iroh

from psyche_client.network import wire
from psyche_client.network._link import Link
from psyche_client.network._mesh import Mesh
from psyche_client.network._serving import CHUNK_BYTES
from psyche_client.network._types import FetchFailed
from psyche_client.network.endpoint import reason_of
from psyche_client.network.scores import Offence
from psyche_client.network.wire import Answer, Get, Kind, Status

#: What a broken transfer must have brought to be continued elsewhere instead of begun anew.
_RESUME_BYTES = 1 << 16
#: Hashing more than this is left to a thread.
_HASH_INLINE_BYTES = 1 << 20
#: After so long, members that did not announce a payload are asked for it too.
_ASK_ALL_SECONDS = 1.0
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.05, 2.0
#: A peer that does not serve yet, or is busy, will soon: its wait stays short.
_SOON_SECONDS = 0.25

_T = TypeVar("_T")
Verify = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch, and how to know it.

    `size` is what somebody says it has: for choosing a peer, and never held against one. `only` is
    the one node that is asked; None: anyone.
    """

    kind: Kind
    key: bytes
    verify: Verify
    max_size: int
    size: int | None = None
    hints: tuple[bytes, ...] = ()
    only: bytes | None = None

    def name(self) -> str:
        """For messages: kind and start of the key."""
        return f"{self.kind.name.lower()} {self.key.hex()[:16]}"


def is_sha256(key: bytes) -> Verify:
    """A verifier for blobs that are named by their sha256."""
    return lambda data: hashlib.sha256(data).digest() == key


class _RefusedError(Exception):
    """The peer answered properly that it will not deliver now."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name.lower().replace("_", " "))
        self.status = status


class _FalseError(Exception):
    """The peer's answer contradicts what is known about the blob."""


class _HeldUpError(Exception):
    """This process was held up, so that a peer's answer came too late for no fault of it."""


@dataclass(slots=True)
class _Peer:
    """How far one hunt has come with one peer."""

    not_before: float = 0.0
    wait: float = _FIRST_WAIT_SECONDS
    announced_when_asked: bool = False


@dataclass(slots=True)
class Hunt:
    """One fetch, from the first request to verified bytes."""

    mesh: Mesh
    wanted: Wanted
    slots: asyncio.Semaphore
    began_at: float
    reasons: dict[bytes, str] = field(default_factory=dict)
    _peers: dict[bytes, _Peer] = field(default_factory=dict)
    _got: bytearray = field(default_factory=bytearray)
    _sources: set[bytes] = field(default_factory=set)
    _may_resume: bool = True

    async def run(self, seconds: float) -> bytes:
        """Fetch within so many seconds; FetchFailed if nothing valid came."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    node, wait = self._choose()
                    if node is None:
                        await self.mesh.pulse.wait(self.wanted.key, wait)
                        continue
                    async with self.slots:
                        data = await self._attempt(node)
                    if data is not None:
                        return data
        except TimeoutError:
            raise FetchFailed(self.wanted.name(), self.reasons) from None

    def _choose(self) -> tuple[bytes | None, float]:
        """The peer to ask now; or None and how long to wait for a change, seconds."""
        now, mesh = self.mesh.now(), self.mesh
        if self.wanted.only is not None:
            return self._choose_only(self.wanted.only, now)
        holders = {n for n, link in mesh.links.items() if self.wanted.key in link.announced}
        hinted = {n for n in self.wanted.hints if n in mesh.links} - holders
        tiers = [holders, hinted]
        patient = self.wanted.kind is Kind.PAYLOAD and now - self.began_at < _ASK_ALL_SECONDS
        if not holders and not patient:
            tiers.append(set(mesh.links) - hinted)
        for tier in tiers:
            ready = [n for n in tier if self._ready(n, now, announced=n in holders)]
            if ready:
                return mesh.board.ranked(ready, self.wanted.size or CHUNK_BYTES)[0], 0.0
        waits = [self._peer(n).not_before - now for tier in tiers for n in tier]
        soonest = min((w for w in waits if w > 0.0), default=_SOON_SECONDS)
        return None, min(soonest, _SOON_SECONDS)

    def _choose_only(self, node: bytes, now: float) -> tuple[bytes | None, float]:
        link = self.mesh.links.get(node)
        if link is None or not self._ready(node, now, announced=self.wanted.key in link.announced):
            return None, _SOON_SECONDS
        return node, 0.0

    def _ready(self, node: bytes, now: float, *, announced: bool) -> bool:
        if self.mesh.board.in_flight(node) >= self.mesh.settings.downloads_per_peer:
            return False
        peer = self._peer(node)
        # An announcement since we asked is news: no need to wait any longer.
        news = announced and not peer.announced_when_asked
        return peer.not_before <= now or (news and node in self.reasons)

    async def _attempt(self, node: bytes) -> bytes | None:
        link = self.mesh.links.get(node)
        if link is None:
            return None
        self._peer(node).announced_when_asked = self.wanted.key in link.announced
        board, began, before = self.mesh.board, self.mesh.now(), len(self._got)
        board.began(node)
        try:
            await self._transfer(link)
            data = await self._verified(node)
            board.delivered(node, len(data) - before, self.mesh.now() - began)
        except _RefusedError as refusal:
            if refusal.status is Status.NOT_HELD:
                link.announced.pop(self.wanted.key, None)
                self._peer(node).announced_when_asked = False
            soon = refusal.status in (Status.NOT_YET, Status.BUSY)
            self._put_off(node, str(refusal), _SOON_SECONDS if soon else _LONGEST_WAIT_SECONDS)
        except TimeoutError:
            self._fault(node, Offence.STALL)
        except _HeldUpError:
            self._put_off(node, "this process was held up")
        except wire.WireError as error:
            self._fault(node, Offence.MALFORMED, str(error))
        except _FalseError as error:
            self._fault(node, Offence.FALSE_BYTES, str(error))
        except iroh.IrohError as error:
            board.slow(node)
            self._put_off(node, reason_of(error))
        else:
            return data
        finally:
            board.ended(node)
        if len(self._got) < _RESUME_BYTES or not self._may_resume:
            self._start_anew()
        return None

    async def _transfer(self, link: Link) -> None:
        settings, wanted = self.mesh.settings, self.wanted
        offset = len(self._got)
        answer, stream = await _in_time(
            link.request(Get(wanted.kind, wanted.key, offset)),
            settings.stall_seconds + settings.upload_queue_seconds,
        )
        if answer.status is not Status.OK:
            raise _RefusedError(answer.status)
        self._check_head(answer, offset)
        remaining = answer.length
        window_at, window_bytes = self.mesh.now(), 0
        kind = wanted.kind.name.lower()
        while remaining:
            chunk = await _in_time(stream.read(min(CHUNK_BYTES, remaining)), settings.stall_seconds)
            if not chunk or len(chunk) > remaining:
                raise wire.WireError("the answer is shorter than it says")
            self._sources.add(link.node)
            self._got += chunk
            remaining -= len(chunk)
            window_bytes += len(chunk)
            self.mesh.counters.received(link.node, kind, len(chunk))
            link.heard()
            elapsed = self.mesh.now() - window_at
            if elapsed > settings.stall_seconds:
                if remaining and window_bytes < settings.floor_bytes_per_second * elapsed:
                    raise TimeoutError
                window_at, window_bytes = self.mesh.now(), 0

    def _check_head(self, answer: Answer, offset: int) -> None:
        wanted = self.wanted
        if answer.total > wanted.max_size:
            raise _FalseError(f"says {answer.total} bytes, over {wanted.max_size}")
        if answer.length != answer.total - offset:
            raise wire.WireError("the answer is of another range")

    async def _verified(self, node: bytes) -> bytes:
        data = bytes(self._got)
        if len(data) > _HASH_INLINE_BYTES:
            good = await asyncio.to_thread(self._is_good, data)
        else:
            good = self._is_good(data)
        if good:
            return data
        mixed = self._sources - {node}
        self._may_resume = False
        self._start_anew()
        if mixed:
            # Whose part is false cannot be told, so nobody is blamed; next time one peer
            # must deliver it all.
            raise _RefusedError(Status.BUSY)
        raise _FalseError(Offence.FALSE_BYTES.text)

    def _is_good(self, data: bytes) -> bool:
        try:
            return self.wanted.verify(data)
        except ValueError:
            return False

    def _fault(self, node: bytes, offence: Offence, why: str = "") -> None:
        self.mesh.board.slow(node)
        self._put_off(node, why or offence.text)
        self.mesh.offended(node, offence)

    def _put_off(self, node: bytes, why: str, longest: float = _LONGEST_WAIT_SECONDS) -> None:
        peer = self._peer(node)
        self.reasons[node] = why
        peer.not_before = self.mesh.now() + min(peer.wait, longest)
        peer.wait = min(2 * peer.wait, longest)

    def _start_anew(self) -> None:
        self._got = bytearray()
        self._sources = set()

    def _peer(self, node: bytes) -> _Peer:
        return self._peers.setdefault(node, _Peer())


async def _in_time(work: Awaitable[_T], seconds: float) -> _T:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    try:
        async with asyncio.timeout_at(end):
            return await work
    except TimeoutError:
        if loop.time() - end > seconds / 4:
            raise _HeldUpError from None
        raise


def unique(nodes: Iterable[bytes]) -> tuple[bytes, ...]:
    """The nodes in order, each once."""
    return tuple(dict.fromkeys(nodes))
