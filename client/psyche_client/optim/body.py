"""A payload's body in numpy alone: the coder that always is there, and the Rust one's oracle.

docs/payload.md describes the format to the bit. There is exactly one body of a selection, so a
body that decodes also encodes to the same bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from psyche_client.optim import bits, strands
from psyche_client.optim.errors import PayloadError, PayloadFault
from psyche_client.optim.form import Form, Selection

_LIST, _FIELDS = 0, 1
#: A strand's state, beside the words that its length counts.
_STATE_WORDS = 2

Bytes = NDArray[np.uint8]


def encode(selection: Selection, form: Form) -> bytes:
    """The one body of this selection.

    Raises:
        ValueError: the selection does not have the form: wrong group count, too many in a group,
            an index out of range, repeated or not rising, a value that is 0 or too large.
    """
    counts, indices = selection.counts.astype(np.int64), selection.indices.astype(np.int64)
    _check(selection, form, counts, indices)
    words, lengths = strands.write(indices, strands.Cut(counts))
    return b"".join(
        (
            _counts_bytes(counts, form),
            _values_bytes(selection.values.astype(np.int64), form.value_bits),
            (lengths - _STATE_WORDS).astype("<u2").tobytes(),
            words.astype("<u2").tobytes(),
        )
    )


def decode(body: bytes, form: Form, sent: int) -> Selection:
    """The selection in a body, if every bit is as the format wants it; `sent` is the header's.

    Raises:
        PayloadError: a rule of the format is broken; `fault` says in which section.
    """
    data = np.frombuffer(body, np.uint8)
    counts, data = _read_counts(data, form)
    if counts is None or int(counts.sum()) != sent or sent > form.sent_max:
        raise PayloadError(PayloadFault.COUNTS, "counts that no payload of this size has")
    value_bytes, data = _take(data, -(-sent * form.value_bits // 8))
    if sent and not bits.padding_is_zero(value_bytes, sent * form.value_bits):
        raise PayloadError(PayloadFault.PADDING, "a bit after the last value is set")
    cut = strands.Cut(counts)
    length_bytes, data = _take(data, 2 * cut.strands)
    lengths = length_bytes.view("<u2").astype(np.int64) + _STATE_WORDS
    if 2 * int(lengths.sum()) != len(data):
        raise PayloadError(PayloadFault.LENGTH, f"{len(data)} bytes of strands")
    indices = strands.read(data.view("<u2"), lengths, cut)
    if indices is None or (indices >= np.repeat(form.sizes, counts)).any():
        raise PayloadError(PayloadFault.STRAND, "a strand does not decode")
    values = bits.unpack_fixed(value_bytes, sent, form.value_bits)
    return Selection(
        counts.astype(np.uint16),
        indices.astype(np.uint16),
        (((values >> 1) + 1) * ((values & 1) * 2 - 1)).astype(np.int16),
    )


def _values_bytes(values: NDArray[np.int64], width: int) -> bytes:
    """A bit of each for above zero, then its magnitude less one."""
    return bits.pack_fixed(np.abs(values) - 1 << 1 | (values > 0), width)


def _check(
    selection: Selection, form: Form, counts: NDArray[np.int64], indices: NDArray[np.int64]
) -> None:
    total = int(counts.sum())
    if len(counts) != form.groups or (counts > form.limits).any() or total > form.sent_max:
        raise ValueError("the selection's counts do not fit the form")
    if len(indices) != total or len(selection.values) != total:
        raise ValueError("the selection's indices and values do not match its counts")
    sizes = np.abs(selection.values.astype(np.int64))
    if ((sizes < 1) | (sizes > form.value_max)).any():
        raise ValueError("a value is 0 or does not fit its bits")
    rises = np.diff(indices, prepend=-1) > 0
    rises[(np.cumsum(counts) - counts)[counts > 0]] = True
    if not rises.all() or (indices >= np.repeat(form.sizes, counts)).any():
        raise ValueError("indices do not rise within their groups, or are out of range")


def _take(data: Bytes, size: int) -> tuple[Bytes, Bytes]:
    if len(data) < size:
        raise PayloadError(PayloadFault.LENGTH, "the body ends too early")
    return data[:size], data[size:]


# Counts


def _counts_bytes(counts: NDArray[np.int64], form: Form) -> bytes:
    listed = _list_bytes(counts, form)
    if len(listed) <= form.fields_bytes:
        return bytes([_LIST]) + listed
    return bytes([_FIELDS]) + bits.pack_fixed(counts, form.count_bits)


def _list_bytes(counts: NDArray[np.int64], form: Form) -> bytes:
    plain = form.plain
    groups = np.flatnonzero(counts != plain)
    # What it lacks is 1 to the plain number, so a larger count stands for itself.
    differs = np.where(counts < plain, plain - counts, counts)[groups]
    pairs = np.stack((np.diff(groups, prepend=-1) - 1, differs), axis=1)
    return bits.pack_numbers(np.concatenate(([len(groups)], pairs.ravel())))


def _read_counts(data: Bytes, form: Form) -> tuple[NDArray[np.int64] | None, Bytes]:
    """The counts, None if they are not as the format wants them, and what follows them."""
    mode, data = data[:1].tolist(), data[1:]
    if mode == [_LIST]:
        return _read_list(data, form)
    fields, data = data[: form.fields_bytes], data[form.fields_bytes :]
    bit_count = form.groups * form.count_bits
    whole = mode == [_FIELDS] and len(fields) == form.fields_bytes
    if not whole or not bits.padding_is_zero(fields, bit_count):
        return None, data
    counts = bits.unpack_fixed(fields, form.groups, form.count_bits)
    if (counts > form.limits).any() or len(_list_bytes(counts, form)) <= form.fields_bytes:
        return None, data
    return counts, data


def _read_list(data: Bytes, form: Form) -> tuple[NDArray[np.int64] | None, Bytes]:
    listed = data[: form.fields_bytes]
    head = bits.unpack_numbers(listed, 1)
    if head is None:
        return None, data
    found = bits.unpack_numbers(listed[head[1] :], 2 * int(head[0][0]))
    if found is None:
        return None, data
    since, differs = found[0].reshape(-1, 2).T
    groups = np.cumsum(since + 1) - 1
    counts = form.plain
    if (groups >= form.groups).any() or ((differs < 1) | (differs > form.limits[groups])).any():
        return None, data
    plain = counts[groups]
    counts[groups] = np.where(differs <= plain, plain - differs, differs)
    return counts, data[head[1] + found[1] :]
