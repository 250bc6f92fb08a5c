"""Payload bytes: one encoding a selection, close to the bound, and nothing hostile gets through."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psyche_client.optim import (
    Expectation,
    Form,
    PayloadError,
    PayloadFault,
    Selection,
    decode,
    encode,
    read_header,
)
from psyche_client.optim.codec import HEADER_BYTES
from support.optim import expectation_for, header_for, random_selection

FORM = Form(coefficients=3 * 4096 + 700, topk=8)
HEADER = header_for()
EXPECT = expectation_for(HEADER, FORM)


def make(counts: list[int] | None = None, form: Form = FORM, seed: int = 1) -> bytes:
    return encode(HEADER, random_selection(seed, form, counts), form)


PLAIN, UNEVEN = make(), make([8, 0, 3, 1])


def plain_body(selection: Selection, form: Form) -> bytes:
    """The body written one bit at a time, as docs/payload.md says."""

    def whole(flags: list[int]) -> bytes:
        flags = flags + [0] * (-len(flags) % 8)
        return bytes(
            sum(flag << i for i, flag in enumerate(flags[at : at + 8]))
            for at in range(0, len(flags), 8)
        )

    counts, flat = selection.counts.tolist(), selection.indices.tolist()
    gaps, at = [], 0
    for group, count in enumerate(counts):
        size = min(4096, form.coefficients - 4096 * group)
        low = 0
        while 1000 * (size - count) > 2078 * (count + 1) << low and low < 12:
            low += 1
        before = -1
        for index in flat[at : at + count]:
            gaps.append((index - before - 1, low))
            before = index
        at += count
    limits = [
        -(-min(4096, form.coefficients - 4096 * g) * form.topk // 4096) for g in range(form.groups)
    ]
    width = form.topk.bit_length()
    count_bits = [(count >> i) & 1 for count in counts for i in range(width)]
    low_bits = [(gap >> i) & 1 for i in range(12) for gap, low in gaps if low > i]
    high_bits = [bit for gap, low in gaps for bit in [0] * (gap >> low) + [1]]
    return b"".join(
        (
            b"\0" if counts == limits else b"\1" + whole(count_bits),
            whole(low_bits),
            whole([int(sign > 0) for sign in selection.signs]),
            whole(high_bits),
        )
    )


@st.composite
def selections(draw: st.DrawFn) -> tuple[Form, Selection]:
    coefficients = draw(st.integers(1, 3 * 4096))
    form = Form(coefficients=coefficients, topk=draw(st.sampled_from([1, 2, 8, 32, 300, 4096])))
    whole = draw(st.booleans())
    counts = [draw(st.integers(0, int(limit))) for limit in form.limits]
    seed = draw(st.integers(0, 1000))
    return form, random_selection(seed, form, None if whole else counts)


@settings(max_examples=60, deadline=None)
@given(case=selections())
def test_a_selection_comes_back_and_its_bytes_are_those_of_the_document(
    case: tuple[Form, Selection],
) -> None:
    form, selection = case
    data = encode(HEADER, selection, form)
    assert data[HEADER_BYTES:] == plain_body(selection, form)
    assert decode(data, expectation_for(HEADER, form)).equals(selection)
    assert len(data) <= form.bytes_max


def test_the_header_lies_where_the_document_says() -> None:
    assert HEADER_BYTES == 160
    expected = b"PSYP" + (1).to_bytes(2, "little") + bytes(2) + HEADER.instance
    for value, size in ((3, 4), (70_000, 4), (513, 2), (0, 2), (9, 4)):
        expected += value.to_bytes(size, "little")
    expected += HEADER.layout_digest
    expected += (4).to_bytes(4, "little") + (26).to_bytes(4, "little")
    assert PLAIN[:HEADER_BYTES] == expected + HEADER.root_before + HEADER.root_after
    assert read_header(PLAIN) == replace(HEADER, groups=4, coefficients=26)


@pytest.mark.parametrize(("topk", "most"), [(4, 1.035), (8, 1.03), (32, 1.03), (64, 1.03)])
def test_a_payload_stays_close_to_the_information_it_holds(topk: int, most: float) -> None:
    form = Form(coefficients=100_000 // topk * 4096, topk=topk)
    coefficients = form.groups * topk
    choices = math.comb(4096, topk)
    bound = (math.log2(choices) + topk) / topk
    assert len(make(form=form)) * 8 / coefficients < most * bound


# Refusals: what we would send wrongly


@pytest.mark.parametrize(
    ("counts", "indices", "signs"),
    [
        ([1, 0, 0], [5], [1]),
        ([9, 0, 0, 0], list(range(9)), [1] * 9),
        ([0, 0, 0, 3], [1, 2, 3], [1] * 3),
        ([2, 0, 0, 0], [5, 5], [1, 1]),
        ([2, 0, 0, 0], [6, 5], [1, 1]),
        ([1, 0, 0, 0], [4096], [1]),
        ([0, 0, 0, 1], [700], [1]),
        ([1, 0, 0, 0], [5], [0]),
        ([1, 0, 0, 0], [5], [2]),
        ([1, 0, 0, 0], [5, 6], [1, 1]),
        ([1, 0, 0, 0], [5], [1, 1]),
    ],
)
def test_a_selection_without_the_form_is_never_encoded(
    counts: list[int], indices: list[int], signs: list[int]
) -> None:
    selection = Selection(
        np.array(counts, np.uint16), np.array(indices, np.uint16), np.array(signs, np.int8)
    )
    with pytest.raises(ValueError, match=r"selection|sign|indices"):
        encode(HEADER, selection, FORM)


@pytest.mark.parametrize(("coefficients", "topk"), [(0, 8), (4096, 0), (4096, 4097), (1 << 40, 64)])
def test_a_form_that_a_header_cannot_describe_is_refused(coefficients: int, topk: int) -> None:
    with pytest.raises(ValueError, match="topk"):
        Form(coefficients=coefficients, topk=topk)


# Refusals: what others may send


def fault_of(data: bytes, expect: Expectation = EXPECT) -> PayloadFault:
    with pytest.raises(PayloadError) as caught:
        decode(data, expect)
    return caught.value.fault


@pytest.mark.parametrize("data", [PLAIN, UNEVEN])
def test_every_truncation_is_refused(data: bytes) -> None:
    for length in range(len(data)):
        assert fault_of(data[:length]) in {"size", "length", "padding", "counts"}


@pytest.mark.parametrize("tail", [b"\0", b"\1", b"\xff", bytes(50)])
@pytest.mark.parametrize("data", [PLAIN, UNEVEN])
def test_a_trailing_byte_is_refused(data: bytes, tail: bytes) -> None:
    assert fault_of(data + tail) in {"length", "size"}


def test_a_payload_longer_than_allowed_is_refused_before_it_is_read() -> None:
    assert fault_of(PLAIN, replace(EXPECT, bytes_max=len(PLAIN) - 1)) == PayloadFault.SIZE
    assert fault_of(b"", EXPECT) == PayloadFault.SIZE


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"instance": bytes(32)}, PayloadFault.IDENTITY),
        ({"epoch": 4}, PayloadFault.IDENTITY),
        ({"round": 70_001}, PayloadFault.IDENTITY),
        ({"slot": 0}, PayloadFault.IDENTITY),
        ({"member_id": 10}, PayloadFault.IDENTITY),
        ({"layout_digest": bytes(32)}, PayloadFault.LAYOUT),
        ({"form": Form(coefficients=4096, topk=8)}, PayloadFault.LAYOUT),
    ],
)
def test_another_members_round_or_run_is_refused(change: dict, fault: PayloadFault) -> None:
    assert fault_of(PLAIN, replace(EXPECT, **change)) == fault


@pytest.mark.parametrize(
    ("offset", "fault"),
    [
        (0, PayloadFault.MAGIC),
        (4, PayloadFault.VERSION),
        (6, PayloadFault.VERSION),
        (50, PayloadFault.VERSION),
        (88, PayloadFault.LAYOUT),
        (92, PayloadFault.COUNTS),
    ],
)
def test_a_changed_constant_or_count_in_the_header_is_refused(
    offset: int, fault: PayloadFault
) -> None:
    data = bytearray(PLAIN)
    data[offset] ^= 0x40
    assert fault_of(bytes(data)) == fault


def with_body(body: bytes, coefficients: int) -> bytes:
    return replace(HEADER, groups=4, coefficients=coefficients).pack() + body


def counts_body(counts: list[int]) -> bytes:
    number = sum(count << 4 * i for i, count in enumerate(counts))
    return b"\1" + number.to_bytes(2, "little")


def test_counts_above_their_limit_are_refused() -> None:
    assert fault_of(with_body(counts_body([9, 0, 0, 0]), 9)) == PayloadFault.COUNTS
    assert fault_of(with_body(counts_body([0, 0, 0, 3]), 3)) == PayloadFault.COUNTS


def test_full_counts_written_out_are_refused_as_a_second_encoding() -> None:
    body = counts_body([8, 8, 8, 2]) + PLAIN[HEADER_BYTES + 1 :]
    assert fault_of(with_body(body, 26)) == PayloadFault.COUNTS


def test_an_unknown_mode_is_refused() -> None:
    assert fault_of(with_body(b"\2" + PLAIN[HEADER_BYTES + 1 :], 26)) == PayloadFault.COUNTS


def test_an_index_beyond_its_group_is_refused() -> None:
    # One coefficient in group 0: 10 low bits, a sign bit, then 3 (in range) or 4 zeros and a one.
    start = counts_body([1, 0, 0, 0]) + bytes(2) + b"\1"
    assert decode(with_body(start + b"\x08", 1), EXPECT).indices.tolist() == [3 << 10]
    assert fault_of(with_body(start + b"\x10", 1)) == PayloadFault.INDEX
    assert fault_of(with_body(start + bytes(20) + b"\x10", 1)) == PayloadFault.INDEX


def test_bits_set_in_padding_are_refused() -> None:
    start = counts_body([1, 0, 0, 0])
    assert fault_of(with_body(start + b"\0\x04\1\x01", 1)) == PayloadFault.PADDING
    assert fault_of(with_body(start + b"\0\0\3\x01", 1)) == PayloadFault.PADDING


def test_more_or_fewer_high_parts_than_coefficients_are_refused() -> None:
    start = counts_body([1, 0, 0, 0]) + bytes(2) + b"\1"
    assert fault_of(with_body(start, 1)) == PayloadFault.LENGTH
    assert fault_of(with_body(start + b"\x03", 1)) == PayloadFault.LENGTH


def test_a_payload_that_sends_nothing_is_valid() -> None:
    data = make([0, 0, 0, 0])
    assert len(data) == HEADER_BYTES + 3
    assert len(decode(data, EXPECT).indices) == 0


def accepted_only_if_canonical(data: bytes) -> None:
    try:
        selection = decode(data, EXPECT)
    except PayloadError:
        return
    assert encode(read_header(data), selection, FORM) == data


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=120), coefficients=st.integers(0, 30))
def test_random_bodies_are_refused_or_are_the_only_encoding(body: bytes, coefficients: int) -> None:
    accepted_only_if_canonical(with_body(body, coefficients))


@settings(max_examples=300, deadline=None)
@given(
    source=st.sampled_from([PLAIN, UNEVEN]),
    flips=st.lists(st.integers(0, 8 * len(UNEVEN) - 1), min_size=1, max_size=4),
)
def test_flipped_bits_are_refused_or_make_another_canonical_payload(
    source: bytes, flips: list[int]
) -> None:
    data = bytearray(source)
    for flip in flips:
        data[flip // 8] ^= 1 << flip % 8
    accepted_only_if_canonical(bytes(data))


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=400))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(PayloadError):
        decode(data, EXPECT)
