"""From text to shards: what is trained on, what is held out, what is refused."""

from pathlib import Path

import numpy as np
import pytest

from psyche_client.data.errors import DataError
from psyche_client.data.manifest import MANIFEST_NAME
from psyche_client.data.prepare import prepare
from psyche_client.data.shards import Shards
from psyche_client.data.sources import stdlib_sources
from psyche_client.data.tokenizer import END_OF_TEXT, VOCAB_BYTES, Tokenizer


def text_of(number: int) -> str:
    return "".join(
        f"def function_{number}_{line}(x):\n    return x + {line}\n" for line in range(20)
    )


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    (folder / "inner").mkdir(parents=True)
    for number in range(12):
        place = folder / "inner" if number % 2 else folder
        (place / f"file{number:02}.py").write_text(text_of(number), encoding="utf-8")
    return folder


def documents(shards: Shards) -> list[str]:
    every = Shards(shards.folder, sequence_tokens=1)
    ids = every.sequences(np.arange(every.count))[:, 0]
    pieces = np.split(ids, np.flatnonzero(ids == 0))
    return [shards.tokenizer().decode(piece.tolist()) for piece in pieces]


def test_the_text_can_be_read_back_from_the_shards(texts: Path, tmp_path: Path) -> None:
    prepare([texts], tmp_path / "out", vocab_size=300, held_out_fraction=0, sequence_tokens=16)
    found = documents(Shards(tmp_path / "out"))
    assert set(found) - {""} == {text_of(number) for number in range(12)}


def test_the_same_sources_and_seed_give_the_same_corpus(texts: Path, tmp_path: Path) -> None:
    options = {"vocab_size": 400, "sequence_tokens": 16, "held_out_fraction": 0.2}
    first = prepare([texts], tmp_path / "a", seed=3, **options)
    assert prepare([texts], tmp_path / "b", seed=3, **options) == first
    assert prepare([texts], tmp_path / "c", seed=4, **options).merkle_root() != first.merkle_root()


def test_held_out_files_are_whole_and_never_trained_on(texts: Path, tmp_path: Path) -> None:
    options = {"vocab_size": 300, "sequence_tokens": 16}
    prepare([texts], tmp_path / "all", held_out_fraction=0, **options)
    manifest = prepare([texts], tmp_path / "out", held_out_fraction=0.2, **options)
    tokenizer = Shards(tmp_path / "out").tokenizer()
    trained = set(documents(Shards(tmp_path / "out"))) - {""}
    held_out = {text_of(number) for number in range(12)} - trained
    assert [shard.name for shard in manifest.val.shards] == ["val.bin"]
    assert manifest.val.tokens == sum(len(tokenizer.encode(text)) + 1 for text in held_out)
    assert sum(map(len, held_out)) >= 0.2 * sum(map(len, held_out | trained))
    assert len(held_out) < 6


def test_the_tokenizer_does_not_see_held_out_text(tmp_path: Path) -> None:
    for name, word in (("a.txt", "apple "), ("b.txt", "berry ")):
        (tmp_path / name).write_text(word * 400)
    prepare([tmp_path / "a.txt", tmp_path / "b.txt"], tmp_path / "out", sequence_tokens=8,
            vocab_size=300, held_out_fraction=0.4)  # fmt: skip
    tokenizer = Shards(tmp_path / "out").tokenizer()
    lengths = {word: len(tokenizer.encode(word)) for word in (" apple", " berry")}
    assert sorted(length == 1 for length in lengths.values()) == [False, True]


def test_no_more_text_is_read_than_asked_for(texts: Path, tmp_path: Path) -> None:
    manifest = prepare(
        [texts], tmp_path / "out", bytes_max=2_000, vocab_size=VOCAB_BYTES,
        held_out_fraction=0, sequence_tokens=16,
    )  # fmt: skip
    assert manifest.train.tokens == 2_000 + len(manifest.sources)


def test_an_end_of_text_token_written_in_a_text_is_plain_text() -> None:
    tokenizer = Tokenizer.train([], VOCAB_BYTES)
    ids = tokenizer.encode(f"a{END_OF_TEXT}b")
    assert 0 not in ids
    assert tokenizer.decode(ids) == f"a{END_OF_TEXT}b"


@pytest.mark.parametrize("text", ["", " ", "caf\u00e9\r\n\t", "\U0001f600 \u4e2d", "\x00\x7f"])
def test_any_text_survives_tokens_without_training(text: str) -> None:
    tokenizer = Tokenizer.train([], VOCAB_BYTES)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode(text)) == len(text.encode())


def test_a_tokenizer_of_the_run_can_be_given(texts: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer.train([], VOCAB_BYTES)
    manifest = prepare([texts], tmp_path / "out", tokenizer=tokenizer, sequence_tokens=16)
    assert manifest.tokenizer_sha256 == tokenizer.sha256
    assert Shards(tmp_path / "out", tokenizer_sha256=tokenizer.sha256).count > 0


def test_wide_vocabularies_are_written_in_four_bytes(texts: Path, tmp_path: Path) -> None:
    class Wide(Tokenizer):
        def __init__(self, text: str) -> None:
            super().__init__(text)
            self.vocab_size = 70_000

    manifest = prepare([texts], tmp_path / "out", tokenizer=Wide.train([], 257), sequence_tokens=16)
    size = (tmp_path / "out" / "train-00000.bin").stat().st_size
    assert (manifest.dtype, size) == ("uint32", 4 * manifest.train.tokens)
    assert Shards(tmp_path / "out").sequences(np.arange(3)).shape == (3, 17)


def test_progress_reaches_its_end(texts: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    prepare([texts], tmp_path / "out", sequence_tokens=16, vocab_size=300,
            progress=lambda *step: seen.append(step))  # fmt: skip
    assert list(dict.fromkeys(step[0] for step in seen)) == ["reading", "tokenizer", "shards"]
    last = {what: (done, total) for what, done, total in seen}
    assert all(done == total > 0 for done, total in last.values())


def test_a_preparation_that_fails_leaves_room_for_another(texts: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one sequence needs"):
        prepare([texts], tmp_path / "out", sequence_tokens=1_000_000, vocab_size=300)
    assert not (tmp_path / "out" / MANIFEST_NAME).exists()
    prepare([texts], tmp_path / "out", sequence_tokens=16, vocab_size=300)


@pytest.mark.parametrize(("parallel", "batches"), [("false", 1), ("true", 5)])
def test_the_number_of_cores_changes_no_byte(
    texts: Path, tmp_path: Path, parallel: str, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"vocab_size": 300, "sequence_tokens": 16, "held_out_fraction": 0.2}
    expected = prepare([texts], tmp_path / "a", **options)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", parallel)
    monkeypatch.setattr("psyche_client.data.prepare._AHEAD", batches)
    monkeypatch.setattr("psyche_client.data.prepare._BATCH_CHARACTERS", 1)
    assert prepare([texts], tmp_path / "b", **options) == expected


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vocab_size": 10}, "vocab_size"),
        ({"bytes_max": 0}, "bytes_max"),
        ({"held_out_fraction": 1.0}, "held_out_fraction"),
        ({"held_out_fraction": float("nan")}, "held_out_fraction"),
        ({"held_out_fraction": 0.95}, "none would be left"),
        ({"sequence_tokens": 0}, "sequence_tokens"),
        ({"sequence_tokens": 100_000}, "one sequence needs"),
    ],
    ids=str,
)
def test_options_out_of_range_are_refused_by_name(
    texts: Path, tmp_path: Path, options: dict[str, float], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        prepare([texts], tmp_path / "out", **options)  # type: ignore[arg-type]  # that is the point


def test_missing_and_empty_sources_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for sources in ([tmp_path / "none"], [tmp_path / "folder"], []):
        with pytest.raises(DataError) as caught:
            prepare(sources, tmp_path / "out")
        assert caught.value.hint


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(texts: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(DataError, match="cannot write") as caught:
        prepare([texts], tmp_path / "out", sequence_tokens=16, vocab_size=300)
    assert caught.value.hint


def test_the_standard_library_is_listed_in_one_order_without_tests() -> None:
    found = [source.name for source in stdlib_sources()]
    assert found == sorted(found)
    assert len(found) > 300
    assert "argparse.py" in found
    assert not {"test", "tests", "site-packages"} & {part for n in found for part in n.split("/")}


def test_the_standard_library_makes_a_corpus(tmp_path: Path) -> None:
    manifest = prepare(stdlib_sources(), tmp_path, bytes_max=300_000, vocab_size=512)
    assert manifest.vocab_size == 512
    assert manifest.sequences > 500
    assert Shards(tmp_path, split="val").count > 10
