"""`psyche data serve`: hands the blocks of a prepared corpus to the members of a run."""

import asyncio
import contextlib
import errno
import os
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .errors import ListenError
from .manifest import MANIFEST_NAME, TOKENIZER_NAME, Manifest
from .tcp import (
    ANSWER,
    KEY_BYTES,
    MAGIC,
    NONCE_BYTES,
    READ_BYTES_MAX,
    SIGNATURE_BYTES,
    SPAN,
    signed_text,
)

#: Of members: each holds one block at most, so this many MiB in memory.
CONNECTIONS_MAX: Final = 64
#: Of one member: its blocks come side by side, but no member takes all room.
MEMBER_CONNECTIONS_MAX: Final = 8
#: Who did not prove yet that it is a member. One more cuts off who has waited longest, so nobody
#: keeps members out by waiting: they need a moment, and only so many in a moment push them out.
STRANGERS_MAX: Final = 256
GREETING_SECONDS_MAX: Final = 5.0
#: For one request, and for taking one answer.
SECONDS_MAX: Final = 30.0
_NAME_BYTES_MAX: Final = 128


class _RefusedError(Exception):
    """Why a client is sent away."""


@dataclass(slots=True)
class Served:
    """What a server has done since it began."""

    answers: int = 0
    sent_bytes: int = 0
    refused: int = 0


class DataServer:
    """Serves one folder; what a client may ask for is fixed by the manifest."""

    def __init__(
        self,
        folder: Path,
        *,
        run: bytes,
        is_member: Callable[[bytes], Awaitable[bool]],
        verify: Callable[[bytes, bytes, bytes], bool],
        seconds: float = SECONDS_MAX,
    ) -> None:
        """Read the manifest (DataError if there is none).

        Args:
            folder: a prepared corpus.
            run: the 32 bytes of the run's address.
            is_member: whether a node key is one of the run's members.
            verify: whether (node key, text, signature) belong together.
            seconds: how long a client may take for each step.
        """
        manifest = Manifest.read(folder)
        shards = [*manifest.train.shards, *manifest.val.shards]
        names = [MANIFEST_NAME, TOKENIZER_NAME, *(shard.name for shard in shards)]
        self._files = {name: folder / name for name in names}
        self._run, self._is_member, self._verify = run, is_member, verify
        self._seconds = seconds
        self._strangers = dict[asyncio.StreamWriter, None]()
        self._of_member = Counter[bytes]()
        self.served = Served()

    async def start(self, host: str, port: int) -> asyncio.Server:
        """Listen; ListenError if the port is taken or not allowed."""
        try:
            return await asyncio.start_server(self._serve, host, port, limit=4096)
        except (OSError, OverflowError) as error:
            raise _deaf(host, port, error) from error

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._strangers[writer] = None
        if len(self._strangers) > STRANGERS_MAX:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.transport.abort()
        try:
            key = await self._admitted(reader, writer)
            self._strangers.pop(writer, None)
            with self._place_of(key):
                while True:
                    await self._answer(reader, writer)
        except _RefusedError as reason:
            self.served.refused += 1
            text = str(reason).encode()
            writer.write(ANSWER.pack(1, len(text)) + text)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass  # it went away, or is too slow to be waited for
        finally:
            self._strangers.pop(writer, None)
            _hang_up(writer)

    @contextlib.contextmanager
    def _place_of(self, key: bytes) -> Iterator[None]:
        if self._of_member[key] >= MEMBER_CONNECTIONS_MAX:
            raise _RefusedError("too many connections of this member")
        if self._of_member.total() >= CONNECTIONS_MAX:
            raise _RefusedError("too many connections; try again later")
        self._of_member[key] += 1
        try:
            yield
        finally:
            self._of_member[key] -= 1
            if not self._of_member[key]:
                del self._of_member[key]

    async def _admitted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        writer.write(MAGIC + nonce)
        async with asyncio.timeout(min(GREETING_SECONDS_MAX, self._seconds)):
            key = await reader.readexactly(KEY_BYTES)
            signature = await reader.readexactly(SIGNATURE_BYTES)
        # The signature first: only who holds the key makes the chain be asked.
        if not self._verify(key, signed_text(self._run, nonce), signature):
            raise _RefusedError("the signature is not that of the node key over this challenge")
        if not await self._is_member(key):
            raise _RefusedError("this node key is not one of the run's members")
        return key

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(self._seconds):
            length = (await reader.readexactly(1))[0]
            if length > _NAME_BYTES_MAX:
                raise _RefusedError("no such file")
            name = (await reader.readexactly(length)).decode(errors="replace")
            start, size = SPAN.unpack(await reader.readexactly(SPAN.size))
        path = self._files.get(name)
        if path is None:
            raise _RefusedError("no such file")
        if not 0 < size <= READ_BYTES_MAX:
            raise _RefusedError(f"a read is of 1 to {READ_BYTES_MAX} bytes")
        data = await asyncio.to_thread(_read, path, start, size)
        async with asyncio.timeout(self._seconds):
            writer.write(ANSWER.pack(0, len(data)) + data)
            await writer.drain()
        self.served.answers += 1
        self.served.sent_bytes += len(data)


def _hang_up(writer: asyncio.StreamWriter) -> None:
    """Closes a connection; what the client has not taken is dropped.

    `close` alone would keep it in memory for as long as the client takes nothing, and by then the
    connection counts no more: a member could fill the memory with answers that it never reads.
    """
    if writer.transport.get_write_buffer_size():
        writer.transport.abort()
    else:
        writer.close()


def _read(path: Path, start: int, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(min(start, path.stat().st_size))
            return file.read(size)
    except OSError as error:
        raise _RefusedError(f"cannot read the file ({error.strerror})") from error


def _deaf(host: str, port: int, error: OSError | OverflowError) -> ListenError:
    number = getattr(error, "errno", None) or 0
    if number == errno.EADDRINUSE:
        hint = "stop the program that has it, or choose another with --bind (port 0 takes any)"
        return ListenError(f"port {port} is in use", hint=hint)
    # asyncio's own words are long; a name that nobody knows has a number below zero.
    reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
    return ListenError(
        f"cannot listen on {host}:{port}: {reason}",
        hint="choose with --bind an address of this machine and a port that you may take",
    )
