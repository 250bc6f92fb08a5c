"""What a client keeps on disk survives a kill at any byte."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyche_client.store import SettledRound, Store, StoreError, next_chain_hash, write_durably


def settled(number: int = 3, previous: bytes = bytes(32)) -> SettledRound:
    members = ((1, 7, sha256(b"a").digest()), (9, 2, sha256(b"b").digest()))
    draft = SettledRound(
        epoch=1, round=number, step=5, capacity=16, members=members, previous=previous,
        chain_hash=bytes(32),
    )  # fmt: skip
    return replace(draft, chain_hash=next_chain_hash(draft))


def test_a_payload_is_found_by_its_commitment_after_a_restart(tmp_path: Path) -> None:
    commitment = Store(tmp_path).put_payload(0, 1, 2, b"payload")
    assert Store(tmp_path).payload(commitment) == b"payload"
    assert (tmp_path / "payloads/0-1-2.bin").read_bytes() == b"payload"


def test_a_payload_changed_on_disk_is_not_served(tmp_path: Path) -> None:
    store = Store(tmp_path)
    commitment = store.put_payload(0, 1, 2, b"payload")
    (tmp_path / "payloads/0-1-2.bin").write_bytes(b"another")
    assert store.payload(commitment) is None


def test_a_torn_last_line_of_the_history_costs_that_line_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = settled(1)
    store.append_round(first)
    with store.history_path.open("ab") as file:
        file.write(settled(2).to_json().encode()[:40])
    store.append_round(settled(3, first.chain_hash))
    assert [entry.round for entry in Store(tmp_path).history()] == [1, 3]


def test_the_round_after_a_chain_hash_is_found_again_after_a_restart(tmp_path: Path) -> None:
    first = settled(1)
    Store(tmp_path).append_round(first)
    assert Store(tmp_path).round_after(bytes(32)) == first
    assert Store(tmp_path).round_after(first.chain_hash) is None


def test_a_round_written_twice_stands_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append_round(settled(1))
    store.append_round(settled(1))
    assert len(store.history_path.read_text().splitlines()) == 1


def test_a_settled_round_comes_back_as_it_was_and_proves_its_place() -> None:
    entry = settled(previous=sha256(b"before").digest())
    again = SettledRound.from_json(entry.to_json())
    assert again == entry
    assert again.follows(sha256(b"before").digest())
    assert not again.follows(bytes(32))


def test_the_bit_field_is_least_significant_bit_first() -> None:
    assert settled().accepted_bits == bytes([0b10, 0b10])


@given(st.binary(max_size=300))
def test_any_bytes_as_a_line_give_a_value_error_at_worst(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own errors are ValueErrors too
        SettledRound.from_json(line)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"epoch": 1', '"epoch": -1'),
        ('"epoch": 1', '"epoch": 1.0'),
        ('"accepted": "0202"', '"accepted": "0602"'),
        ('"slots": [1, 9]', '"slots": [9, 1]'),
        ('"slots": [1, 9]', '"slots": [1, 1]'),
        ('"slots": [1, 9]', '"slots": [1, 9, 10]'),
        ('"slots": [1, 9]', '"slots": 9'),
        ('"members": [7, 2]', '"members": [7, null]'),
        ('"step": 5', '"steps": 5'),
    ],
)
def test_a_history_line_that_contradicts_itself_is_refused(right: str, wrong: str) -> None:
    line = settled().to_json()
    assert right in line
    with pytest.raises(ValueError, match=r"."):
        SettledRound.from_json(line.replace(right, wrong))


def test_a_disk_that_refuses_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere"):
        write_durably(tmp_path / "nowhere" / "x.bin", b"x")


def test_old_payloads_are_forgotten_and_new_ones_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old, new = store.put_payload(0, 9, 1, b"old"), store.put_payload(1, 0, 1, b"new")
    assert store.forget_payloads((1, 0)) == 1
    assert store.payload(old) is None
    assert store.payload(new) == b"new"
