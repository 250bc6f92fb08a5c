"""Mixtures by weight: the integer rule beside a simple oracle, and mixed data on disk."""

from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psyche_client.cli.app import run
from psyche_client.cli.errors import Code
from psyche_client.data.errors import DataError
from psyche_client.data.manifest import MANIFEST_NAME, Manifest
from psyche_client.data.mix import mix
from psyche_client.data.mixture import WEIGHT_MAX, Mixture
from psyche_client.data.prepare import prepare
from psyche_client.data.remote import Remote
from psyche_client.data.shards import Shards
from psyche_client.work import Workload
from psyche_sdk.views import decode_run
from support.accounts import run_bytes

LENGTH = 8
WEIGHTS = (3, 1)

sides = st.lists(st.tuples(st.integers(1, 7), st.integers(1, 40)), min_size=1, max_size=5)


def dealt(mixture: Mixture) -> list[tuple[int, int]]:
    """The oracle: in turn, each data set deals its weight, and begins anew at its end."""
    stacks = [cycle(range(count)) for count in mixture.counts]
    seen: list[set[int]] = [set() for _ in stacks]
    found = []
    while any(len(one) < n for one, n in zip(seen, mixture.counts, strict=True)):
        for which, stack in enumerate(stacks):
            hand = list(islice(stack, mixture.weights[which]))
            seen[which].update(hand)
            found += [(which, sequence) for sequence in hand]
    return found


@settings(max_examples=100, deadline=None)
@given(sides)
def test_the_rule_is_that_of_the_oracle(parts: list[tuple[int, int]]) -> None:
    mixture = Mixture(tuple(w for w, _ in parts), tuple(n for _, n in parts))
    which, inside = mixture.locate(np.arange(mixture.count))
    assert list(zip(which.tolist(), inside.tolist(), strict=True)) == dealt(mixture)


@settings(max_examples=100, deadline=None)
@given(sides)
def test_proportions_are_exact_in_every_cycle_and_even_in_a_pass(
    parts: list[tuple[int, int]],
) -> None:
    mixture = Mixture(tuple(w for w, _ in parts), tuple(n for _, n in parts))
    which, inside = mixture.locate(np.arange(mixture.count))
    for turn in which.reshape(-1, sum(mixture.weights)):
        assert np.bincount(turn).tolist() == list(mixture.weights)
    for number, count in enumerate(mixture.counts):
        times = np.bincount(inside[which == number], minlength=count)
        assert 1 <= times.min() <= times.max() <= times.min() + 1


def test_data_alone_is_itself() -> None:
    ids = np.array([0, 5, 99])
    assert Mixture((1,), (100,)).count == 100
    assert Mixture((1,), (100,)).locate(ids)[1].tolist() == ids.tolist()


def test_large_numbers_do_not_wrap() -> None:
    mixture = Mixture((WEIGHT_MAX, 1), (1, (1 << 31) - 1))
    assert mixture.count == (WEIGHT_MAX + 1) * ((1 << 31) - 1)
    which, inside = mixture.locate(np.array([mixture.count - 2, mixture.count - 1]))
    assert (which.tolist(), inside.tolist()) == ([0, 1], [0, (1 << 31) - 2])


# On disk


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two data sets of unlike sizes in several shards each."""
    folders = []
    for word, count in (("alpha", 4), ("omega", 11)):
        texts, data = (tmp_path_factory.mktemp(f"{word}-{what}") for what in ("text", "data"))
        for number in range(count):
            (texts / f"{number}.txt").write_text(f"{word} {number} " * 12)
        prepare([texts], data, vocab_size=257, sequence_tokens=LENGTH, shard_tokens=300,
                held_out_fraction=0.1)  # fmt: skip
        folders.append(data)
    return folders


@pytest.fixture(scope="module")
def mixed(parts: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    mix(list(zip(parts, WEIGHTS, strict=True)), folder)
    return folder


def test_each_sequence_is_one_of_the_data_set_that_the_rule_names(
    parts: list[Path], mixed: Path
) -> None:
    shards, data = Shards(mixed), [Shards(part) for part in parts]
    mixture = Mixture(WEIGHTS, tuple(one.count for one in data))
    assert shards.count == shards.manifest.sequences == mixture.count
    found = shards.sequences(np.arange(shards.count))
    for row, (which, sequence) in zip(found, dealt(mixture), strict=True):
        assert row.tolist() == data[which].sequences(np.array([sequence]))[0].tolist()


def test_held_out_text_of_all_parts_follows_in_their_order(parts: list[Path], mixed: Path) -> None:
    shards = Shards(mixed, split="val", sequence_tokens=1)
    lengths = [Shards(part, split="val").tokens for part in parts]
    assert shards.tokens == sum(lengths)
    first = Shards(parts[0], split="val", sequence_tokens=1)
    assert np.array_equal(
        shards.sequences(np.arange(first.count)), first.sequences(np.arange(first.count))
    )


def test_a_pass_of_a_run_has_the_weights_exactly(parts: list[Path], mixed: Path) -> None:
    shards = Shards(mixed)
    config = decode_run(run_bytes(config={"data_sequences": shards.count})).config
    workload = Workload(lambda: shards, config)
    rows = workload.sequences(np.arange(shards.count, 2 * shards.count, dtype=np.uint64))
    first = {row.tobytes() for row in _all(parts[0])} - {row.tobytes() for row in _all(parts[1])}
    share = sum(row.tobytes() in first for row in rows)
    assert share * sum(WEIGHTS) == len(rows) * WEIGHTS[0]


def _all(folder: Path) -> Any:
    shards = Shards(folder)
    return shards.sequences(np.arange(shards.count))


class Place:
    """A folder as a place of data."""

    name = "place"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, file: str, start: int, size: int) -> bytes:
        return (self._folder / file).read_bytes()[start : start + size]

    async def whole(self, file: str, _bytes_max: int) -> bytes:
        return (self._folder / file).read_bytes()


def test_a_mixture_is_fetched_as_other_data_is(mixed: Path, tmp_path: Path) -> None:
    there = Shards(mixed)
    here = Shards(
        tmp_path / "kept",
        tokenizer_sha256=there.manifest.tokenizer_sha256,
        merkle_root=there.manifest.merkle_root(),
        remote=Remote([Place(mixed)]),
    )
    ids = np.arange(there.count)
    assert np.array_equal(here.sequences(ids), there.sequences(ids))


def test_the_root_binds_weights_and_order(parts: list[Path], mixed: Path, tmp_path: Path) -> None:
    a, b = parts
    roots = {
        mix(ways, tmp_path / str(number)).merkle_root()
        for number, ways in enumerate([[(a, 3), (b, 1)], [(a, 1), (b, 3)], [(b, 1), (a, 3)]])
    }
    assert len(roots) == 3
    assert Manifest.read(mixed).merkle_root() in roots


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"weight": 3', '"weight": 4', "Merkle root"),
        ('"weight": 3', '"weight": 65537', "weight is above"),
        ('"weight": 3', '"weight": 0', "whole number"),
        ('"shards": ', '"shards": 1', "not all of its shards"),
    ],
)
def test_a_manifest_with_other_weights_is_refused(
    mixed: Path, old: str, new: str, words: str
) -> None:
    text = (mixed / MANIFEST_NAME).read_text()
    assert old in text
    with pytest.raises(DataError, match=words):
        Manifest.decode(text.replace(old, new, 1).encode())


def test_a_mixture_made_again_is_the_same_and_another_is_refused(
    parts: list[Path], mixed: Path
) -> None:
    before = (mixed / MANIFEST_NAME).read_bytes()
    mix(list(zip(parts, WEIGHTS, strict=True)), mixed)
    with pytest.raises(DataError, match="holds other data"):
        mix([(part, 1) for part in parts], mixed)
    with pytest.raises(DataError, match="holds other data"):
        mix([(part, 1) for part in parts], parts[0])
    assert (mixed / MANIFEST_NAME).read_bytes() == before
    Shards(mixed).verify()


def test_where_files_cannot_be_linked_they_are_copied(
    parts: list[Path], mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links between disks")

    monkeypatch.setattr("os.link", refuse)
    mix(list(zip(parts, WEIGHTS, strict=True)), tmp_path / "out")
    for path in mixed.iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("ways", "words"),
    [
        ([(0, 1)], "two data sets or more"),
        ([(0, 1), (1, 0)], "the weight of"),
        ([(0, 1), (1, WEIGHT_MAX + 1)], "the weight of"),
        ([(0, 1), (2, 1)], "is a mixture itself"),
        ([(0, 1), (3, 1)], "another tokenizer"),
        ([(0, 1), (4, 1)], "sequences of 4 tokens"),
        ([(0, 1), (5, 1)], "no prepared corpus"),
    ],
)
def test_what_cannot_be_mixed_is_refused_with_a_hint(
    parts: list[Path], mixed: Path, tmp_path: Path, ways: list[tuple[int, int]], words: str
) -> None:
    (tmp_path / "a.txt").write_text("one " * 40)
    other, short = tmp_path / "other", tmp_path / "short"
    options = {"held_out_fraction": 0}
    prepare([tmp_path / "a.txt"], other, vocab_size=260, sequence_tokens=LENGTH, **options)
    prepare([tmp_path / "a.txt"], short, vocab_size=257, sequence_tokens=4, **options)
    folders = [*parts, mixed, other, short, tmp_path / "none"]
    with pytest.raises(DataError, match=words) as caught:
        mix([(folders[index], weight) for index, weight in ways], tmp_path / "out")
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_the_command_mixes_and_shows_the_parts(
    parts: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = parts
    assert run(["data", "mix", str(tmp_path), f"{a}=3", f"{b}=1"]) == Code.OK
    count = Manifest.read(a).sequences
    assert f"weight 3: {count} sequences, weight 1:" in capsys.readouterr().out
    for part in (str(a), f"{a}=x", "=3"):
        assert run(["data", "mix", str(tmp_path), part]) != Code.OK
        assert "hint: write DATA=WEIGHT" in capsys.readouterr().err
