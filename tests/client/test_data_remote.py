"""Data from elsewhere: one contract for every kind of place; no lie, stall or cut goes through."""

import asyncio
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from psyche_client.data.errors import DataError
from psyche_client.data.http import HttpSource
from psyche_client.data.manifest import MANIFEST_NAME, Manifest
from psyche_client.data.mirrors import Source, SourceError
from psyche_client.data.serving import DataServer
from psyche_client.data.shards import Shards
from psyche_client.serving import signed_by
from support.corpus import LENGTH, TOKENS, write_corpus
from support.places import RUN, Misbehaving, Ranges, fetched, knows_member, tcp_source


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


@pytest.fixture(scope="module")
def tcp(corpus: Path, loop: asyncio.AbstractEventLoop) -> Iterator[Source]:
    server = DataServer(corpus, run=RUN, is_member=knows_member, verify=signed_by, seconds=5)
    listening = asyncio.run_coroutine_threadsafe(server.start("127.0.0.1", 0), loop).result()
    yield tcp_source(listening.sockets[0].getsockname()[1])
    loop.call_soon_threadsafe(listening.close)


@pytest.fixture(params=["web", "tcp"])
def source(request: pytest.FixtureRequest) -> Source:
    found: Source = request.getfixturevalue(request.param)
    return found


class Place:
    """A place that spoils what an honest one gives, or `blocks` alone."""

    def __init__(
        self, inner: Source, spoil: Callable[[bytes], bytes], *, blocks: bool = False
    ) -> None:
        self.name, self._inner, self._spoil, self._blocks = "spoiler", inner, spoil, blocks
        self.asked: list[str] = []

    async def read(self, file: str, start: int, size: int) -> bytes:
        self.asked.append(file)
        return self._spoil(await self._inner.read(file, start, size))

    async def whole(self, file: str, bytes_max: int) -> bytes:
        self.asked.append(file)
        data = await self._inner.whole(file, bytes_max)
        return data if self._blocks else self._spoil(data)


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


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("spoil", [flipped, stalled, lambda data: data[:-1]])
def test_one_honest_place_among_bad_ones_is_enough(
    source: Source, spoil: Callable[[bytes], bytes], tmp_path: Path, *, blocks: bool
) -> None:
    bad = Place(source, spoil, blocks=blocks)
    fetched(tmp_path, bad, source).verify()
    Shards(tmp_path).verify()


@pytest.mark.parametrize("spoil", [flipped, lambda data: data[:-1], lambda data: data + b"\0"])
def test_a_wrong_block_of_the_only_place_is_an_error_and_is_not_kept(
    web: Source, spoil: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    shards = fetched(tmp_path, Place(web, spoil, blocks=True))
    with pytest.raises(DataError, match="spoiler: it sent other bytes"):
        shards.sequences(np.array([0]))
    assert not any((tmp_path / "train-00000.bin").read_bytes())


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


@pytest.mark.parametrize("kind", ["http", "tcp"])
@pytest.mark.parametrize("way", ["lies", "stalls", "truncates", "drips"])
def test_a_mirror_that_misbehaves_on_the_wire_is_caught_and_left(
    kind: str, way: str, web: Source, loop: asyncio.AbstractEventLoop, tmp_path: Path
) -> None:
    server = Misbehaving(kind, way)
    bad = asyncio.run_coroutine_threadsafe(server.start(), loop).result()
    fetched(tmp_path, bad, web).verify()
    loop.call_soon_threadsafe(server.close)
    Shards(tmp_path).verify()
    assert server.connections == 1


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
