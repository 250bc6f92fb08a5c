"""A small HTTP/1.1 server for JSON-RPC: POST, keep-alive, and limits on everything."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

_LOG = logging.getLogger(__name__)

HEADER_BYTES_MAX = 16 * 1024
BODY_BYTES_MAX = 512 * 1024
CONNECTIONS_MAX = 512
IDLE_SECONDS_MAX = 60.0
REQUEST_SECONDS_MAX = 15.0  # for a request to arrive once it has begun
ANSWER_SECONDS_MAX = 30.0  # for a client to take an answer
_ANSWERS_BYTES_MAX = 256 * 2**20  # answers that slow clients have not taken yet, all together

_REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}
# Browser wallets and pages under development call from another origin, as with a real node.
_CORS = (
    b"access-control-allow-origin: *\r\n"
    b"access-control-allow-methods: POST, GET, OPTIONS\r\n"
    b"access-control-allow-headers: content-type, solana-client\r\n"
    b"access-control-max-age: 86400\r\n"
)

Handler = Callable[[bytes], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class _Head:
    method: str
    path: str
    fields: dict[str, str]
    keep_alive: bool


class _Refused(Exception):  # noqa: N818 - carries an HTTP status to the one who answers
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class HttpServer:
    """Answers POST bodies with what `handler` returns; `GET /health` with "ok"."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsent_bytes = 0

    async def start(self, host: str, port: int) -> int:
        """Listens; returns the port, which differs from `port` if that is 0. OSError if taken."""
        self._server = await asyncio.start_server(
            self._accept, host, port, limit=HEADER_BYTES_MAX, backlog=CONNECTIONS_MAX
        )
        name: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        return name[1]

    async def stop(self) -> None:
        """Stops listening and ends all connections."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= CONNECTIONS_MAX:
            writer.write(_answer(503, b"too many connections", keep_alive=False))
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._connection(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except _Refused as refused:
            writer.write(_answer(refused.status, refused.text.encode(), keep_alive=False))
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass  # The client went away or fell asleep.
        except Exception:
            _LOG.exception("a connection failed")
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await writer.wait_closed()
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        async with asyncio.timeout(IDLE_SECONDS_MAX):
            first = await reader.read(1)
        if not first:
            return False
        try:
            async with asyncio.timeout(REQUEST_SECONDS_MAX):
                head = _parse_head(first + await _read_head(reader))
                body = await _read_body(reader, writer, head)
        except TimeoutError as error:
            raise _Refused(408, "the request took too long") from error
        status, content = await self._respond(head, body)
        if self._unsent_bytes + len(content) > _ANSWERS_BYTES_MAX:
            raise _Refused(503, "too many unread answers")
        self._unsent_bytes += len(content)
        try:
            writer.write(_answer(status, content, keep_alive=head.keep_alive))
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await writer.drain()
        finally:
            self._unsent_bytes -= len(content)
        return head.keep_alive

    async def _respond(self, head: _Head, body: bytes) -> tuple[int, bytes]:
        if head.method == "POST":
            return 200, await self._handler(body)
        if head.method == "OPTIONS":
            return 204, b""
        if head.method == "GET" and head.path == "/health":
            return 200, b"ok"
        if head.method == "GET":
            return 404, b"this is a Solana JSON-RPC server: send POST requests"
        return 405, b"send POST requests"


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise _Refused(431, "the header is too long") from error


def _parse_head(raw: bytes) -> _Head:
    lines = raw.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):  # noqa: PLR2004
        raise _Refused(400, "not an HTTP/1.1 request")
    fields: dict[str, str] = {}
    for line in lines[1:-2]:
        name, colon, value = line.partition(":")
        key = name.lower()
        if not colon or not name or name != name.strip() or key in fields.keys() & _SINGLE_FIELDS:
            raise _Refused(400, "malformed header")
        fields[key] = value.strip()
    connection = fields.get("connection", "").lower()
    keep_alive = "close" not in connection and (
        parts[2] != "HTTP/1.0" or "keep-alive" in connection
    )
    return _Head(parts[0], parts[1], fields, keep_alive)


_SINGLE_FIELDS = frozenset({"content-length", "transfer-encoding"})


async def _read_body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: _Head
) -> bytes:
    if "transfer-encoding" in head.fields:
        raise _Refused(411, "send the body with a content-length")
    text = head.fields.get("content-length", "" if head.method == "POST" else "0")
    if not text:
        raise _Refused(411, "send the body with a content-length")
    if not (text.isascii() and text.isdigit()):
        raise _Refused(400, "malformed content-length")
    # The length of the text is checked first: int() of a long one is slow.
    if len(text) > 9 or int(text) > BODY_BYTES_MAX:  # noqa: PLR2004
        raise _Refused(413, f"the body is longer than {BODY_BYTES_MAX} bytes")
    if head.fields.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return await reader.readexactly(int(text))


def _answer(status: int, content: bytes, *, keep_alive: bool) -> bytes:
    kind = b"application/json" if content[:1] in (b"{", b"[") else b"text/plain"
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        f"content-length: {len(content)}\r\n"
        f"connection: {'keep-alive' if keep_alive else 'close'}\r\n"
    ).encode()
    return head + b"content-type: " + kind + b"\r\n" + _CORS + b"\r\n" + content
