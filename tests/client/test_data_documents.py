"""Which documents stand in which files, and what is said of a line that is none."""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from psyche_client.data.documents import read_documents
from psyche_client.data.errors import DataError
from psyche_client.data.prepare import prepare
from psyche_client.data.sources import file_sources


def texts(folder: Path, *, bytes_max: int = 1_000, field: str = "text") -> dict[str, str]:
    found = read_documents(file_sources([folder]), bytes_max, field=field)
    return {document.name: document.text for document in found}


def lines(*bodies: Any) -> bytes:
    return b"".join(json.dumps(body).encode() + b"\n" for body in bodies)


def test_a_text_is_cut_between_characters(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\u00e9" * 50, encoding="utf-8")
    assert texts(tmp_path, bytes_max=51) == {"a.txt": "\u00e9" * 25}


def test_binary_repeated_and_hidden_files_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "b.txt").write_text("hello")
    (tmp_path / "c.bin").write_bytes(b"\x00\x01\x02")
    (tmp_path / "d.txt").write_bytes(b"caf\xe9 in another encoding")
    (tmp_path / ".hidden").write_text("secret")
    (tmp_path / "empty").write_text("")
    assert texts(tmp_path) == {"a.txt": "hello"}


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_each_line_of_json_is_a_document(tmp_path: Path, name: str) -> None:
    raw = lines({"text": "one"}, {"text": "\ufffd"}, {"text": None}, {"text": "one"}, {"text": ""})
    raw += b" \n" + lines({"text": "two\nlines", "id": 7})
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    assert texts(tmp_path) == {f"{name}:1": "one", f"{name}:2": "\ufffd", f"{name}:7": "two\nlines"}


def test_the_limit_is_one_over_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines({"text": "aaaa"}, {"text": "bbbb"}))
    (tmp_path / "b.txt").write_text("cccc")
    assert texts(tmp_path, bytes_max=10) == {
        "a.jsonl:1": "aaaa",
        "a.jsonl:2": "bbbb",
        "b.txt": "cc",
    }
    assert texts(tmp_path, bytes_max=8) == {"a.jsonl:1": "aaaa", "a.jsonl:2": "bbbb"}


def test_the_text_may_stand_in_another_field(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines({"content": "hello", "text": 1}))
    assert texts(tmp_path, field="content") == {"a.jsonl:1": "hello"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not an object"),
        (b'{"body": "x", "id": 1}', "there is no `text`; its fields are `body`, `id`"),
        (b'{"text": 3}', "`text` is int, not text"),
        (b'{"text": "\\ud800"}', "`text` is not Unicode"),
    ],
)
def test_a_bad_line_is_named_with_its_file_and_what_to_do(
    tmp_path: Path, line: bytes, words: str
) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines({"text": "good"}) + line + b"\n")
    with pytest.raises(DataError) as caught:
        prepare([tmp_path], tmp_path / "out")
    assert str(caught.value).startswith(f"{tmp_path / 'a.jsonl'}:2: {words}")
    assert caught.value.hint
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    "raw", [b"no gzip", gzip.compress(lines({"text": "a"}) * 99)[:-20]], ids=["no gzip", "cut"]
)
def test_a_damaged_file_is_named(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.jsonl\.gz: cannot read it"):
        texts(tmp_path)


def test_parquet_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"a\.parquet: parquet needs the package pyarrow") as caught:
        texts(tmp_path)
    assert "pip install" in caught.value.hint


def write_parquet(path: Path, **columns: list[Any]) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table(columns), path, row_group_size=2)


def test_each_row_of_parquet_is_a_document(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", id=[1, 2, 3, 4], text=["one", None, "one", "two"])
    assert texts(tmp_path) == {"a.parquet:1": "one", "a.parquet:4": "two"}


def test_parquet_without_text_or_damaged_is_named(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", text=[1, 2])
    with pytest.raises(DataError, match=r"a\.parquet: row 1: `text` is int, not text"):
        texts(tmp_path)
    with pytest.raises(DataError, match=r"a\.parquet: there is no `body`; its fields are `text`"):
        texts(tmp_path, field="body")
    (tmp_path / "a.parquet").write_bytes(b"PAR1" * 9)
    with pytest.raises(DataError, match=r"a\.parquet: not a parquet file"):
        texts(tmp_path)
