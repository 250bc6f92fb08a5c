"""HTTP/1.1 POST with kept connections, on asyncio alone: quick to import, bounded in memory."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from psyche_sdk.errors import ConfigError

#: An answer above it is refused: the largest that is asked for is a run's accounts in base64.
ANSWER_BYTES_MAX = 64 * 1024 * 1024
_HEAD_BYTES_MAX = 64 * 1024
_IDLE_CONNECTIONS_MAX = 8
_DEFAULT_PORTS = {"http": 80, "https": 443}


class HttpError(Exception):
    """An exchange failed; `sent` says whether the request may have arrived."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class _Stream:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class HttpClient:
    """Posts to one URL; keeps up to eight idle connections.

    Args:
        url: http or https, with an optional path and query.
        timeout_seconds: for a whole exchange, connecting included.
    """

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"URL {url!r}: {error}") from None
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            hint = "a URL looks like http://127.0.0.1:8899 or https://host"
            raise ConfigError(f"URL {url!r} is neither http nor https", hint=hint)
        self._host = parts.hostname
        self._port = port or _DEFAULT_PORTS[parts.scheme]
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._timeout_seconds = timeout_seconds
        self._idle: list[_Stream] = []
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # Without user and password: those do not belong into a header of the host.
        host = parts.netloc.rpartition("@")[2]
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            "Accept: application/json\r\nContent-Length: "
        ).encode("ascii", errors="replace")

    async def post(self, body: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer; HttpError if there is none."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._post(body)
        except TimeoutError:
            raise HttpError(f"no answer in {self._timeout_seconds:g} s", sent=True) from None

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        while self._idle:
            stream = self._idle.pop()
            try:
                return await self._exchange(stream, body)
            except HttpError:
                # The node closed a connection that it had kept; that is no answer. What is posted
                # are reads and signed transactions: both bear being posted twice.
                continue
        try:
            stream = _Stream(
                *await asyncio.open_connection(self._host, self._port, ssl=self._tls, limit=2**20)
            )
        except (OSError, ssl.SSLError) as error:
            raise HttpError(_reason(error), sent=False) from None
        return await self._exchange(stream, body)

    async def _exchange(self, stream: _Stream, body: bytes) -> tuple[int, bytes]:
        done = False
        try:
            stream.writer.write(self._head + str(len(body)).encode() + b"\r\n\r\n" + body)
            await stream.writer.drain()
            status, answer, keep = await _read_answer(stream.reader)
            done = keep and len(self._idle) < _IDLE_CONNECTIONS_MAX
            return status, answer
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
            raise HttpError(_reason(error), sent=True) from None
        finally:
            if done:
                self._idle.append(stream)
            else:
                stream.writer.close()

    async def close(self) -> None:
        """Close the idle connections."""
        idle, self._idle = self._idle, []
        for stream in idle:
            stream.writer.close()
        for stream in idle:
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(stream.writer.wait_closed(), 1)


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    """Return (status, body, whether the connection can be used again)."""
    head = await reader.readuntil(b"\r\n\r\n")
    if len(head) > _HEAD_BYTES_MAX:
        raise ValueError("the answer's head is too long")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise ValueError("the answer is no HTTP")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    body = bytearray()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        pieces = _chunks(reader)
    elif "content-length" in headers:
        pieces = _counted(reader, headers["content-length"])
    else:
        keep, pieces = False, _rest(reader)
    async for piece in pieces:
        body += piece
        if len(body) > ANSWER_BYTES_MAX:
            raise ValueError(f"the answer is over {ANSWER_BYTES_MAX} bytes")
    return int(rest[:3]), bytes(body), keep


async def _counted(reader: asyncio.StreamReader, text: str) -> AsyncIterator[bytes]:
    if not text.isdigit() or int(text) > ANSWER_BYTES_MAX:
        raise ValueError("the answer's length is bad or too large")
    yield await reader.readexactly(int(text))


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        if not 0 <= size <= ANSWER_BYTES_MAX:
            raise ValueError("a chunk's length is bad or too large")
        if size == 0:
            while await reader.readline() not in (b"\r\n", b"\n", b""):
                pass
            return
        yield await reader.readexactly(size)
        await reader.readexactly(2)


async def _rest(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await reader.read(2**16):
        yield piece


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, EOFError):
        return "connection closed in mid-answer"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
