"""Shards on disk: what sequences are, and that no damage goes unseen."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psyche_client.data.errors import DataError
from psyche_client.data.manifest import (
    BLOCK_BYTES,
    MANIFEST_NAME,
    TOKENIZER_NAME,
    Manifest,
    Part,
    Shard,
    Split,
    merkle_root,
)
from psyche_client.data.shards import Shards
from psyche_client.data.tokenizer import Tokenizer
from support.corpus import COUNTS, LENGTH, TOKENIZER, TOKENS, write_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write_corpus(tmp_path)
    return tmp_path


def test_sequence_i_begins_at_token_i_times_length(corpus: Path) -> None:
    shards = Shards(corpus)
    ids = np.array([0, shards.count - 1, 37_500, 37_499, 5, 5])
    found = shards.sequences(ids)
    assert found.dtype == np.int64
    for row, i in zip(found, ids, strict=True):
        assert row.tolist() == TOKENS[i * LENGTH : i * LENGTH + LENGTH + 1].tolist()


def test_every_sequence_across_shard_borders_is_the_text_as_it_was(corpus: Path) -> None:
    shards = Shards(corpus)
    found = shards.sequences(np.arange(shards.count))
    assert np.array_equal(found[:, :-1].reshape(-1), TOKENS[: shards.count * LENGTH])


def test_count_leaves_room_for_the_last_target(corpus: Path) -> None:
    shards = Shards(corpus)
    assert shards.tokens == sum(COUNTS)
    assert shards.count == (sum(COUNTS) - 1) // LENGTH == shards.manifest.sequences
    exact = Shards(corpus, sequence_tokens=sum(COUNTS) - 1)
    assert exact.count == 1
    assert exact.sequences(np.array([0])).shape == (1, sum(COUNTS))


def test_no_ids_give_no_sequences(corpus: Path) -> None:
    assert Shards(corpus).sequences(np.array([], dtype=np.int64)).shape == (0, LENGTH + 1)


@pytest.mark.parametrize("bad", [-1, (sum(COUNTS) - 1) // LENGTH])
def test_an_id_out_of_range_is_refused(corpus: Path, bad: int) -> None:
    with pytest.raises(DataError, match="sequence ids"):
        Shards(corpus).sequences(np.array([0, bad]))


def test_a_missing_corpus_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no prepared corpus") as caught:
        Shards(tmp_path / "none")
    assert "psyche data prepare" in caught.value.hint


@pytest.mark.parametrize(("change", "word"), [(-2, "truncated"), (2, "too long")])
def test_a_shard_of_another_size_is_refused_when_opened(
    corpus: Path, change: int, word: str
) -> None:
    path = corpus / "train-00001.bin"
    raw = path.read_bytes()
    path.write_bytes(raw[:change] if change < 0 else raw + bytes(change))
    with pytest.raises(DataError, match=word) as caught:
        Shards(corpus)
    assert caught.value.hint


def test_a_missing_shard_is_refused_when_opened(corpus: Path) -> None:
    (corpus / "train-00002.bin").unlink()
    with pytest.raises(DataError, match="train-00002"):
        Shards(corpus)


def test_a_tampered_block_is_found_when_it_is_first_read(corpus: Path) -> None:
    path = corpus / "train-00000.bin"
    raw = bytearray(path.read_bytes())
    raw[BLOCK_BYTES + 10] ^= 1
    path.write_bytes(raw)
    shards = Shards(corpus)
    shards.sequences(np.array([0]))
    for _ in range(2):
        with pytest.raises(DataError, match="block 1"):
            shards.sequences(np.array([BLOCK_BYTES // 2 // LENGTH]))
    with pytest.raises(DataError, match="block 1"):
        shards.verify()


def test_an_untouched_corpus_verifies_whole(corpus: Path) -> None:
    Shards(corpus).verify()


def test_a_corpus_of_another_tokenizer_than_the_run_is_refused(corpus: Path) -> None:
    Shards(corpus, tokenizer_sha256=TOKENIZER.sha256)
    with pytest.raises(DataError, match="another tokenizer") as caught:
        Shards(corpus, tokenizer_sha256=bytes(32))
    assert caught.value.hint


def test_a_corpus_of_another_root_than_the_run_is_refused(corpus: Path) -> None:
    Shards(corpus, merkle_root=Manifest.read(corpus).merkle_root())
    with pytest.raises(DataError, match="Merkle roots differ") as caught:
        Shards(corpus, merkle_root=bytes(32))
    assert caught.value.hint


def test_an_exchanged_tokenizer_is_refused(corpus: Path) -> None:
    assert Shards(corpus).tokenizer().sha256 == TOKENIZER.sha256
    (corpus / TOKENIZER_NAME).write_text(Tokenizer.train(["aa bb"] * 9, 260).text)
    with pytest.raises(DataError, match="not the tokenizer"):
        Shards(corpus).tokenizer()


@pytest.mark.parametrize("raw", [b"", b"{}", b"\xff\xfe", b'{"model": 1}'], ids=range(4))
def test_a_broken_tokenizer_is_an_error_of_ours(corpus: Path, raw: bytes) -> None:
    (corpus / TOKENIZER_NAME).write_bytes(raw)
    with pytest.raises(DataError):
        Shards(corpus).tokenizer()


def test_a_token_outside_the_vocabulary_is_refused(corpus: Path) -> None:
    manifest = replace(Manifest.read(corpus), vocab_size=100)
    (corpus / MANIFEST_NAME).write_bytes(manifest.encode())
    with pytest.raises(DataError, match="vocabulary"):
        Shards(corpus).sequences(np.arange(50))


def test_a_manifest_survives_its_bytes(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path)
    assert Manifest.decode(manifest.encode()) == manifest


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["version"], 2),
        (["dtype"], "float32"),
        (["merkle_root"], "00" * 32),
        (["sequence_tokens"], 0),
        (["sequence_tokens"], True),
        (["vocab_size"], 1 << 60),
        (["tokenizer_sha256"], "zz"),
        (["train"], {}),
        (["train", 0], 5),
        (["train", 0, "name"], "../../etc/passwd"),
        (["train", 0, "name"], "train-00001.bin"),
        (["train", 0, "tokens"], -1),
        (["train", 0, "tokens"], 10**17),
        (["train", 0, "blocks"], []),
        (["train", 0, "blocks"], ["x", "y"]),
        (["sources"], None),
    ],
    ids=str,
)
def test_a_false_manifest_is_refused(corpus: Path, path: list[str | int], value: object) -> None:
    body = json.loads((corpus / MANIFEST_NAME).read_bytes())
    inner = body
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    (corpus / MANIFEST_NAME).write_text(json.dumps(body))
    with pytest.raises(DataError) as caught:
        Shards(corpus)
    assert caught.value.hint


@pytest.mark.parametrize("raw", [b"", b"[]", b"[" * 50_000, b"\xff", b"1" * 9_000], ids=range(5))
def test_bytes_that_are_no_manifest_are_refused(raw: bytes) -> None:
    with pytest.raises(DataError):
        Manifest.decode(raw)


PARTS: tuple[tuple[Part, ...], ...] = ((), (Part(3, 1),))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_manifest_never_crashes(data: st.DataObject) -> None:
    block = Shard("train-00000.bin", 9, (b"\x01" * 32,))
    whole = Manifest(
        dtype="uint16", sequence_tokens=2, vocab_size=300, tokenizer_sha256=bytes(32),
        train=Split((block,)), val=Split(()), sources=(), parts=data.draw(st.sampled_from(PARTS)),
    )  # fmt: skip
    raw = bytearray(whole.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = Manifest.decode(bytes(raw))
    except DataError:
        return
    assert found.merkle_root() == whole.merkle_root()


def test_the_merkle_root_is_the_documented_tree() -> None:
    def digest_of(data: bytes) -> bytes:
        return sha256(data).digest()

    a, b, c = (bytes([i]) * 32 for i in range(3))
    leaf_a, leaf_b, leaf_c = (digest_of(b"\x00" + leaf) for leaf in (a, b, c))
    pair = digest_of(b"\x01" + leaf_a + leaf_b)
    assert merkle_root([]) == bytes(32)
    assert merkle_root([a]) == leaf_a
    assert merkle_root([a, b]) == pair
    assert merkle_root([a, b, c]) == digest_of(b"\x01" + pair + leaf_c)
