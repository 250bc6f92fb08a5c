"""JSON-RPC over real sockets: fail-over, typed errors, bounds, no secrets in messages."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from psyche_sdk import HttpTransport, _transport, cluster_url
from psyche_sdk._transport import shown_url, websocket_url
from psyche_sdk.errors import ConfigError, RpcAnswerInvalid, RpcError, RpcUnreachable
from support.fake_node import FakeNode, error, http, result

REFUSING = "http://127.0.0.1:9"


@contextlib.asynccontextmanager
async def connected(*urls: str, timeout_seconds: float = 5.0) -> Any:
    transport = HttpTransport(urls, timeout_seconds=timeout_seconds)
    try:
        yield transport
    finally:
        await transport.close()


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_transport, "_BUSY_WAITS", (0.0, 0.0))


async def test_a_request_is_json_rpc_and_its_result_comes_back() -> None:
    async with FakeNode([result(42)]) as node, connected(node.url) as transport:
        assert await transport.call("getSlot", [{"commitment": "confirmed"}]) == 42
        (request,) = node.requests
    assert request["method"] == "getSlot"
    assert request["params"] == [{"commitment": "confirmed"}]


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with FakeNode([result(1)]) as node, connected(node.url) as transport:
        for _ in range(5):
            await transport.call("getSlot")
        assert node.connections == 1


async def test_a_kept_connection_that_the_node_closed_is_made_anew() -> None:
    async with FakeNode([result(1)], close_after=True) as node, connected(node.url) as transport:
        assert [await transport.call("getSlot") for _ in range(3)] == [1, 1, 1]


async def test_a_chunked_answer_is_read() -> None:
    chunks = b'8\r\n{"result\r\n5;x=y\r\n":42}\r\n0\r\n\r\n'
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with FakeNode([head + chunks]) as node, connected(node.url) as transport:
        assert await transport.call("getSlot") == 42
        assert await transport.call("getSlot") == 42


async def test_the_next_node_takes_over_and_keeps_the_work() -> None:
    async with FakeNode([result(1)]) as node, connected(REFUSING, node.url) as transport:
        await transport.call("getSlot")
        assert transport.url == node.url
        assert await transport.call("getSlot") == 1


@pytest.mark.parametrize(
    "failing",
    [
        http(b"oops", status="503 Service Unavailable"),
        b"",
        b"SMTP ready\r\n\r\n",
        error(-32005, "Node is behind by 200 slots"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n",
    ],
    ids=["busy", "closed", "no HTTP", "behind", "huge", "negative", "bad chunk", "huge chunk"],
)
async def test_a_node_that_fails_is_passed_over(failing: bytes) -> None:
    async with (
        FakeNode([failing], close_after=True) as bad,
        FakeNode([result(7)]) as good,
        connected(bad.url, good.url) as transport,
    ):
        assert await transport.call("getSlot") == 7


async def test_without_any_node_the_error_names_the_url_and_that_nothing_was_sent() -> None:
    async with connected(REFUSING) as transport:
        with pytest.raises(RpcUnreachable, match=r"127\.0\.0\.1:9: connection refused") as caught:
            await transport.call("getSlot")
    assert not caught.value.sent
    assert REFUSING in caught.value.hint


async def test_a_request_that_may_have_arrived_says_so() -> None:
    async with FakeNode([b""]) as node, connected(node.url) as transport:
        with pytest.raises(RpcUnreachable) as caught:
            await transport.call("sendTransaction")
    assert caught.value.sent


async def test_a_node_that_never_answers_is_given_up() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"
    async with FakeNode([half]) as node, connected(node.url, timeout_seconds=0.05) as transport:
        with pytest.raises(RpcUnreachable, match=r"no answer in 0\.05 s"):
            await transport.call("getSlot")


async def test_an_error_answer_carries_the_nodes_code_and_data() -> None:
    answer = error(-32002, "failed", {"err": "x"})
    async with FakeNode([answer]) as node, connected(node.url) as transport:
        with pytest.raises(RpcError, match="failed") as caught:
            await transport.call("sendTransaction")
    assert (caught.value.code, caught.value.data) == (-32002, {"err": "x"})


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"error": 5}', b"[" * 100_000, b'{"result": 1', b"\xff"],
    ids=["empty", "html", "list", "object", "error", "nested", "cut", "no text"],
)
async def test_an_answer_that_is_no_json_rpc_is_a_typed_error(body: bytes) -> None:
    async with FakeNode([http(body)]) as node, connected(node.url) as transport:
        with pytest.raises(RpcAnswerInvalid):
            await transport.call("getSlot")


@pytest.mark.usefixtures("no_waits")
async def test_a_node_that_is_asked_too_often_is_asked_again_later() -> None:
    busy = http(b"slow down", status="429 Too Many Requests")
    async with FakeNode([busy, busy, result(3)]) as node, connected(node.url) as transport:
        assert await transport.call("getSlot") == 3


@pytest.mark.usefixtures("no_waits")
async def test_a_node_that_stays_busy_is_an_error_in_the_end() -> None:
    busy = http(b"slow down", status="429 Too Many Requests")
    async with FakeNode([busy]) as node, connected(node.url) as transport:
        with pytest.raises(RpcError, match="too many requests"):
            await transport.call("getSlot")
        assert len(node.requests) == 3


async def test_keys_in_a_url_reach_the_node_but_no_message() -> None:
    async with FakeNode([b""]) as node:
        url = node.url.replace("127", "me:secret@127") + "/v1/secret?api-key=secret"
        async with connected(url) as transport:
            with pytest.raises(RpcUnreachable) as caught:
                await transport.call("getSlot")
        assert node.heads[0].startswith("POST /v1/secret?api-key=secret ")
    assert "secret" not in str(caught.value) + caught.value.hint + caught.value.url


@pytest.mark.parametrize("url", ["", "ftp://host", "127.0.0.1:8899", "http://", "http://a:b"])
def test_what_is_no_url_is_refused_with_a_hint(url: str) -> None:
    with pytest.raises(ConfigError):
        HttpTransport(url)


def test_no_url_at_all_is_refused() -> None:
    with pytest.raises(ConfigError):
        HttpTransport([])


def test_clusters_have_short_names() -> None:
    assert cluster_url("devnet") == "https://api.devnet.solana.com"
    assert cluster_url("http://127.0.0.1:1") == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8899", "ws://127.0.0.1:8900"),
        ("http://[::1]:8899", "ws://[::1]:8900"),
        ("https://api.devnet.solana.com", "wss://api.devnet.solana.com"),
        ("https://host/path?key=1", "wss://host/path?key=1"),
    ],
)
def test_subscriptions_are_where_custom_has_them(url: str, expected: str) -> None:
    assert websocket_url(url) == expected


def test_a_url_is_shown_without_user_path_and_query() -> None:
    assert shown_url("https://me:pw@host:1/path?key=1") == "https://host:1"


@contextlib.asynccontextmanager
async def socket_node(*messages: str | bytes) -> Any:
    """Yield a transport whose node confirms a subscription, then sends messages and closes."""
    requests = []

    async def handler(connection: ServerConnection) -> None:
        requests.append(json.loads(await connection.recv()))
        for message in messages:
            await connection.send(message)

    async with serve(handler, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        transport = HttpTransport(REFUSING, websocket_urls=[f"ws://127.0.0.1:{port}"])
        yield transport, requests


CONFIRMED = '{"jsonrpc":"2.0","id":1,"result":5}'


async def test_a_subscription_yields_none_then_notifications_then_its_end() -> None:
    note = '{"method":"accountNotification","params":{"subscription":5,"result":{"x":1}}}'
    async with socket_node(CONFIRMED, note) as (transport, requests):
        stream = transport.subscribe("accountSubscribe", ["address"])
        assert await anext(stream) is None
        assert await anext(stream) == {"x": 1}
        with pytest.raises(RpcUnreachable):
            await anext(stream)
    assert requests[0]["method"] == "accountSubscribe"


@pytest.mark.parametrize("message", ["{}", "[]", b"\xff", "x", '{"params":5}', '{"params":{}}'])
async def test_a_hostile_notification_is_a_typed_error(message: str | bytes) -> None:
    async with socket_node(CONFIRMED, message) as (transport, _):
        stream = transport.subscribe("accountSubscribe")
        await anext(stream)
        with pytest.raises(RpcAnswerInvalid):
            await anext(stream)


async def test_a_refused_subscription_is_the_nodes_error() -> None:
    refusal = '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"bad"}}'
    async with socket_node(refusal) as (transport, _):
        with pytest.raises(RpcError, match="bad"):
            await anext(transport.subscribe("accountSubscribe"))


async def test_leaving_a_subscription_closes_its_connection() -> None:
    async with socket_node(CONFIRMED) as (transport, _):
        stream = transport.subscribe("accountSubscribe")
        await anext(stream)
        await stream.aclose()
    assert len(asyncio.all_tasks()) == 1
