"""A payload's bytes: the header here, the body by the Rust coder or, without it, by numpy.

docs/payload.md describes the format to the bit. There is exactly one encoding of a selection,
so a payload that decodes also encodes to the same bytes. No torch here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from psyche_client.optim import body, native
from psyche_client.optim.errors import PayloadError, PayloadFault
from psyche_client.optim.form import GROUP_SIZE, HEADER_BYTES, Form, Selection

__all__ = [
    "CODER",
    "GROUP_SIZE",
    "HEADER_BYTES",
    "VERSION",
    "Expectation",
    "Form",
    "PayloadHeader",
    "Selection",
    "decode",
    "encode",
    "read_header",
]

MAGIC = b"PSYP"
VERSION = 3
HEADER = struct.Struct("<4sHH32sIIHHI32sII32s32s")
assert HEADER.size == HEADER_BYTES
NO_ROOT = bytes(32)
_rust = native.load(VERSION)
#: Which coder is in use.
CODER = "numpy" if _rust is None else "rust"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadHeader:
    """A payload's first 160 bytes. `encode` fills in groups and coefficients (those sent)."""

    instance: bytes
    epoch: int
    round: int
    slot: int
    member_id: int
    layout_digest: bytes
    groups: int = 0
    coefficients: int = 0
    root_before: bytes = NO_ROOT
    root_after: bytes = NO_ROOT

    def pack(self) -> bytes:
        """The header's bytes."""
        return HEADER.pack(
            MAGIC, VERSION, 0, self.instance, self.epoch, self.round, self.slot, 0,
            self.member_id, self.layout_digest, self.groups, self.coefficients,
            self.root_before, self.root_after,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the chain's record and the run's configuration say of a payload before it is read."""

    instance: bytes
    epoch: int
    round: int
    slot: int
    member_id: int
    layout_digest: bytes
    form: Form
    bytes_max: int


def encode(header: PayloadHeader, selection: Selection, form: Form) -> bytes:
    """The one payload of this selection. Its sha256 is the commitment.

    Raises:
        ValueError: the selection does not have the form: wrong group count, too many in a group,
            an index out of range, repeated or not rising, a value that is 0 or too large.
    """
    sent = len(selection.indices)
    head = replace(header, groups=form.groups, coefficients=sent).pack()
    if _rust is None:
        return head + body.encode(selection, form)
    return head + native.encode(_rust, selection, form)


def read_header(data: bytes) -> PayloadHeader:
    """The header alone, its constants checked.

    Raises:
        PayloadError: the bytes are too few, or magic, version, flags or reserved are wrong.
    """
    if len(data) < HEADER_BYTES:
        raise PayloadError(PayloadFault.SIZE, f"{len(data)} bytes hold no header")
    magic, version, flags, *rest = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise PayloadError(PayloadFault.MAGIC, "not a payload")
    instance, epoch, round_, slot, reserved, member_id, layout, groups, count, *roots = rest
    if version != VERSION or flags or reserved:
        raise PayloadError(PayloadFault.VERSION, f"version {version}, flags {flags}, {reserved}")
    return PayloadHeader(
        instance=instance,
        epoch=epoch,
        round=round_,
        slot=slot,
        member_id=member_id,
        layout_digest=layout,
        groups=groups,
        coefficients=count,
        root_before=roots[0],
        root_after=roots[1],
    )


def decode(data: bytes, expect: Expectation) -> Selection:
    """The selection in a payload, if every bit is as the format wants it.

    A pure function of its arguments. Time and memory are bounded by `expect.bytes_max` and the
    form, whatever the bytes.

    Raises:
        PayloadError: any rule of the format is broken; `fault` says which.
    """
    if len(data) > expect.bytes_max:
        raise PayloadError(PayloadFault.SIZE, f"{len(data)} bytes exceed {expect.bytes_max}")
    header = read_header(data)
    _check_identity(header, expect)
    rest = data[HEADER_BYTES:]
    if _rust is None:
        return body.decode(rest, expect.form, header.coefficients)
    return native.decode(_rust, rest, expect.form, header.coefficients)


def _check_identity(header: PayloadHeader, expect: Expectation) -> None:
    for name in ("instance", "epoch", "round", "slot", "member_id"):
        if getattr(header, name) != getattr(expect, name):
            raise PayloadError(PayloadFault.IDENTITY, f"{name} is not the committed one")
    if header.layout_digest != expect.layout_digest:
        raise PayloadError(PayloadFault.LAYOUT, "another layout's digest")
    if header.groups != expect.form.groups:
        raise PayloadError(PayloadFault.LAYOUT, f"{header.groups} groups")
