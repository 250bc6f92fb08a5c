"""What a client needs before it joins: the run's document, the data, a node key of its own."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from psyche_client.data.errors import DataError
from psyche_client.model.document import DOCUMENT_BYTES_MAX
from psyche_client.model.errors import DocumentError
from psyche_client.options import JoinOptions
from psyche_client.provisions import node_seed, open_shards, read_document
from psyche_client.sighting import RunFacts, read_facts
from support.accounts import run_bytes
from support.client import tiny_document

DOCUMENT = tiny_document()


def facts(uri: str = "", **changes: Any) -> RunFacts:
    raw = uri.encode()
    fields: dict[str, Any] = {"model_hash": DOCUMENT.sha256()}
    return read_facts(run_bytes(model_uri=raw, model_uri_len=len(raw), **(fields | changes)))


def options(home: Path, **changes: Any) -> JoinOptions:
    return JoinOptions(run="", url="", wallet=home, home=home, **changes)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


def test_the_document_comes_from_where_the_chain_says_and_is_kept(home: Path) -> None:
    source = home.parent / "a model.json"
    source.write_bytes(DOCUMENT.encode())
    assert read_document(home, facts(source.as_uri())).sha256() == DOCUMENT.sha256()
    source.unlink()
    assert read_document(home, facts(source.as_uri())).sha256() == DOCUMENT.sha256()


def test_a_document_in_the_folder_is_taken_whatever_the_address(home: Path) -> None:
    (home / "model.json").write_bytes(DOCUMENT.encode())
    found = read_document(home, facts("https://example.org/model.json"))
    assert found.sha256() == DOCUMENT.sha256()


def test_a_document_with_another_hash_is_refused_and_not_kept(home: Path) -> None:
    source = home.parent / "model.json"
    source.write_bytes(DOCUMENT.encode())
    with pytest.raises(DocumentError):
        read_document(home, facts(source.as_uri(), model_hash=sha256(b"another").digest()))
    assert not (home / "model.json").exists()


def test_a_file_that_is_too_long_is_refused(home: Path) -> None:
    (home / "model.json").write_bytes(b" " * (DOCUMENT_BYTES_MAX + 1))
    with pytest.raises(DocumentError):
        read_document(home, facts())


@pytest.mark.parametrize("uri", ["", "https://example.org/model.json", "ftp://x/y", "model.json"])
def test_an_address_that_cannot_be_read_says_where_to_put_the_file(home: Path, uri: str) -> None:
    with pytest.raises(DataError) as caught:
        read_document(home, facts(uri))
    assert str(home / "model.json") in caught.value.hint


def test_an_address_where_nothing_lies_is_told(home: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_document(home, facts((home / "absent.json").as_uri()))


def test_a_node_seed_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "node.key"
    seed = node_seed(path)
    assert len(seed) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert node_seed(path) == seed
    assert node_seed(tmp_path / "other.key") != seed


@pytest.mark.parametrize("garbage", [b"", b"short", b"x" * 33])
def test_a_node_key_that_is_none_is_refused_and_left_alone(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "node.key"
    path.write_bytes(garbage)
    with pytest.raises(DataError) as caught:
        node_seed(path)
    assert "delete it" in caught.value.hint
    assert path.read_bytes() == garbage


def test_data_that_is_nowhere_says_which_option_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_shards(options(tmp_path), DOCUMENT)
    assert "--data" in caught.value.hint
    with pytest.raises(DataError):
        open_shards(options(tmp_path, data=tmp_path), DOCUMENT)
