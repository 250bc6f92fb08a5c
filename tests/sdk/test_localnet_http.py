"""The HTTP server of the embedded chain against careless and hostile clients."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.account import Account
from solders.pubkey import Pubkey

from psyche_sdk.localnet import Localnet, _accounts, _http, _rpc
from psyche_sdk.localnet._bank import Bank
from psyche_sdk.localnet._methods import METHODS
from psyche_sdk.localnet._slots import SlotsStart

HEALTH = b'{"jsonrpc":"2.0","id":1,"method":"getHealth"}'


@pytest.fixture
async def chain():
    async with Localnet(slot_ms=0, seed=b"http") as running:
        yield running


class Wire:
    """A bare connection."""

    def __init__(self, chain):
        self.port = chain.port

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self):
        """Returns the status and the body of the next answer."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        body = await self.reader.readexactly(int(fields["content-length"]))
        return int(lines[0].split()[1]), body

    async def ended(self):
        return await self.reader.read() == b""


def post(body, *fields):
    head = "\r\n".join(["POST / HTTP/1.1", f"content-length: {len(body)}", *fields])
    return head.encode() + b"\r\n\r\n" + body


async def asked(chain, data):
    async with Wire(chain) as wire:
        await wire.send(data)
        return await wire.answer()


async def test_one_connection_serves_many_requests(chain):
    async with Wire(chain) as wire:
        await wire.send(post(HEALTH) + post(HEALTH))

        first, second = await wire.answer(), await wire.answer()

    assert first == second
    assert json.loads(first[1])["result"] == "ok"


async def test_a_client_that_asks_to_close_is_obliged(chain):
    async with Wire(chain) as wire:
        await wire.send(post(HEALTH, "Connection: close"))
        await wire.answer()

        assert await wire.ended()


async def test_a_client_that_waits_for_permission_to_send_gets_it(chain):
    async with Wire(chain) as wire:
        head = post(HEALTH, "Expect: 100-continue")[: -len(HEALTH)]
        await wire.send(head)
        assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"

        await wire.send(HEALTH)

        assert (await wire.answer())[0] == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /health HTTP/1.1\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"OPTIONS / HTTP/1.1\r\n\r\n", 204),
        (b"PUT / HTTP/1.1\r\n\r\n", 405),
        (b"POST / HTTP/1.1\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: 1e3\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\ncontent-length: 600000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n folded: x\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nx: " + b"y" * 40_000 + b"\r\n\r\n", 431),
    ],
)
async def test_a_strange_request_gets_the_status_that_says_what_is_wrong(chain, data, status):
    assert (await asked(chain, data))[0] == status
    assert (await asked(chain, post(HEALTH)))[0] == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (b'"getHealth"', -32600),
        (b'{"id": 1}', -32600),
        (b'{"id": 1, "method": 7}', -32600),
        (b'{"id": 1, "method": "noSuchThing"}', -32601),
        (b'{"id": 1, "method": "getBalance", "params": {"address": 1}}', -32602),
        (b'{"id": 1, "method": "getBalance", "params": ["x"]}', -32602),
        (b'{"id": 1, "method": "getBalance", "params": ["\\ud800"]}', -32602),
        (b'{"id": 1, "method": "getSlot", "params": [{"commitment": ["x"]}]}', -32602),
        (b'{"id": 1, "method": "getSlot", "params": [{"minContextSlot": 1e99}]}', -32602),
        (b'{"id": 1, "method": "getBlockTime", "params": [true]}', -32602),
        (b'{"id": 1, "method": "getBlockTime", "params": [-1]}', -32602),
        (b'{"id": 1, "method": "getBlockTime", "params": [5]}', -32004),
        (b'{"id": 1, "method": "sendTransaction", "params": ["0OIl"]}', -32602),
        (b'{"id": 1, "method": "localnetAdvance", "params": [0]}', -32602),
    ],
)
async def test_a_malformed_call_gets_the_code_that_says_what_is_wrong(chain, body, code):
    status, answer = await asked(chain, post(body))

    assert status == 200
    assert json.loads(answer)["error"]["code"] == code


async def test_a_notification_gets_no_answer(chain):
    assert await asked(chain, post(b'{"jsonrpc":"2.0","method":"getHealth"}')) == (200, b"")


async def test_a_batch_is_answered_in_order_without_its_notifications(chain):
    batch = [
        {"jsonrpc": "2.0", "id": "a", "method": "getSlot"},
        {"jsonrpc": "2.0", "method": "getSlot"},
        {"jsonrpc": "2.0", "id": "b", "method": "noSuchThing"},
    ]

    answers = json.loads((await asked(chain, post(json.dumps(batch).encode())))[1])

    assert [answer["id"] for answer in answers] == ["a", "b"]
    assert "error" in answers[1]


async def test_a_batch_longer_than_the_limit_is_refused(chain):
    batch = [json.loads(HEALTH)] * (_rpc.BATCH_MAX + 1)

    answer = json.loads((await asked(chain, post(json.dumps(batch).encode())))[1])

    assert answer["error"]["code"] == -32600


async def test_a_batch_whose_answers_grow_too_long_is_refused(chain, monkeypatch):
    monkeypatch.setattr(_rpc, "BATCH_ANSWER_BYTES_MAX", 100)
    batch = [json.loads(HEALTH)] * 10

    answer = json.loads((await asked(chain, post(json.dumps(batch).encode())))[1])

    assert "answers are longer" in answer["error"]["message"]


async def test_one_account_asked_for_many_times_does_not_fill_the_memory(chain, monkeypatch):
    monkeypatch.setattr(_accounts, "_DATA_BYTES_MAX", 1_000)
    address = Pubkey.from_bytes(bytes([9]) * 32)
    chain.set_account(address, Account(1, bytes(300), address, False, 0))
    call = {"id": 1, "method": "getMultipleAccounts", "params": [[str(address)] * 4]}

    answer = json.loads((await asked(chain, post(json.dumps(call).encode())))[1])

    assert "more than 1000 bytes" in answer["error"]["message"]


async def test_a_request_that_trickles_in_is_ended(chain, monkeypatch):
    monkeypatch.setattr(_http, "REQUEST_SECONDS_MAX", 0.01)
    async with Wire(chain) as wire:
        await wire.send(b"POST / HTTP/1.1\r\n")

        assert (await wire.answer())[0] == 408
        assert await wire.ended()


async def test_a_silent_connection_is_ended(chain, monkeypatch):
    monkeypatch.setattr(_http, "IDLE_SECONDS_MAX", 0.01)
    async with Wire(chain) as wire:
        assert await wire.ended()


async def test_connections_beyond_the_limit_are_turned_away_and_the_others_stay(chain, monkeypatch):
    monkeypatch.setattr(_http, "CONNECTIONS_MAX", 2)
    async with Wire(chain) as first, Wire(chain) as second:
        for wire in (first, second):
            await wire.send(post(HEALTH))
            await wire.answer()
        async with Wire(chain) as third:
            assert (await third.answer())[0] == 503

        await first.send(post(HEALTH))

        assert (await first.answer())[0] == 200


async def test_a_client_that_goes_away_in_the_middle_harms_nobody(chain):
    async with Wire(chain) as wire:
        await wire.send(post(HEALTH)[:-5])
        wire.writer.transport.abort()

    assert (await asked(chain, post(HEALTH)))[0] == 200


async def test_answers_that_nobody_takes_are_bounded_all_together(chain, monkeypatch):
    monkeypatch.setattr(_http, "_ANSWERS_BYTES_MAX", 10)

    status, words = await asked(chain, post(HEALTH))

    assert (status, words) == (503, b"too many unread answers")


async def test_stopping_the_chain_ends_open_connections():
    chain = await Localnet(slot_ms=0).start()
    async with Wire(chain) as wire:
        await wire.send(post(HEALTH))
        await wire.answer()

        await chain.stop()

        assert await wire.ended()


BANK = Bank(SlotsStart(bytes(32)), 1_800_000_000.0)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=50)
    | st.sampled_from(["11111111111111111111111111111111", "base64", "base58", "AAAA", "json"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "encoding",
                    "commitment",
                    "filters",
                    "memcmp",
                    "bytes",
                    "offset",
                    "dataSize",
                    "dataSlice",
                    "length",
                    "accounts",
                    "addresses",
                    "limit",
                    "before",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(method=st.sampled_from(sorted(METHODS)), params=JSON | st.lists(JSON, max_size=4))
def test_no_parameters_make_a_method_fail_inside(method, params):
    answer = _rpc.dispatch(BANK, METHODS, {"id": 1, "method": method, "params": params})

    json.dumps(answer)
    assert answer.get("error", {}).get("code") != -32603


@given(st.binary(max_size=400))
def test_no_bytes_sent_as_a_transaction_make_the_chain_fail_inside(data):
    for method in ("sendTransaction", "simulateTransaction"):
        params = [data.hex(), {"encoding": "base64"}]
        answer = _rpc.dispatch(BANK, METHODS, {"id": 1, "method": method, "params": params})

        assert answer.get("error", {}).get("code") in (None, -32602, -32002)
