"""A node on a loopback port that answers each POST with bytes that the test gives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self


def http(body: bytes, *, status: str = "200 OK", head: str = "") -> bytes:
    """An answer with its length."""
    return f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def result(value: Any) -> bytes:
    """An answer that carries a result."""
    return http(json.dumps({"jsonrpc": "2.0", "id": 1, "result": value}).encode())


def error(code: int, message: str, data: Any = None) -> bytes:
    """An answer that carries an error."""
    told = {"code": code, "message": message, "data": data}
    return http(json.dumps({"jsonrpc": "2.0", "id": 1, "error": told}).encode())


class FakeNode:
    """Serves the answers in order, the last one for ever; b"" closes the connection instead.

    Attributes:
        requests: decoded bodies, in order.
        heads: the heads that they came with.
        connections: how many were made.
    """

    def __init__(self, answers: Sequence[bytes], *, close_after: bool = False) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.connections = 0
        self._close_after = close_after
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                self.requests.append(json.loads(await reader.readexactly(length)))
                self.heads.append(head)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                writer.write(answer)
                await writer.drain()
                if not answer or self._close_after:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
            self._tasks.discard(task)
