"""A preparation that ends at any moment goes on; another one in the same folder is refused."""

from pathlib import Path
from typing import Any

import pytest

from psyche_client import store
from psyche_client.data import journal, prepare, writing
from psyche_client.data.errors import DataError
from psyche_client.data.journal import JOURNAL_NAME
from psyche_client.data.shards import Shards
from psyche_client.data.tokenizer import Tokenizer

#: Some documents are longer than two shards, and some shards hold several documents.
OPTIONS: dict[str, Any] = {
    "vocab_size": 257, "sequence_tokens": 8, "held_out_fraction": 0.3, "shard_tokens": 150,
}  # fmt: skip


class Killed(BaseException):
    """The process was ended here."""


class Disk:
    """Counts what is written durably, and ends the process within the write number `end`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.end = -1
        for module in (journal, prepare, writing):
            monkeypatch.setattr(module, "write_durably", self.write)

    def write(self, path: Path, data: bytes) -> None:
        if len(self.names) == self.end:
            path.with_name(path.name + ".part").write_bytes(data[: len(data) // 2])
            raise Killed
        self.names.append(path.name)
        store.write_durably(path, data)


@pytest.fixture(autouse=True)
def _no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested is the end of a process, not of the machine."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, length in enumerate((40, 330, 70, 20, 250, 90, 410, 30)):
        (folder / f"{number}.txt").write_text(f"{number}" * length)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".part"}


def test_ended_at_any_write_it_goes_on_to_the_same_bytes(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psyche_client.data.prepare._BATCH_CHARACTERS", 150)
    disk = Disk(monkeypatch)
    prepare.prepare([texts], tmp_path / "whole", **OPTIONS)
    whole, written = content(tmp_path / "whole"), list(disk.names)
    assert len([name for name in whole if name.endswith(".bin")]) > 8

    for end in range(len(written)):
        folder = tmp_path / str(end)
        disk.names, disk.end = [], end
        with pytest.raises(Killed):
            prepare.prepare([texts], folder, **OPTIONS)
        assert "manifest.json" not in content(folder)
        disk.end = -1
        prepare.prepare([texts], folder, **OPTIONS)
        assert content(folder) == whole
        # One shard at most was made twice; the first two writes are the beginning.
        assert len(disk.names) <= len(written) + (2 if end < 2 else 1)


def test_a_corpus_that_is_whole_is_not_made_again(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare.prepare([texts], tmp_path / "out", **OPTIONS)
    disk = Disk(monkeypatch)
    assert prepare.prepare([texts], tmp_path / "out", **OPTIONS) == first
    assert disk.names == []


@pytest.mark.parametrize("name", ["train-00002.bin", "val-00000.bin", "tokenizer.json"])
def test_what_was_damaged_since_is_made_again(texts: Path, tmp_path: Path, name: str) -> None:
    first = prepare.prepare([texts], tmp_path / "out", **OPTIONS)
    damaged = tmp_path / "out" / name
    damaged.write_bytes(b"x" + damaged.read_bytes()[1:])
    assert prepare.prepare([texts], tmp_path / "out", **OPTIONS) == first
    Shards(tmp_path / "out").verify()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 4}, "made with seed 0, not 4"),
        ({"shard_tokens": 200}, "made with shard_tokens 150, not 200"),
        ({"field": "body"}, "made with field text, not body"),
        ({"tokenizer": Tokenizer.train([], 257)}, "made with tokenizer None, not "),
    ],
)
def test_other_arguments_are_refused_by_name(
    texts: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    prepare.prepare([texts], tmp_path / "out", **OPTIONS)
    (tmp_path / "out" / "manifest.json").unlink()
    before = content(tmp_path / "out")
    with pytest.raises(DataError, match=words) as caught:
        prepare.prepare([texts], tmp_path / "out", **{**OPTIONS, **change})
    assert "another folder" in caught.value.hint
    assert content(tmp_path / "out") == before


def test_files_that_changed_since_are_refused(texts: Path, tmp_path: Path) -> None:
    prepare.prepare([texts], tmp_path / "out", **OPTIONS)
    (texts / "0.txt").write_text("longer than it was before, by some characters")
    with pytest.raises(DataError, match="changed since"):
        prepare.prepare([texts], tmp_path / "out", **OPTIONS)


def test_files_that_change_meanwhile_are_an_error(texts: Path, tmp_path: Path) -> None:
    def spoil(*step: object) -> None:
        if step == ("tokenizer", 1, 1):
            (texts / "0.txt").write_text("another")

    with pytest.raises(DataError, match="changed while they were read"):
        prepare.prepare([texts], tmp_path / "out", progress=spoil, **OPTIONS)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}'])
def test_a_journal_that_cannot_be_read_is_an_error_of_ours(
    texts: Path, tmp_path: Path, text: str
) -> None:
    prepare.prepare([texts], tmp_path / "out", **OPTIONS)
    (tmp_path / "out" / JOURNAL_NAME).write_text(text)
    with pytest.raises(DataError) as caught:
        prepare.prepare([texts], tmp_path / "out", **OPTIONS)
    assert caught.value.hint


def test_data_of_unknown_making_is_not_replaced(texts: Path, tmp_path: Path) -> None:
    prepare.prepare([texts], tmp_path / "out", **OPTIONS)
    (tmp_path / "out" / JOURNAL_NAME).unlink()
    with pytest.raises(DataError, match="holds other data already"):
        prepare.prepare([texts], tmp_path / "out", **OPTIONS)
