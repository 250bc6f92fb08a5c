"""Bloom attestations: Python makes the filter that the program reads."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyche_sdk._rules.bloom import BLOOM_BYTES_MAX, Filter, Form
from support.golden import golden

HASH = st.binary(min_size=32, max_size=32)


@pytest.mark.parametrize("row", golden("bloom", "forms"), ids=str)
def test_sizes_agree(row: list[int]) -> None:
    count, ppm, bits, keys, ones = row
    form = Form.of(count, ppm)
    assert (form.bits, form.keys, form.ones_max(count)) == (bits, keys, ones)


@pytest.mark.parametrize("case", golden("bloom", "filters"), ids=lambda case: case["ppm"])
def test_filters_agree(case: dict[str, Any]) -> None:
    filter_ = Filter.of(
        Form.of(case["committed"], case["ppm"]),
        instance=bytes.fromhex(case["instance"]),
        epoch=case["epoch"],
        round_=case["round"],
        entropy=bytes.fromhex(case["entropy"]),
        witness=case["witness"],
    )
    held = [(slot, bytes.fromhex(one)) for slot, one in case["held"]]

    assert filter_.made_of(held).hex() == case["bits"]
    assert all(filter_.holds(bytes.fromhex(case["bits"]), *one) for one in held)


@given(
    st.sets(st.tuples(st.integers(0, 1_023), HASH), min_size=1, max_size=300),
    st.integers(1, 500_000),
    HASH,
)
def test_what_was_put_in_is_found(held: set[tuple[int, bytes]], ppm: int, entropy: bytes) -> None:
    form = Form.of(len(held), ppm)
    filter_ = Filter.of(form, instance=bytes(32), epoch=0, round_=0, entropy=entropy, witness=31)
    filled = filter_.made_of(held)
    assert len(filled) == form.bytes
    assert all(filter_.holds(filled, *one) for one in held)
    assert int.from_bytes(filled).bit_count() <= form.ones_max(len(held))
    assert not any(
        filled[place >> 3] >> (place & 7) & 1 for place in range(form.bits, 8 * form.bytes)
    )


def test_what_is_no_commitment_or_no_filter_is_refused() -> None:
    filter_ = Filter.of(
        Form.of(8, 10_000), instance=bytes(32), epoch=0, round_=0, entropy=bytes(32), witness=0
    )
    with pytest.raises(ValueError, match="32 bytes"):
        filter_.made_of([(0, b"short")])
    with pytest.raises(ValueError, match="wanted"):
        filter_.holds(bytes(BLOOM_BYTES_MAX), 0, bytes(32))


def test_who_commits_to_anothers_hash_is_not_vouched_for_with_it() -> None:
    held = {(slot, bytes([slot]) * 32) for slot in range(8)}
    form = Form.of(9, 100)
    filter_ = Filter.of(form, instance=bytes(32), epoch=0, round_=0, entropy=bytes(32), witness=0)
    filled = filter_.made_of(held)
    found = [slot for slot in range(8, 1_024) if filter_.holds(filled, slot, bytes([3]) * 32)]
    # One in ten thousand is found by chance.
    assert len(found) < 5
