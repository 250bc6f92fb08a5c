"""Places of the small corpus on loopback: honest ones, and one that misbehaves on the wire."""

from __future__ import annotations

import asyncio
import http.server
from pathlib import Path

from solders.keypair import Keypair

from psyche_client.data.http import HttpSource
from psyche_client.data.mirrors import Mirrors, Source
from psyche_client.data.remote import Remote
from psyche_client.data.shards import Shards
from psyche_client.data.tcp import (
    ANSWER,
    KEY_BYTES,
    MAGIC,
    NONCE_BYTES,
    READ_BYTES_MAX,
    SIGNATURE_BYTES,
    SPAN,
    TcpSource,
)
from support.corpus import MANIFEST, TOKENIZER

RUN = bytes(range(32))
MEMBER = Keypair.from_seed(bytes(31) + b"m")


class Ranges(http.server.SimpleHTTPRequestHandler):
    """A web server of files that answers ranges."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data, status = path.read_bytes(), 200
        if span := self.headers.get("Range"):
            start, end = span.removeprefix("bytes=").split("-")
            data, status = data[int(start) : int(end) + 1], 206
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is its own."""


async def knows_member(key: bytes) -> bool:
    """Whether a node key is the one member's."""
    return key == bytes(MEMBER.pubkey())


def tcp_source(
    port: int, *, key: Keypair = MEMBER, run: bytes = RUN, seconds: float = 5
) -> TcpSource:
    """The server of data at a loopback port, as a member sees it."""
    return TcpSource(
        "127.0.0.1",
        port,
        run=run,
        node_key=bytes(key.pubkey()),
        sign=lambda text: bytes(key.sign_message(text)),
        seconds=seconds,
    )


async def no_pause(_seconds: float) -> None:
    """Trying again need not wait here."""


def fetched(folder: Path, *sources: Source) -> Shards:
    """The corpus from these places, kept in a folder."""
    return Shards(
        folder,
        tokenizer_sha256=TOKENIZER.sha256,
        merkle_root=MANIFEST.merkle_root(),
        remote=Remote([], mirrors=Mirrors(sources, pause=no_pause)),
    )


class Misbehaving:
    """A server, by http or tcp, that lies, stalls, breaks off, or drips.

    Attributes:
        connections: how often anybody came.
    """

    def __init__(self, kind: str, way: str) -> None:
        self.connections = 0
        self._kind, self._way = kind, way

    async def start(self) -> Source:
        """Listens; the place as a client sees it, which waits for a moment only where it must."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.close = server.close
        seconds = 0.3 if self._way in ("stalls", "drips") else 30
        if self._kind == "tcp":
            return tcp_source(port, seconds=seconds)
        return HttpSource(f"http://127.0.0.1:{port}", seconds=seconds)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        size = 64
        if self._way == "drips":
            size = READ_BYTES_MAX if self._kind == "tcp" else 1 << 40
        if self._kind == "tcp":
            writer.write(MAGIC + bytes(NONCE_BYTES))
            await reader.readexactly(KEY_BYTES + SIGNATURE_BYTES)
            await reader.readexactly((await reader.readexactly(1))[0] + SPAN.size)
            writer.write(ANSWER.pack(0, size))
        else:
            ranged = b"Range:" in await reader.readuntil(b"\r\n\r\n")
            status = "206 Partial Content" if ranged else "200 OK"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode())
        writer.write(bytes(size if self._way == "lies" else 32))
        if self._way == "stalls":
            await reader.read()  # until the client leaves
        while self._way == "drips" and not writer.is_closing():
            writer.write(b"\0")
            await asyncio.sleep(0)
        writer.close()
