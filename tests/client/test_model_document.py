"""`model.json`: one canonical form, and nothing else is accepted."""

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psyche_client.model.document import DataSection, ModelDocument, canonical
from psyche_client.model.errors import DocumentError
from psyche_client.model.presets import preset

DOCUMENT = ModelDocument(
    architecture=preset("demo"),
    init_seed=bytes(range(32)),
    update_rule={"kind": "distro", "topk": 32, "beta": [95, 100]},
    schedule={"kind": "cosine", "steps": 100},
    tokenizer_sha256=bytes(32),
    data=DataSection(
        sequence_tokens=128, sequences=9000, merkle_root=b"\x07" * 32, sources=("stdlib",)
    ),
)
ENCODED = DOCUMENT.encode()


def changed(*path: str, value: object) -> bytes:
    body = json.loads(ENCODED)
    inner = body
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return canonical(body)


def test_a_document_survives_its_bytes() -> None:
    assert ModelDocument.decode(ENCODED, sha256=DOCUMENT.sha256()) == DOCUMENT


def test_a_document_says_which_kind_of_model_it_is() -> None:
    other = replace(DOCUMENT, architecture=preset("llama-demo"))
    assert json.loads(other.encode())["architecture"]["kind"] == "llama"
    assert ModelDocument.decode(other.encode()) == other


@pytest.mark.parametrize("kind", ["llama", "mixtral", None, ["mla"]])
def test_dimensions_of_one_kind_under_the_name_of_another_are_refused(kind: object) -> None:
    with pytest.raises(DocumentError, match=r"architecture|model"):
        ModelDocument.decode(changed("architecture", "kind", value=kind))


def test_the_document_of_the_demos_model_stays_as_it_was() -> None:
    digest = "18d75fb13826d0328d50a4f44440f17eeca5ed5da139b497a4d905b0e7b4ff62"
    assert DOCUMENT.sha256().hex() == digest


def test_the_bytes_are_canonical_json_under_their_sha256() -> None:
    text = json.dumps(json.loads(ENCODED), sort_keys=True, separators=(",", ":"))
    assert text.encode("ascii") == ENCODED
    assert DOCUMENT.sha256() == hashlib.sha256(ENCODED).digest()


def test_every_part_changes_the_hash() -> None:
    data = DOCUMENT.data
    others = [
        replace(DOCUMENT, architecture=preset("small")),
        replace(DOCUMENT, init_seed=bytes(32)),
        replace(DOCUMENT, update_rule={}),
        replace(DOCUMENT, schedule={}),
        replace(DOCUMENT, tokenizer_sha256=b"\x01" * 32),
        replace(DOCUMENT, data=replace(data, sequences=9001)),
        replace(DOCUMENT, data=replace(data, sequence_tokens=64)),
        replace(DOCUMENT, data=replace(data, merkle_root=bytes(32))),
        replace(DOCUMENT, data=replace(data, sources=())),
    ]
    assert len({other.sha256() for other in [DOCUMENT, *others]}) == 10


def test_another_hash_than_the_chain_names_is_refused() -> None:
    with pytest.raises(DocumentError, match="sha256"):
        ModelDocument.decode(ENCODED, sha256=bytes(32))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"1" * 60_000,
        b" " * 70_000,
        ENCODED[:-1],
        ENCODED + b"\n",
        ENCODED.replace(b'"version":1', b'"version":1.0'),
        ENCODED.replace(b'"version":1', b'"version":1,"version":1'),
        ENCODED.replace(b'"steps":100', b'"steps":NaN'),
        ENCODED.replace(b'"steps":100', b'"steps":1e999'),
        changed("version", value=2),
        changed("extra", value=1),
        changed("init_seed", value="00"),
        changed("init_seed", value="A" * 64),
        changed("update_rule", value=[]),
        changed("architecture", value={"kind": "mla"}),
        changed("architecture", "kind", value="llama"),
        changed("architecture", "hidden_size", value=-1),
        changed("architecture", "hiddensize", value=1),
        changed("data", "sequences", value=0),
        changed("data", "sequences", value=1 << 70),
        changed("data", "sources", value=[1]),
        changed("data", "sources", value=["x"] * 65),
        changed("schedule", value=json.loads("[" * 30 + "]" * 30)),
    ],
    ids=range(27),
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(DocumentError):
        ModelDocument.decode(data)


def test_a_misspelt_key_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(DocumentError) as caught:
        ModelDocument.decode(changed("schedul", value={}))
    assert "`schedule`" in caught.value.hint


def test_what_has_no_json_form_is_refused_before_it_is_sent() -> None:
    with pytest.raises(DocumentError):
        replace(DOCUMENT, schedule={"rate": float("nan")}).encode()
    with pytest.raises(DocumentError):
        replace(DOCUMENT, init_seed=b"short").encode()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(ENCODED) - 1), st.integers(0, 255))
def test_a_damaged_byte_never_passes_unseen(at: int, byte: int) -> None:
    damaged = ENCODED[:at] + bytes([byte]) + ENCODED[at + 1 :]
    try:
        found = ModelDocument.decode(damaged)
    except DocumentError:
        return
    assert found.encode() == damaged
