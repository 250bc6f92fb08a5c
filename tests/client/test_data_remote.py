"""Data from elsewhere: one contract for every kind of place; no lie, stall or cut goes through."""

import asyncio
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from solders.keypair import Keypair

from psyche_client.data.errors import DataError, ListenError
from psyche_client.data.http import HttpSource
from psyche_client.data.manifest import BLOCK_BYTES, MANIFEST_NAME, Manifest
from psyche_client.data.mirrors import Mirrors, Source, SourceError
from psyche_client.data.remote import Remote
from psyche_client.data.serving import DataServer
from psyche_client.data.shards import Shards
from psyche_client.data.tcp import TcpSource
from psyche_client.serving import signed_by
from support.corpus import LENGTH, MANIFEST, TOKENIZER, TOKENS, write_corpus

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


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever, daemon=True)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


@pytest.fixture(scope="module")
def web(corpus: Path) -> Iterator[Source]:
    def handler(*args: object) -> Ranges:
        return Ranges(*args, directory=str(corpus))  # type: ignore[arg-type]

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield HttpSource(f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()


async def knows_member(key: bytes) -> bool:
    return key == bytes(MEMBER.pubkey())


@pytest.fixture(scope="module")
def data_server(corpus: Path, loop: asyncio.AbstractEventLoop) -> Iterator[tuple[DataServer, int]]:
    server = DataServer(corpus, run=RUN, is_member=knows_member, verify=signed_by, seconds=5)
    listening = asyncio.run_coroutine_threadsafe(server.start("127.0.0.1", 0), loop).result()
    yield server, listening.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(listening.close)


def tcp_source(port: int, *, key: Keypair = MEMBER, run: bytes = RUN) -> TcpSource:
    return TcpSource(
        "127.0.0.1",
        port,
        run=run,
        node_key=bytes(key.pubkey()),
        sign=lambda text: bytes(key.sign_message(text)),
        seconds=5,
    )


@pytest.fixture(params=["http", "tcp"])
def source(request: pytest.FixtureRequest) -> Source:
    if request.param == "http":
        found: Source = request.getfixturevalue("web")
        return found
    return tcp_source(request.getfixturevalue("data_server")[1])


async def no_pause(_seconds: float) -> None:
    """Trying again need not wait here."""


def fetched(folder: Path, *sources: Source) -> Shards:
    return Shards(
        folder,
        tokenizer_sha256=TOKENIZER.sha256,
        merkle_root=MANIFEST.merkle_root(),
        remote=Remote([], mirrors=Mirrors(sources, pause=no_pause)),
    )


class Place:
    """A place that spoils what an honest one gives."""

    def __init__(self, inner: Source, spoil: Callable[[bytes], bytes]) -> None:
        self.name, self._inner, self._spoil = "spoiler", inner, spoil
        self.asked: list[str] = []

    async def read(self, file: str, start: int, size: int) -> bytes:
        self.asked.append(file)
        return self._spoil(await self._inner.read(file, start, size))

    async def whole(self, file: str, bytes_max: int) -> bytes:
        self.asked.append(file)
        return self._spoil(await self._inner.whole(file, bytes_max))


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def stalled(_data: bytes) -> bytes:
    raise SourceError("no whole answer in 60 seconds")


# The contract


def test_every_place_gives_the_sequences_of_the_folder(
    source: Source, corpus: Path, tmp_path: Path
) -> None:
    there = Shards(corpus)
    here = fetched(tmp_path, source)
    ids = np.array([0, 37_499, 37_500, here.count - 1, 5, 5])
    assert here.count == there.count
    assert np.array_equal(here.sequences(ids), there.sequences(ids))
    assert here.tokenizer().sha256 == there.tokenizer().sha256


def test_what_came_in_is_kept_and_needs_nobody_again(
    source: Source, corpus: Path, tmp_path: Path
) -> None:
    fetched(tmp_path, source).verify()
    Shards(tmp_path).verify()
    for file in corpus.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_only_the_blocks_that_are_wanted_are_fetched(source: Source, tmp_path: Path) -> None:
    asked = Place(source, lambda data: data)
    shards = fetched(tmp_path, asked)
    asked.asked.clear()
    shards.sequences(np.array([0]))
    shards.sequences(np.array([1]))
    assert asked.asked == ["train-00000.bin"]


def test_a_damaged_block_of_the_cache_is_fetched_again(source: Source, tmp_path: Path) -> None:
    fetched(tmp_path, source).verify()
    path = tmp_path / "train-00000.bin"
    raw = path.read_bytes()
    path.write_bytes(flipped(raw))
    found = fetched(tmp_path, source).sequences(np.array([0]))
    assert found[0].tolist() == TOKENS[: LENGTH + 1].tolist()
    assert path.read_bytes() == raw


def test_prefetched_blocks_are_there_when_their_sequences_are_read(
    source: Source, tmp_path: Path
) -> None:
    asked = Place(source, lambda data: data)
    shards = fetched(tmp_path, asked)
    last = np.array([shards.count - 1])
    shards.prefetch(last)
    first = shards.sequences(last)
    before = list(asked.asked)
    assert np.array_equal(shards.sequences(last), first)
    assert asked.asked == before


def test_a_file_that_is_not_there_and_a_range_past_the_end_are_refused(source: Source) -> None:
    for name, start in (("train-00009.bin", 0), ("train-00002.bin", 30)):
        with pytest.raises(SourceError):
            asyncio.run(source.read(name, start, 20))


def test_a_file_longer_than_allowed_is_refused(source: Source) -> None:
    with pytest.raises(SourceError, match="more than 100 bytes"):
        asyncio.run(source.whole("train-00000.bin", 100))


# Mirrors


@pytest.mark.parametrize("spoil", [flipped, stalled, lambda data: data[:-1]])
def test_one_honest_place_among_bad_ones_is_enough(
    source: Source, spoil: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    bad = Place(source, spoil)
    fetched(tmp_path, bad, source).verify()
    Shards(tmp_path).verify()


def test_a_place_that_lied_once_is_never_asked_again(web: Source, tmp_path: Path) -> None:
    liar = Place(web, flipped)
    fetched(tmp_path, liar, web).verify()
    assert len(liar.asked) == 1


def test_a_place_that_stalls_is_asked_after_the_others(web: Source, tmp_path: Path) -> None:
    slow = Place(web, stalled)
    fetched(tmp_path, slow, web).verify()
    assert len(slow.asked) == 1


def test_where_all_lie_the_error_names_each_and_what_it_did(web: Source, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="spoiler: it sent other bytes") as caught:
        fetched(tmp_path, Place(web, flipped))
    assert "--data" in caught.value.hint
    assert not (tmp_path / MANIFEST_NAME).exists()


def test_a_place_that_recovers_is_asked_again(web: Source, tmp_path: Path) -> None:
    times = iter(range(100))

    def sometimes(data: bytes) -> bytes:
        return stalled(data) if next(times) % 3 else data

    fetched(tmp_path, Place(web, sometimes)).verify()


def test_a_manifest_with_other_names_or_lengths_has_another_root(corpus: Path) -> None:
    manifest = Manifest.read(corpus)
    text = manifest.encode().decode()
    for old, new in (("train-00000.bin", "train-00007.bin"), ('"tokens": 20', '"tokens": 21')):
        assert old in text
        with pytest.raises(DataError, match="Merkle root"):
            Manifest.decode(text.replace(old, new).encode())


# The server of data


@pytest.mark.parametrize(
    ("key", "run", "reason"),
    [
        (Keypair.from_seed(bytes(31) + b"x"), RUN, "not one of the run's members"),
        (MEMBER, bytes(32), "signature is not"),
    ],
)
def test_who_is_no_member_or_signs_for_another_run_gets_nothing(
    data_server: tuple[DataServer, int], key: Keypair, run: bytes, reason: str
) -> None:
    server, port = data_server
    before = server.served.sent_bytes
    with pytest.raises(SourceError, match=reason):
        asyncio.run(tcp_source(port, key=key, run=run).read("train-00000.bin", 0, 20))
    assert server.served.sent_bytes == before


@pytest.mark.parametrize("name", ["../manifest.json", "/etc/passwd", ".", "", "x" * 200])
def test_only_files_of_the_manifest_are_served(
    data_server: tuple[DataServer, int], name: str
) -> None:
    with pytest.raises(SourceError, match="no such file"):
        asyncio.run(tcp_source(data_server[1]).read(name, 0, 20))


def test_a_read_is_never_longer_than_a_block(data_server: tuple[DataServer, int]) -> None:
    with pytest.raises(SourceError, match=f"1 to {BLOCK_BYTES} bytes"):
        asyncio.run(tcp_source(data_server[1]).read("train-00000.bin", 0, BLOCK_BYTES + 1))


@pytest.mark.parametrize(
    ("host", "words"), [("127.0.0.1", "port {} is in use"), ("203.0.113.1", "Cannot assign")]
)
def test_where_nobody_can_listen_is_told_in_a_few_words(
    data_server: tuple[DataServer, int], host: str, words: str
) -> None:
    server, port = data_server
    with pytest.raises(ListenError) as caught:
        asyncio.run(server.start(host, port))
    assert words.format(port) in str(caught.value)
    assert "Errno" not in str(caught.value)
    assert "--bind" in caught.value.hint


def test_who_says_nothing_is_sent_away(corpus: Path) -> None:
    async def wait() -> bytes:
        server = DataServer(corpus, run=RUN, is_member=knows_member, verify=signed_by, seconds=0.01)
        async with await server.start("127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            said = await reader.read()
            writer.close()
            return said

    assert len(asyncio.run(wait())) == 40  # the greeting, and nothing more


def test_a_place_that_sends_garbage_is_no_server_of_data() -> None:
    async def wait() -> None:
        async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(hashlib.sha256().digest() * 4)
            writer.close()

        async with await asyncio.start_server(babble, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            with pytest.raises(SourceError, match="no server of data"):
                await tcp_source(port).read("manifest.json", 0, 1)
            await HttpSource(f"http://127.0.0.1:{port}").whole("manifest.json", 100)

    with pytest.raises(SourceError):
        asyncio.run(wait())
