"""Payload bytes: one encoding a selection, close to the bound, and nothing hostile gets through."""

from __future__ import annotations

import json
import math
import tracemalloc
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    codec,
    decode,
    encode,
    native,
    read_header,
)
from psyche_client.optim.codec import HEADER_BYTES, VERSION
from support import coders
from support.coders import NATIVE, NUMPY, Coder
from support.optim import expectation_for, header_for, random_selection

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "payload.json").read_text())
FORM = Form(coefficients=3 * 4096 + 700, topk=8)
HEADER = header_for()
EXPECT = expectation_for(HEADER, FORM)


@pytest.fixture(params=[NUMPY, NATIVE], ids=lambda coder: coder.name)
def coder(request: pytest.FixtureRequest) -> Coder:
    """Each coder; the Rust one where it is installed."""
    if request.param is NATIVE and coders.RUST is None:
        pytest.skip("psyche_codec is not installed: `make native` builds it, with Rust")
    chosen: Coder = request.param
    return chosen


def make(counts: list[int] | None = None, form: Form = FORM, seed: int = 1) -> bytes:
    return encode(HEADER, random_selection(seed, form, counts), form)


PLAIN = make()


@st.composite
def selections(draw: st.DrawFn) -> tuple[Form, Selection]:
    coefficients = draw(st.integers(1, 3 * 4096))
    topk = draw(st.sampled_from([1, 2, 8, 32, 300, 2_500]))
    form = Form(
        coefficients=coefficients,
        topk=topk,
        most=draw(st.sampled_from([0, topk + 1, 4_096])),
        value_bits=draw(st.sampled_from([1, 1, 2, 7, 12])),
    )
    whole = draw(st.booleans())
    counts = coders.any_counts(form, lambda _plain, limit: draw(st.integers(0, limit)))
    seed = draw(st.integers(0, 1000))
    return form, random_selection(seed, form, None if whole else counts)


@settings(max_examples=40, deadline=None)
@given(case=selections())
def test_a_selection_comes_back_from_every_coder(case: tuple[Form, Selection]) -> None:
    form, selection = case
    written = {coder.encode(selection, form) for coder in coders.HERE}
    assert len(written) == 1
    data = written.pop()
    for coder in coders.HERE:
        assert coder.decode(data, form, len(selection.indices)).equals(selection)
    assert HEADER_BYTES + len(data) <= form.bytes_max


@pytest.mark.parametrize("case", GOLDEN["bodies"], ids=lambda case: case["name"])
def test_bodies_are_those_of_the_golden_file(coder: Coder, case: dict[str, Any]) -> None:
    form = coders.form_of(case)
    selection = Selection(
        np.array(case["counts"], np.uint16),
        np.array(case["indices"], np.uint16),
        np.array(case["values"], np.int16),
    )
    assert coder.encode(selection, form).hex() == case["body"]
    found = coder.decode(bytes.fromhex(case["body"]), form, len(case["indices"]))
    assert found.equals(selection)
    assert found.values.flags.writeable
    assert (found.counts.dtype, found.indices.dtype, found.values.dtype) == ("u2", "u2", "i2")


@pytest.mark.parametrize("case", GOLDEN["refused"], ids=lambda case: case["name"])
def test_broken_bodies_of_the_golden_file_are_refused(coder: Coder, case: dict[str, Any]) -> None:
    form = coders.form_of(case)
    assert coder.judge(bytes.fromhex(case["body"]), form, case["sent"]) == case["fault"]


def test_the_header_lies_where_the_document_says() -> None:
    assert HEADER_BYTES == 160
    expected = b"PSYP" + (3).to_bytes(2, "little") + bytes(2) + HEADER.instance
    for value, size in ((3, 4), (70_000, 4), (513, 2), (0, 2), (9, 4)):
        expected += value.to_bytes(size, "little")
    expected += HEADER.layout_digest
    expected += (4).to_bytes(4, "little") + (26).to_bytes(4, "little")
    assert PLAIN[:HEADER_BYTES] == expected + HEADER.root_before + HEADER.root_after
    assert read_header(PLAIN) == replace(HEADER, groups=4, coefficients=26)


@pytest.mark.parametrize("topk", [2, 4, 8, 16, 32, 64])
def test_a_payload_is_within_a_percent_of_the_information_that_it_holds(topk: int) -> None:
    form = Form(coefficients=100_000 // topk * 4096, topk=topk)
    bound = form.groups * (math.log2(math.comb(4096, topk)) + topk)
    assert len(make(form=form)) * 8 < 1.01 * bound


def test_a_coder_of_another_version_is_not_used() -> None:
    assert native.load(VERSION + 1) is None
    assert coders.HERE[-1].name == codec.CODER


# Refusals: what we would send wrongly


@pytest.mark.parametrize(
    ("counts", "indices", "values"),
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
        ([1, 0, 0, 0], [5], [-32_768]),
        ([1, 0, 0, 0], [5, 6], [1, 1]),
        ([1, 0, 0, 0], [5], [1, 1]),
    ],
)
def test_a_selection_without_the_form_is_never_encoded(
    coder: Coder, counts: list[int], indices: list[int], values: list[int]
) -> None:
    selection = Selection(
        np.array(counts, np.uint16), np.array(indices, np.uint16), np.array(values, np.int16)
    )
    with pytest.raises(ValueError, match=r"selection|value|indices"):
        coder.encode(selection, FORM)


@pytest.mark.parametrize(
    "change",
    [
        {"coefficients": 0},
        {"topk": 0},
        {"topk": 4_097},
        {"topk": 64, "coefficients": 1 << 40},
        {"most": 7},
        {"most": 4_097},
        {"value_bits": 0},
        {"value_bits": 13},
    ],
)
def test_a_form_that_a_header_cannot_describe_is_refused(
    coder: Coder, change: dict[str, int]
) -> None:
    with pytest.raises(ValueError, match=r"topk|value_bits"):
        replace(FORM, **change)
    broken = copy(FORM)
    for name, value in change.items():
        object.__setattr__(broken, name, value)
    if coder is NATIVE:
        with pytest.raises(ValueError, match="no payload has the form"):
            coder.encode(random_selection(1, FORM), broken)


# Refusals: what others may send


def fault_of(data: bytes, expect: Expectation = EXPECT) -> PayloadFault:
    with pytest.raises(PayloadError) as caught:
        decode(data, expect)
    return caught.value.fault


def test_hostile_bodies_are_refused_by_all_coders_alike_or_are_the_only_encoding() -> None:
    assert coders.fuzz(1_000) > 10


@pytest.mark.parametrize("counts", [None, [8, 0, 3, 1]])
def test_every_truncation_and_a_trailing_byte_are_refused(counts: list[int] | None) -> None:
    data = make(counts)
    for length in range(len(data)):
        assert fault_of(data[:length]) in {"size", "length", "counts"}
    for tail in (b"\0", b"\1", bytes(50)):
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


def test_a_payload_that_sends_nothing_is_valid() -> None:
    data = make([0, 0, 0, 0])
    assert len(data) == HEADER_BYTES + 3
    assert len(decode(data, EXPECT).indices) == 0


CLAIMS = {
    "counts alone": b"\0\0",
    "a long list": b"\0\xff\xff\xff\xff\x0f",
    "fields": b"\1\0",
    "zeros": bytes(90),
}


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_few_bytes_that_claim_much_take_little_memory(coder: Coder, claim: bytes) -> None:
    form = Form(coefficients=1 << 28, topk=4_096)
    tracemalloc.start()
    try:
        refused = coder.judge(claim, form, 1 << 28)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused in {PayloadFault.COUNTS, PayloadFault.LENGTH}
    assert peak < 64 * form.groups
