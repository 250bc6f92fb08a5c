"""The first parameters are a function of the seed, pinned to the bit."""

import hashlib

import numpy as np
import pytest

from psyche_client.model import init
from psyche_client.model.digest import digest_of
from psyche_client.model.init import initial_parameters, normal_like, philox
from psyche_client.model.presets import preset

SEED = hashlib.sha256(b"a run").digest()

#: Counter, key and output of Philox4x32-10, from the published known-answer tests of Random123.
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_the_generator_gives_the_published_answers(counter: str, key: str, expected: str) -> None:
    low0, low1, high0, high1 = words(counter)
    packed = np.array([*words(key), high0, high1], dtype="<u4").tobytes()
    found = philox(packed, low0 | low1 << 32, 1)
    assert found[0].tolist() == words(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tiny", "3c5c0b64e2502286211b878c91cea436b4806ef86830a4ef07b365c87da8c50f"),
        ("demo", "ae112f17a5f0b3f003e8321dcfed17f999b93011996937f2e5a39dc83e93e72d"),
        ("llama-demo", "73d849ba72c56d6ec1f3a7e3124b564aae4ff291fb18bfe1420c8e46c7780166"),
    ],
)
def test_first_parameters_have_the_pinned_digest(name: str, expected: str) -> None:
    assert digest_of(initial_parameters(preset(name), SEED), 0).hex() == expected


def test_values_follow_the_written_rule() -> None:
    key = hashlib.sha256(b"psyche-init" + SEED + b"x").digest()
    halves = philox(key, 0, 6).view("<u2").reshape(-1)
    by_hand = [
        np.float32(2 * int(halves[12 * i : 12 * i + 12].sum(dtype=np.int64)) - 12 * 65535)
        * (np.float32(0.02) / np.float32(131072))
        for i in range(4)
    ]
    assert normal_like(SEED, "x", 4, 0.02).tolist() == by_hand


def test_values_do_not_depend_on_how_they_are_cut_into_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = normal_like(SEED, "x", 1001, 0.02)
    monkeypatch.setattr(init, "_CHUNK", 64)
    assert np.array_equal(whole, normal_like(SEED, "x", 1001, 0.02))


def test_values_look_normal() -> None:
    values = normal_like(SEED, "x", 400_000, 1.0).astype(np.float64)
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    assert abs((np.abs(values) < 1).mean() - 0.683) < 0.01
    assert 3.5 < np.abs(values).max() < 6


def test_parameters_differ_by_seed_and_by_name() -> None:
    first, other = (initial_parameters(preset("tiny"), bytes([i]) * 32) for i in (1, 2))
    gate, up = "model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.up_proj.weight"
    assert not np.array_equal(first[gate], other[gate])
    assert not np.array_equal(first[gate], first[up])


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        initial_parameters(preset("tiny"), b"short")
