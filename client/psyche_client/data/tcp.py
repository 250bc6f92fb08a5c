"""A prepared corpus from `psyche data serve`, which serves the members of one run alone.

The protocol, whole numbers little-endian:

    server: b"PSYDATA1" | nonce (32 bytes)
    client: node key (32) | signature (64) of b"psyche-data-1" | run (32) | nonce
    client: length of a file's name (u8) | the name | start (u64) | size (u32), as often as it likes
    server: status (u8) | size (u32) | so many bytes

Status 0 brings the bytes, fewer than asked for only where the file ends. Any other brings a reason
in UTF-8, after which the server hangs up. Nothing is secret, so nothing is encrypted: the reader
knows the hash of every block. The signature keeps the server's line for those who train.
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from typing import Final

from .manifest import BLOCK_BYTES
from .mirrors import SourceError

MAGIC: Final = b"PSYDATA1"
NONCE_BYTES: Final = 32
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
READ_BYTES_MAX: Final = BLOCK_BYTES
SPAN: Final = struct.Struct("<QI")
ANSWER: Final = struct.Struct("<BI")
_REASON_BYTES_MAX: Final = 256
_SECONDS: Final = 60.0


def signed_text(run: bytes, nonce: bytes) -> bytes:
    """What a member signs with its node key to be let in."""
    return b"psyche-data-1" + run + nonce


class TcpSource:
    """A server of `psyche data serve`; each read is a connection of its own, within a deadline."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        run: bytes,
        node_key: bytes,
        sign: Callable[[bytes], bytes],
        seconds: float = _SECONDS,
    ) -> None:
        """Come as the member of `run` with this node key; `sign` signs with it."""
        self.name = f"{host}:{port}"
        self._address, self._run = (host, port), run
        self._node_key, self._sign, self._seconds = node_key, sign, seconds

    async def read(self, file: str, start: int, size: int) -> bytes:
        """A range of a file."""
        async with self._connected() as ask:
            data = await ask(file, start, size)
        if len(data) != size:
            raise SourceError(f"it broke off after {len(data)} of {size} bytes")
        return data

    async def whole(self, file: str, bytes_max: int) -> bytes:
        """A whole file, piece by piece."""
        data = bytearray()
        async with self._connected() as ask:
            while len(data) <= bytes_max:
                part = await ask(file, len(data), READ_BYTES_MAX)
                data += part
                if len(part) < READ_BYTES_MAX:
                    return bytes(data)
        raise SourceError(f"it sends more than {bytes_max} bytes")

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator["_Ask"]:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(self._seconds):
                reader, writer = await asyncio.open_connection(*self._address)
                hello = await reader.readexactly(len(MAGIC) + NONCE_BYTES)
                if not hello.startswith(MAGIC):
                    raise SourceError("it is no server of data")
                text = signed_text(self._run, hello[len(MAGIC) :])
                writer.write(self._node_key + self._sign(text))
                yield _Ask(reader, writer)
        except TimeoutError:
            raise SourceError(f"no whole answer in {self._seconds:g} seconds") from None
        except asyncio.IncompleteReadError:
            raise SourceError("it hung up") from None
        except OSError as error:
            raise SourceError(f"{error.strerror or error}") from error
        finally:
            if writer is not None:
                writer.transport.abort()


class _Ask:
    """Requests on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def __call__(self, file: str, start: int, size: int) -> bytes:
        name = file.encode()
        self._writer.write(bytes([len(name)]) + name + SPAN.pack(start, size))
        await self._writer.drain()
        status, length = ANSWER.unpack(await self._reader.readexactly(ANSWER.size))
        if length > (_REASON_BYTES_MAX if status else size):
            raise SourceError("its answer is longer than what was asked for")
        data = await self._reader.readexactly(length)
        if status:
            raise SourceError(f"it says: {data.decode(errors='replace')}")
        return data
