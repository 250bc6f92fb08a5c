"""The digest: its bytes, its pieces, and what hostile bytes can do to it (nothing)."""

import hashlib
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psyche_client.model.digest import (
    PIECE_BYTES,
    digest,
    digest_of,
    empty_parameters,
    manifest,
    parse_manifest,
    pieces,
    read_piece,
    verify_piece,
    write_piece,
)
from psyche_client.model.errors import ManifestError

RANDOM = np.random.default_rng(1)
PARAMETERS = {
    "b.weight": RANDOM.standard_normal((3, 5)).astype(np.float32),
    "a.weight": RANDOM.standard_normal((1025, 1024)).astype(np.float32),
    "scale": np.array(2.5, dtype=np.float32),
}
MANIFEST = manifest(PARAMETERS, 77)


def entry(name: bytes, shape: tuple[int, ...], hashes: int) -> bytes:
    head = struct.pack("<H", len(name)) + name + struct.pack(f"<B{len(shape)}Q", len(shape), *shape)
    return head + struct.pack("<I", hashes) + bytes(32 * hashes)


def framed(*entries: bytes, count: int | None = None) -> bytes:
    head = struct.pack("<4sIQI", b"PSYM", 1, 0, len(entries) if count is None else count)
    return head + b"".join(entries)


def test_a_manifest_has_the_documented_bytes() -> None:
    parameters = {"w": np.array([[1.0, -2.0]], dtype=np.float32)}
    by_hand = (
        b"PSYM" + struct.pack("<IQI", 1, 9, 1) + b"\x01\x00w\x02" + struct.pack("<QQI", 1, 2, 1)
    ) + hashlib.sha256(struct.pack("<ff", 1.0, -2.0)).digest()
    assert manifest(parameters, 9) == by_hand
    assert digest(by_hand) == digest_of(parameters, 9) == hashlib.sha256(by_hand).digest()


def test_a_digest_changes_with_one_bit_the_step_or_a_name() -> None:
    flipped = dict(PARAMETERS) | {"scale": np.nextafter(PARAMETERS["scale"], np.float32(9))}
    renamed = {("scales" if k == "scale" else k): v for k, v in PARAMETERS.items()}
    found = {digest_of(PARAMETERS, 77), digest_of(PARAMETERS, 78), digest_of(flipped, 77)}
    assert len(found | {digest_of(renamed, 77)}) == 4


def test_a_digest_does_not_depend_on_order_or_memory_layout() -> None:
    turned = {k: v.copy(order="F") for k, v in reversed(PARAMETERS.items())}
    assert manifest(turned, 77) == MANIFEST


def test_a_parameter_of_another_type_has_no_digest() -> None:
    with pytest.raises(ManifestError, match="float64"):
        manifest({"w": np.zeros(3)}, 0)  # type: ignore[dict-item]  # that is the point


def test_pieces_are_four_mebibytes_and_a_rest() -> None:
    sizes = [len(piece) for piece in pieces(PARAMETERS["a.weight"])]
    assert sizes == [PIECE_BYTES, 4096]


def test_a_parsed_manifest_says_what_was_written() -> None:
    found = parse_manifest(MANIFEST)
    assert found.step == 77
    assert list(found.entries) == ["a.weight", "b.weight", "scale"]
    found.check_shapes({name: array.shape for name, array in PARAMETERS.items()})
    assert [len(found.pieces(name)) for name in found.entries] == [2, 1, 1]


def test_parameters_travel_piece_by_piece() -> None:
    found = parse_manifest(MANIFEST)
    arrived = empty_parameters(found)
    for name in found.entries:
        for index in range(len(found.pieces(name))):
            write_piece(arrived, found, name, index, read_piece(PARAMETERS, name, index))
    assert manifest(arrived, 77) == MANIFEST


@pytest.mark.parametrize(
    ("name", "index", "change"),
    [
        ("a.weight", 1, lambda data: data[:-1]),
        ("a.weight", 1, lambda data: data + b"\x00"),
        ("a.weight", 1, lambda data: bytes([data[0] ^ 1]) + data[1:]),
        ("a.weight", 2, lambda data: data),
        ("a.weight", -1, lambda data: data),
        ("none", 0, lambda data: data),
    ],
)
def test_a_piece_that_differs_is_refused(name: str, index: int, change: object) -> None:
    data = read_piece(PARAMETERS, "a.weight", 1)
    with pytest.raises(ManifestError):
        verify_piece(parse_manifest(MANIFEST), name, index, change(data))  # type: ignore[operator]  # a lambda


def test_a_piece_that_is_not_there_cannot_be_read() -> None:
    for name, index in (("none", 0), ("a.weight", 2), ("a.weight", -1)):
        with pytest.raises(ManifestError):
            read_piece(PARAMETERS, name, index)


def test_a_manifest_of_another_model_is_refused() -> None:
    shapes = {name: array.shape for name, array in PARAMETERS.items()} | {"scale": (1,)}
    with pytest.raises(ManifestError, match="another model"):
        parse_manifest(MANIFEST).check_shapes(shapes)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MANIFEST[:-1],
        MANIFEST + b"\x00",
        b"PSYX" + MANIFEST[4:],
        framed(count=0xFFFFFFFF),
        framed(entry(b"b", (1,), 1), entry(b"a", (1,), 1)),
        framed(entry(b"a", (1,), 1), entry(b"a", (1,), 1)),
        framed(entry(b"", (1,), 1)),
        framed(entry(b"\xff\xfe", (1,), 1)),
        framed(entry(b"x" * 600, (1,), 1)),
        framed(entry(b"a", (0,), 0)),
        framed(entry(b"a", (2,), 2)),
        framed(entry(b"a", (1,) * 9, 1)),
        framed(entry(b"a", (2**63, 2**63), 1)),
    ],
    ids=range(14),
)
def test_a_hostile_manifest_is_an_error(data: bytes) -> None:
    with pytest.raises(ManifestError):
        parse_manifest(data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_manifest_is_refused_or_reads_as_other_content(data: st.DataObject) -> None:
    damaged = bytearray(MANIFEST)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    try:
        found = parse_manifest(bytes(damaged))
    except ManifestError:
        return
    assert len(found.entries) <= 3
    assert bytes(damaged) == MANIFEST or found != parse_manifest(MANIFEST)


def test_digests_need_no_torch() -> None:
    code = (
        "import sys, psyche_client.model.digest, psyche_client.model.document, "
        "psyche_client.model.init, psyche_client.model.checkpoint, psyche_client.data.shards, "
        "psyche_client.data.prepare; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
