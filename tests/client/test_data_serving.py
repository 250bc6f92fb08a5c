"""The server of data: members alone, files of the manifest alone, and room for who is a member."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from solders.keypair import Keypair

from psyche_client.data import serving
from psyche_client.data.errors import ListenError
from psyche_client.data.manifest import BLOCK_BYTES
from psyche_client.data.mirrors import SourceError
from psyche_client.data.serving import DataServer
from psyche_client.data.tcp import SPAN, signed_text
from psyche_client.serving import signed_by
from support.corpus import write_corpus
from support.places import MEMBER, RUN, knows_member, tcp_source

FILE = "train-00000.bin"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


@contextlib.asynccontextmanager
async def served(corpus: Path, *, seconds: float = 5) -> AsyncIterator[tuple[DataServer, int]]:
    server = DataServer(corpus, run=RUN, is_member=knows_member, verify=signed_by, seconds=seconds)
    async with await server.start("127.0.0.1", 0) as listening:
        yield server, listening.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("key", "run", "reason"),
    [
        (Keypair.from_seed(bytes(31) + b"x"), RUN, "not one of the run's members"),
        (MEMBER, bytes(32), "signature is not"),
    ],
)
async def test_who_is_no_member_or_signs_for_another_run_gets_nothing(
    corpus: Path, key: Keypair, run: bytes, reason: str
) -> None:
    async with served(corpus) as (server, port):
        with pytest.raises(SourceError, match=reason):
            await tcp_source(port, key=key, run=run).read(FILE, 0, 20)
        assert (server.served.sent_bytes, server.served.refused) == (0, 1)


@pytest.mark.parametrize("name", ["../manifest.json", "/etc/passwd", ".", "", "x" * 200])
async def test_only_files_of_the_manifest_are_served(corpus: Path, name: str) -> None:
    async with served(corpus) as (_, port):
        with pytest.raises(SourceError, match="no such file"):
            await tcp_source(port).read(name, 0, 20)


async def test_a_read_is_never_longer_than_a_block(corpus: Path) -> None:
    async with served(corpus) as (_, port):
        with pytest.raises(SourceError, match=f"1 to {BLOCK_BYTES} bytes"):
            await tcp_source(port).read(FILE, 0, BLOCK_BYTES + 1)


async def test_who_says_nothing_is_sent_away(corpus: Path) -> None:
    async with served(corpus, seconds=0.01) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert len(await reader.read()) == 40  # the greeting, and nothing more
        writer.close()


async def test_a_greeting_has_less_time_than_a_request(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "GREETING_SECONDS_MAX", 0.01)
    async with served(corpus, seconds=3_600) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert len(await reader.read()) == 40
        writer.close()


async def test_strangers_that_wait_keep_no_member_out(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "STRANGERS_MAX", 3)
    monkeypatch.setattr(serving, "CONNECTIONS_MAX", 1)
    async with served(corpus, seconds=3_600) as (_, port):
        strangers = [await _stranger(port) for _ in range(5)]
        for reader, _ in strangers[:2]:
            assert await reader.read() == b""  # the oldest were cut off
        assert len(await tcp_source(port).read(FILE, 0, 20)) == 20
        assert await strangers[2][0].read() == b""  # and one more, for the member's sake
        assert not any(reader.at_eof() for reader, _ in strangers[3:])
        for _, writer in strangers:
            writer.close()


async def _stranger(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readexactly(40)
    return reader, writer


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("MEMBER_CONNECTIONS_MAX", "too many connections of this member"),
        ("CONNECTIONS_MAX", "too many connections; try again later"),
    ],
)
async def test_a_member_has_only_so_many_connections_and_gets_them_back(
    corpus: Path, limit: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, limit, 1)
    async with served(corpus) as (server, port):
        source = tcp_source(port)
        async with source._connected() as ask:
            assert len(await ask(FILE, 0, 20)) == 20
            with pytest.raises(SourceError, match=reason):
                await source.read(FILE, 0, 20)
        while server._of_member:  # it has yet to see that the first has gone
            await asyncio.sleep(0)
        assert len(await source.read(FILE, 0, 20)) == 20


async def test_answers_that_nobody_takes_are_not_kept(corpus: Path) -> None:
    async with served(corpus, seconds=0.05) as (_, port):
        for writer in await _taking_nothing(port):
            # It is told that the server hung up, though it takes none of what was sent before.
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(_talking(writer), 10)


async def _talking(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"\0")
        await writer.drain()
        await asyncio.sleep(0)


async def _taking_nothing(port: int) -> list[asyncio.StreamWriter]:
    """Connections of a member that asks for more than sockets hold, and reads none of it."""
    ask = bytes([len(FILE)]) + FILE.encode() + SPAN.pack(0, BLOCK_BYTES)
    writers = []
    for _ in range(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=64)
        nonce = (await reader.readexactly(40))[-32:]
        signature = bytes(MEMBER.sign_message(signed_text(RUN, nonce)))
        writer.transport.pause_reading()
        writer.write(bytes(MEMBER.pubkey()) + signature + 20 * ask)
        writers.append(writer)
    return writers


@pytest.mark.parametrize(
    ("host", "words"), [("127.0.0.1", "port {} is in use"), ("203.0.113.1", "Cannot assign")]
)
async def test_where_nobody_can_listen_is_told_in_a_few_words(
    corpus: Path, host: str, words: str
) -> None:
    async with served(corpus) as (server, port):
        with pytest.raises(ListenError) as caught:
            await server.start(host, port)
    assert words.format(port) in str(caught.value)
    assert "Errno" not in str(caught.value)
    assert "--bind" in caught.value.hint
