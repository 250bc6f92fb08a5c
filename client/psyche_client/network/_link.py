"""One connection to one member: hello, heartbeats, announcements, requests both ways."""

import asyncio
import contextlib
from collections.abc import Iterable
from enum import IntEnum
from itertools import islice
from typing import Protocol

from iroh import iroh_ffi as iroh

from psyche_client.network import wire
from psyche_client.network._counters import Counters
from psyche_client.network._frames import MessageReader, kind_name, read_message
from psyche_client.network._limits import Allowance
from psyche_client.network._types import Settings
from psyche_client.network.scores import Offence

#: How many hashes are remembered of what one peer says that it holds.
MAX_ANNOUNCED = 4096
#: Requests of one peer under way; an honest one has a few.
_MAX_STREAMS = 24
_FRAMES_PER_SECOND, _FRAMES_BURST = 50.0, 200.0
_REQUESTS_PER_SECOND, _REQUESTS_BURST = 200.0, 1000.0
_RTT_SMOOTHING = 0.3
_GONE = "the peer is gone"


class Close(IntEnum):
    """Why a connection was closed; sent to the other side."""

    BYE = 0
    STRANGER = 1
    WRONG_RUN = 2
    DEAD = 3
    REPLACED = 4
    BANNED = 5


class HandshakeError(Exception):
    """The other side said no proper hello."""


class Host(Protocol):
    """What a link needs of its exchange."""

    settings: Settings
    counters: Counters

    def hello(self) -> wire.Hello:
        """The hello to say now."""

    def heartbeat(self) -> tuple[float, float]:
        """Seconds between heartbeats, and of silence until a peer is taken for dead."""

    def heard_announce(self, link: "Link", commitments: tuple[bytes, ...]) -> None:
        """The peer newly says that it holds these."""

    def offended(self, node: bytes, offence: Offence) -> None:
        """The peer broke a rule."""

    async def serve(self, link: "Link", stream: iroh.BiStream) -> None:
        """Answer the one request on this stream."""


class Link:
    """An open connection. `shake_hands`, then `run` until it ends."""

    def __init__(
        self, connection: iroh.Connection, node: bytes, host: Host, *, dialled: bool
    ) -> None:
        self.node = node
        self.dialled = dialled
        self.session = self.epoch = 0
        self.rtt_seconds: float | None = None
        self.announced: dict[bytes, None] = {}
        self.said: tuple[bytes, ...] = ()
        self._connection = connection
        self._host = host
        self._loop = asyncio.get_running_loop()
        self.began_at = self.heard_at = self._loop.time()
        self._frames = Allowance(_FRAMES_PER_SECOND, _FRAMES_BURST)
        self._requests = Allowance(_REQUESTS_PER_SECOND, _REQUESTS_BURST)
        self._serving: set[asyncio.Task[None]] = set()
        self._to_tell: dict[bytes, None] = {}
        self._ping: tuple[int, float] | None = None
        self._pings = 0
        self._outgoing: list[wire.Message] = []
        self._wake = asyncio.Event()
        self._writing_since: float | None = None

    async def shake_hands(self) -> None:
        """Exchange hellos; HandshakeError if the peer is in another run or talks nonsense.

        The caller sets the deadline.
        """
        hello = self._host.hello()
        try:
            if self.dialled:
                self._control = await self._connection.open_bi()
                await self._write(hello)
            else:
                self._control = await self._connection.accept_bi()
            answer, size = await read_message(self._control.recv())
            if not self.dialled:
                await self._write(hello)
        except wire.WireError as error:
            self._host.offended(self.node, Offence.MALFORMED)
            raise HandshakeError(str(error)) from None
        if not isinstance(answer, wire.Hello):
            self._host.offended(self.node, Offence.MALFORMED)
            raise HandshakeError("the first message is no hello")
        self._host.counters.received(self.node, "hello", size)
        if answer.instance != hello.instance:
            self.close(Close.WRONG_RUN)
            raise HandshakeError("the peer is in another run")
        self.session, self.epoch = answer.session, answer.epoch
        self.announced = dict.fromkeys(answer.commitments)
        self.said = hello.commitments
        self.heard()

    async def run(self) -> str:
        """Live until the connection ends; returns why it did."""
        parts = [
            asyncio.ensure_future(part)
            for part in (
                self._read_control(),
                self._write_control(),
                self._beat(),
                self._accept_requests(),
                self._refuse_one_way_streams(),
            )
        ]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            why = next(iter(done)).result()
            return self._connection.close_reason() or why if why == _GONE else why
        finally:
            self.close(Close.BYE)
            for task in (*parts, *self._serving):
                task.cancel()
            await asyncio.gather(*parts, *self._serving, return_exceptions=True)

    def announce(self, commitments: Iterable[bytes]) -> None:
        """Tell the peer, soon and in few messages, that these are held here."""
        self._to_tell.update(dict.fromkeys(commitments))
        self._wake.set()

    async def request(self, get: wire.Get) -> tuple[wire.Answer, iroh.RecvStream]:
        """Ask, and read the head of the answer; its raw bytes follow in the stream.

        WireError or IrohError; the caller sets the deadline.
        """
        stream = await self._connection.open_bi()
        sender, receiver = stream.send(), stream.recv()
        frame = wire.encode(get)
        await sender.write_all(frame)
        await sender.finish()
        self._host.counters.sent(self.node, kind_name(get), len(frame))
        answer, size = await read_message(receiver)
        if not isinstance(answer, wire.Answer):
            raise wire.WireError("a request was not answered by an answer")
        self._host.counters.received(self.node, kind_name(get), size)
        self.heard()
        return answer, receiver

    def heard(self) -> None:
        """Note a sign of life."""
        self.heard_at = self._loop.time()

    def path(self) -> str:
        """How the connection runs: "direct ADDRESS" or "relay ADDRESS"."""
        for path in self._connection.paths():
            if path.is_selected:
                return f"{'relay' if path.is_relay else 'direct'} {path.remote_addr}"
        return ""

    def close(self, why: Close) -> None:
        """Close the connection; closing again changes nothing."""
        self._connection.close(int(why), why.name.lower().encode())

    async def _write(self, *messages: wire.Message) -> None:
        frames = [wire.encode(message) for message in messages]
        await self._control.send().write_all(b"".join(frames))
        for message, frame in zip(messages, frames, strict=True):
            self._host.counters.sent(self.node, kind_name(message), len(frame))

    async def _read_control(self) -> str:
        reader = MessageReader(self._control.recv())
        while True:
            try:
                message, size = await reader.next()
            except wire.WireError as error:
                self._host.offended(self.node, Offence.MALFORMED)
                return str(error)
            except iroh.IrohError:
                return _GONE
            self._host.counters.received(self.node, kind_name(message), size)
            self.heard()
            if not self._frames.take(self._loop.time()):
                self._host.offended(self.node, Offence.FLOOD)
                return "flood"
            if not self._obey(message):
                self._host.offended(self.node, Offence.MALFORMED)
                return "a message out of place"

    def _obey(self, message: wire.Message) -> bool:
        match message:
            case wire.Announce(commitments):
                fresh = tuple(c for c in commitments if c not in self.announced)
                self.announced.update(dict.fromkeys(fresh))
                excess = max(len(self.announced) - MAX_ANNOUNCED, 0)
                for oldest in list(islice(self.announced, excess)):
                    del self.announced[oldest]
                self._host.heard_announce(self, commitments)
            case wire.Ping(nonce):
                # Only the latest is answered, so that pings cannot pile up here.
                self._outgoing = [m for m in self._outgoing if not isinstance(m, wire.Pong)]
                self._outgoing.append(wire.Pong(nonce))
                self._wake.set()
            case wire.Pong(nonce):
                if self._ping and self._ping[0] == nonce:
                    rtt = self._loop.time() - self._ping[1]
                    old = rtt if self.rtt_seconds is None else self.rtt_seconds
                    self.rtt_seconds = old + _RTT_SMOOTHING * (rtt - old)
                    self._ping = None
            case _:
                return False
        return True

    async def _write_control(self) -> str:
        while True:
            await self._wake.wait()
            self._wake.clear()
            messages, self._outgoing = self._outgoing, []
            hashes, self._to_tell = list(self._to_tell), {}
            for start in range(0, len(hashes), wire.MAX_COMMITMENTS):
                part = tuple(hashes[start : start + wire.MAX_COMMITMENTS])
                messages.append(wire.Announce(part))
            # `_beat` watches over it: cut off in mid-write, the stream would be broken.
            self._writing_since = self._loop.time()
            try:
                await self._write(*messages)
            except iroh.IrohError:
                return _GONE
            self._writing_since = None

    async def _beat(self) -> str:
        while True:
            interval, dead = self._host.heartbeat()
            self._pings += 1
            self._ping = (self._pings, self._loop.time())
            self._outgoing.append(wire.Ping(self._pings))
            self._wake.set()
            before = self._loop.time()
            await asyncio.sleep(interval)
            now = self._loop.time()
            if now - before > 2 * interval:
                # This process was held up, so the peer's silence means nothing.
                self.heard()
                if self._writing_since is not None:
                    self._writing_since = now
            elif now - self.heard_at > dead:
                self.close(Close.DEAD)
                return "no sign of life"
            elif self._writing_since is not None and now - self._writing_since > dead:
                self.close(Close.DEAD)
                return "the peer does not read"

    async def _accept_requests(self) -> str:
        while True:
            try:
                stream = await self._connection.accept_bi()
            except iroh.IrohError:
                return _GONE
            if len(self._serving) > _MAX_STREAMS or not self._requests.take(self._loop.time()):
                self._host.offended(self.node, Offence.FLOOD)
                return "flood"
            task = asyncio.ensure_future(self._serve(stream))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)

    async def _refuse_one_way_streams(self) -> str:
        # Nobody needs them, and what is sent on them would pile up unread.
        with contextlib.suppress(iroh.IrohError):
            await self._connection.accept_uni()
            self._host.offended(self.node, Offence.MALFORMED)
            return "a one-way stream"
        return _GONE

    async def _serve(self, stream: iroh.BiStream) -> None:
        try:
            await self._host.serve(self, stream)
        except wire.WireError:
            self._host.offended(self.node, Offence.MALFORMED)
        except (iroh.IrohError, TimeoutError):
            # Half an answer must not look like a whole one.
            with contextlib.suppress(iroh.IrohError):
                await stream.send().reset(0)
