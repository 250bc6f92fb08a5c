"""JSON-RPC to one or more nodes: requests with fail-over, subscriptions over websocket."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final, Protocol
from urllib.parse import urlsplit, urlunsplit

from psyche_sdk._http import ANSWER_BYTES_MAX, HttpClient, HttpError
from psyche_sdk.errors import ConfigError, RpcAnswerInvalid, RpcError, RpcUnreachable

#: Short names of clusters, as the Solana tools have them.
CLUSTERS: Final = {
    "localnet": "http://127.0.0.1:8899",
    "localhost": "http://127.0.0.1:8899",
    "devnet": "https://api.devnet.solana.com",
    "testnet": "https://api.testnet.solana.com",
    "mainnet-beta": "https://api.mainnet-beta.solana.com",
}

_OK = 200
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
#: The node is behind or unhealthy: another may serve.
_NODE_BEHIND = -32005
#: Waits between rounds over all nodes when they answer that they are too busy, in seconds.
_BUSY_WAITS = (0.2, 0.8, 2.0)


class Transport(Protocol):
    """What a `Coordinator` needs of a connection to the cluster."""

    @property
    def url(self) -> str:
        """Where requests go, for messages; without secrets."""
        raise NotImplementedError

    async def call(self, method: str, params: Sequence[object] = ()) -> Any:
        """Return the result of a request; RpcError if there is none."""

    def subscribe(self, method: str, params: Sequence[object] = ()) -> AsyncGenerator[Any, None]:
        """Yield notifications until the connection breaks, which raises RpcUnreachable.

        The first item is None: the subscription stands.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Close what is open."""


def cluster_url(name: str) -> str:
    """Return the URL of a cluster's short name; a URL is returned as it is."""
    return CLUSTERS.get(name, name)


def websocket_url(url: str) -> str:
    """Return where a node's subscriptions are: the next port if the URL names one."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    netloc = parts.netloc
    if parts.port is not None:
        netloc = f"{netloc.rpartition(':')[0]}:{parts.port + 1}"
    return urlunsplit((scheme, netloc, parts.path, parts.query, ""))


def shown_url(url: str) -> str:
    """Return a URL without user, path and query, which may hold keys."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class HttpTransport:
    """JSON-RPC over HTTP; the next node takes over when one fails.

    Args:
        urls: nodes in order of preference, as URLs or names of clusters.
        websocket_urls: where their subscriptions are, if not where custom has it.
        timeout_seconds: for one request to one node.

    Example:
        transport = HttpTransport("http://127.0.0.1:8899")
        slot = await transport.call("getSlot")
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        websocket_urls: Sequence[str] = (),
        timeout_seconds: float = 15.0,
    ) -> None:
        names = [urls] if isinstance(urls, str) else list(urls)
        if not names:
            raise ConfigError("no RPC URL is given", hint="name one with --url")
        self._urls = [cluster_url(name) for name in names]
        self._clients = [HttpClient(url, timeout_seconds=timeout_seconds) for url in self._urls]
        self._sockets = list(websocket_urls) or [websocket_url(url) for url in self._urls]
        self._timeout_seconds = timeout_seconds
        self._current = 0
        self._socket = 0
        self._ids = itertools.count(1)

    @property
    def url(self) -> str:
        """The node that requests go to now, without secrets."""
        return shown_url(self._urls[self._current])

    async def call(self, method: str, params: Sequence[object] = ()) -> Any:
        """Return a request's result; a node that fails is passed over for the next.

        Raises:
            RpcUnreachable: no node answered.
            RpcAnswerInvalid: a node answered nonsense.
            RpcError: a node answered with an error; `code` and `data` are its own.
        """
        for wait in _BUSY_WAITS:
            try:
                return await self._any_node(method, params)
            except _BusyError:
                await asyncio.sleep(wait)
        return await self._any_node(method, params)

    async def _any_node(self, method: str, params: Sequence[object]) -> Any:
        """Ask each node once, the one that answered last first."""
        body = self._request(method, params)
        sent = False
        failure: RpcError | None = None
        for _ in self._urls:
            try:
                return await self._one_node(self._current, body)
            except (RpcUnreachable, _BusyError) as error:
                sent |= isinstance(error, RpcUnreachable) and error.sent
                failure = failure if isinstance(failure, _BusyError) else error
            self._current = (self._current + 1) % len(self._urls)
        assert failure is not None
        if isinstance(failure, RpcUnreachable):
            failure.sent = sent
        raise failure

    async def _one_node(self, index: int, body: bytes) -> Any:
        url = shown_url(self._urls[index])
        try:
            status, answer = await self._clients[index].post(body)
        except HttpError as error:
            raise RpcUnreachable(str(error), url=url, sent=error.sent) from None
        if status == _TOO_MANY_REQUESTS:
            raise _BusyError("too many requests", url=url)
        if status >= _SERVER_ERROR:
            raise RpcUnreachable(f"HTTP status {status}", url=url, sent=True)
        # A node may tell of an error in JSON with any status; what is no JSON is judged by it.
        return _result(answer, url, status)

    def _request(self, method: str, params: Sequence[object]) -> bytes:
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method}
        return json.dumps(request | {"params": list(params)}, separators=(",", ":")).encode()

    async def subscribe(
        self, method: str, params: Sequence[object] = ()
    ) -> AsyncGenerator[Any, None]:
        """Yield None once the subscription stands, then what the node notifies.

        Each call has a connection of its own; the next call uses the next node if this one broke.

        Raises:
            RpcUnreachable: the connection could not be made, or broke.
            RpcError: the node refuses the subscription.
        """
        # Imported here: it takes a fifth of a second, and not everybody subscribes.
        from websockets.asyncio.client import connect  # noqa: PLC0415
        from websockets.exceptions import WebSocketException  # noqa: PLC0415

        index, done = self._socket, False
        url = shown_url(self._sockets[index])
        try:
            async with connect(
                self._sockets[index],
                max_size=ANSWER_BYTES_MAX,
                open_timeout=self._timeout_seconds,
                close_timeout=1,
                compression=None,
            ) as socket:
                await socket.send(self._request(method, params).decode())
                confirmation = await asyncio.wait_for(socket.recv(), self._timeout_seconds)
                _result(_encoded(confirmation), url, _OK)
                yield None
                async for message in socket:
                    yield _notification(_encoded(message), url)
        except GeneratorExit:
            done = True
            raise
        except (OSError, TimeoutError, WebSocketException) as error:
            reason = str(error) or type(error).__name__
            raise RpcUnreachable(f"subscription broke: {reason}", url=url) from None
        finally:
            if not done:
                self._socket = (index + 1) % len(self._sockets)
        raise RpcUnreachable("the node closed the subscription", url=url)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.close()


class _BusyError(RpcError):
    """A node asks to be left alone for a while."""


def _encoded(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message


def _decoded(answer: bytes, url: str, status: int) -> dict[str, Any]:
    try:
        decoded = json.loads(answer)
    except (ValueError, RecursionError):
        if status != _OK:
            raise RpcError(f"HTTP status {status}", url=url, code=status) from None
        raise RpcAnswerInvalid("the answer is no JSON", url=url) from None
    if not isinstance(decoded, dict):
        raise RpcAnswerInvalid("the answer is no JSON-RPC", url=url)
    return decoded


def _result(answer: bytes, url: str, status: int) -> Any:
    decoded = _decoded(answer, url, status)
    error = decoded.get("error")
    if error is None and "result" in decoded:
        return decoded["result"]
    if not isinstance(error, dict):
        raise RpcAnswerInvalid("the answer has neither a result nor an error", url=url)
    code = error.get("code")
    code = code if isinstance(code, int) else 0
    message = str(error.get("message", "an error without a message"))
    if code == _NODE_BEHIND:
        raise RpcUnreachable(message, url=url)
    raise RpcError(message, url=url, code=code, data=error.get("data"))


def _notification(message: bytes, url: str) -> Any:
    params = _decoded(message, url, _OK).get("params")
    if not isinstance(params, dict) or "result" not in params:
        raise RpcAnswerInvalid("a notification without a result", url=url)
    return params["result"]
