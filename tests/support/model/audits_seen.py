"""Auditors and seats: what stands in a record's last column, and what must (section 12)."""

from __future__ import annotations

from typing import Any

import numpy as np

from support.model.record import Round

AUDITOR = np.dtype("<u4,<u4,<u2,<u2,<u2,<u2,<u2,<i2,u1,u1,u1,u1")
SEAT = np.dtype("V32,<u4,<u2,<u2,<u2,<u2,<i2,u1,u1,u1,V7")
ROOM = 64
COUNTS = ("verifiers", "targets_drawn", "verdicts", "cases", "cases_undrawn", "judged")


def observe_audits(row: np.void, column: bytes) -> dict[str, Any]:
    """By the record's header and its last column."""
    auditors = np.frombuffer(column, AUDITOR, ROOM)[: int(row["auditors"])]
    seats = np.frombuffer(column, SEAT, ROOM, ROOM * AUDITOR.itemsize)[: int(row["seats"])]
    return {
        **{name: int(row[name]) for name in COUNTS},
        "auditors": [tuple(one.tolist()) for one in auditors],
        "seats": [(bytes(one[0]), *one.tolist()[1:-1]) for one in seats],
    }


def expect_audits(record: Round) -> dict[str, Any]:
    """The same by the model."""
    began = record.began.chain_slot
    audits = record.audits
    return {
        "verifiers": len(record.verifiers),
        "targets_drawn": int(record.audits_drawn),
        "verdicts": sum(one.word != 0 for one in audits),
        "cases": len(record.cases()),
        "cases_undrawn": 0 if record.judged else sum(one.case == 1 for one in audits),
        "judged": int(record.judged),
        "auditors": [
            (
                one.member_id,
                one.noted - began if one.case else 0,
                one.slot,
                65_535 if one.target is None else one.target,
                *one.scores,
                one.word,
                int(one.case),
                one.first,
                one.seats,
            )
            for one in audits
        ],
        "seats": [
            (
                one.sealed,
                one.member_id,
                one.slot,
                *one.scores,
                one.case,
                int(one.stage),
                one.word,
            )
            for one in record.chairs
        ],
    }
