"""Golden bodies of payloads: what a coder in another language must write, read and refuse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from hashlib import sha256

import numpy as np

from psyche_client.optim import bits, body, strands
from psyche_client.optim.errors import PayloadError
from psyche_client.optim.form import GROUP_SIZE, Form, Selection

_SMALL = Form(coefficients=3 * GROUP_SIZE + 700, topk=8)
_MANY = Form(coefficients=20 * GROUP_SIZE + 700, topk=8)
_WIDE = Form(coefficients=40 * GROUP_SIZE, topk=3)
_BROAD = Form(coefficients=2 * GROUP_SIZE + 1_000, topk=1_100)
_UNEVEN = replace(_MANY, most=40)
_WHOLE = replace(_SMALL, value_bits=3)
_ANY = [0, 40, 3, 9, 8, 1, 2, 16, 7, 5, 0, 2, 12, 30, 1, 0, 4, 6, 9, 2, 5]
_SELECTIONS: dict[str, tuple[Form, Sequence[int]]] = {
    "every count at its limit": (_SMALL, [8, 8, 8, 2]),
    "nothing is sent": (_SMALL, [0, 0, 0, 0]),
    "the list is shorter than fields": (_WIDE, [3] * 39 + [1]),
    "fields are shorter than a list": (_WIDE, [*range(4)] * 10),
    "two strands": (_BROAD, [1_100, 1_100, 269]),
    "a whole group": (Form(coefficients=97, topk=GROUP_SIZE), [97]),
    "one coefficient": (Form(coefficients=1, topk=1), [1]),
    "one group sends more than the plain number": (_UNEVEN, [8] * 7 + [1, 15] + [8] * 11 + [2]),
    "every group sends what it likes": (_UNEVEN, _ANY),
    "values of three bits": (_WHOLE, [8, 8, 8, 2]),
    "the largest values": (Form(coefficients=GROUP_SIZE, topk=16, most=64, value_bits=12), [16]),
}


def chosen(form: Form, counts: Sequence[int], member: int = 0) -> Selection:
    """Indices and values by their hashes: the same on every machine."""
    whose = f" {member}" if member else ""
    indices: list[int] = []
    for group, (size, count) in enumerate(zip(form.sizes.tolist(), counts, strict=True)):
        ranked = sorted(range(size), key=lambda index, g=group: _hash(f"index{whose}", g, index))  # type: ignore[misc]
        indices += sorted(ranked[:count])
    values = [_value(form, place, whose) for place in range(len(indices))]
    return Selection(np.array(counts, "u2"), np.array(indices, "u2"), np.array(values, "i2"))


def _value(form: Form, place: int, whose: str) -> int:
    """The largest magnitude first, then any."""
    less = (
        int.from_bytes(_hash(f"size{whose}", 0, place)[:2], "little") % form.value_max
        if place
        else 0
    )
    return (form.value_max - less) * (1 - 2 * (_hash(f"sign{whose}", 0, place)[0] & 1))


def _hash(what: str, group: int, number: int) -> bytes:
    return sha256(f"{what} {group} {number}".encode()).digest()


def _strand(indices: list[int]) -> bytes:
    """Length and words of a strand with one group, whatever its indices are."""
    words, lengths = strands.write(np.array(indices), strands.Cut(np.array([len(indices)])))
    return (lengths - 2).astype("<u2").tobytes() + words.astype("<u2").tobytes()


def _fields(counts: Sequence[int]) -> bytes:
    """Mode and fields of `_MANY`."""
    return b"\1" + bits.pack_fixed(np.array(counts), _MANY.count_bits)


def _refused_counts() -> dict[str, tuple[bytes, int]]:
    """Bodies of `_MANY` with faulty counts, and the header's number of coefficients."""
    limits, one = [8] * 20 + [2], [1] + [0] * 20
    padded = bytearray(_fields(one))
    padded[-1] |= 128
    # Where nothing but the counts is wrong, what follows them is right.
    after_limits = body.encode(chosen(_MANY, limits), _MANY)[2:]
    six_lack = [7] * 6 + limits[6:]
    after_six = body.encode(chosen(_MANY, six_lack), _MANY)[1 + _MANY.fields_bytes :]
    after_one = body.encode(chosen(_MANY, one), _MANY)[1 + _MANY.fields_bytes :]
    return {
        "no byte": (b"", 162),
        "an unknown mode": (b"\2\0" + after_limits, 162),
        "counts that do not add up": (b"\0\0" + after_limits, 161),
        "a number with a byte too many": (b"\0\x80\0" + after_limits, 162),
        "a number of six bytes": (b"\0" + b"\x80" * 5 + b"\1", 162),
        "a number of 2^32": (b"\0\1\x80\x80\x80\x80\x10\1", 161),
        "a group that lacks nothing": (b"\0\1\4\0" + after_limits, 162),
        "a group that lacks more than its limit": (b"\0\1\4\x09", 153),
        "a group beyond the last": (b"\0\1\x15\1", 161),
        "a list that is cut off": (b"\0\2\4\1\4", 160),
        "a list though fields are shorter": (b"\0\6" + b"\0\1" * 6 + after_six, 156),
        "fields though a list is shorter": (_fields(limits) + after_limits, 162),
        "fields that are cut off": (_fields(one)[:-1], 1),
        "a count above its limit": (_fields([9, *one[1:]]), 9),
        "a bit after the last field": (bytes(padded) + after_one, 1),
    }


def _refused_sections() -> dict[str, tuple[bytes, int]]:
    """The same for `_SMALL` and faults after the counts."""
    full = body.encode(chosen(_SMALL, [8, 8, 8, 2]), _SMALL)
    return {
        "values that are cut off": (full[:5], 26),
        "a bit after the last value": (full[:5] + bytes([full[5] | 4]) + full[6:], 26),
        "lengths that are cut off": (full[:7], 26),
        "a byte too few": (full[:-1], 26),
        "a byte too many": (full + b"\0", 26),
    }


def _refused_strands() -> dict[str, tuple[Form, bytes, int]]:
    """Bodies of one group at its limit, with a strand that does not decode."""

    def group(count: int, strand: bytes, size: int = GROUP_SIZE) -> tuple[Form, bytes, int]:
        form = Form(coefficients=size, topk=count * GROUP_SIZE // size)
        return form, b"\0\0\1" + strand, count

    four = _strand([5, 6, 7, 9])
    shorter = bytes([four[0] - 1]) + four[1:-2]
    return {
        "an index twice": group(2, _strand([5, 5])),
        "an index beyond its group": group(1, _strand([700]), 700),
        # 5, and a word: after the step the state is 2^16 as it should be.
        "a state below 2^16": group(1, b"\1\0\0\0\5\x10\0\0"),
        "a state that ends elsewhere": group(1, b"\0\0\1\x10\5\0"),
        "a word that is left": group(1, b"\1\0\0\x10\5\0\7\0"),
        "a word that is missing": group(4, shorter),
    }


def _refused_uneven() -> dict[str, tuple[Form, bytes, int]]:
    """Bodies whose groups may send more than the plain number, or whose values have more bits."""
    nines = replace(_UNEVEN, topk=9)
    one_more = body.encode(chosen(nines, [9] + [8] * 19 + [2]), nines)
    three = bytearray(body.encode(chosen(_WHOLE, [8, 8, 8, 2]), _WHOLE))
    three[2 + 26 * 3 // 8] |= 64
    return {
        "more in all than the plain numbers": (
            _UNEVEN, b"\0\1\0\x09" + one_more[1 + nines.fields_bytes :], 163
        ),
        "a group above its larger limit": (
            _UNEVEN, b"\0\6" + b"\0\x08" * 5 + b"\0\x29", 155
        ),
        "a small group above its larger limit": (_UNEVEN, b"\0\2\0\x08\x13\x08", 160),
        "a bit after the last value of three bits": (_WHOLE, bytes(three), 26),
    }  # fmt: skip


def _refused() -> dict[str, tuple[Form, bytes, int]]:
    counts = {name: (_MANY, *case) for name, case in _refused_counts().items()}
    sections = {name: (_SMALL, *case) for name, case in _refused_sections().items()}
    return counts | sections | _refused_strands() | _refused_uneven()


def vectors() -> dict[str, list[dict[str, object]]]:
    """All of the file's content."""
    bodies: list[dict[str, object]] = []
    refused: list[dict[str, object]] = []
    for name, (form, counts) in _SELECTIONS.items():
        selection = chosen(form, counts)
        bodies.append({
            "name": name, **asdict(form),
            "counts": selection.counts.tolist(), "indices": selection.indices.tolist(),
            "values": selection.values.tolist(), "body": body.encode(selection, form).hex(),
        })  # fmt: skip
    for name, (form, data, sent) in _refused().items():
        refused.append({
            "name": name, **asdict(form),
            "sent": sent, "body": data.hex(), "fault": _fault(data, form, sent),
        })  # fmt: skip
    return {"bodies": bodies, "refused": refused}


def _fault(data: bytes, form: Form, sent: int) -> str:
    try:
        body.decode(data, form, sent)
    except PayloadError as error:
        return error.fault
    raise AssertionError("a body that must be refused was read")


def text() -> str:
    """The file: one case a line."""
    lines = [
        f'"{part}": [\n' + ",\n".join(json.dumps(case) for case in cases) + "\n]"
        for part, cases in vectors().items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"
