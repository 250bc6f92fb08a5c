"""What `benchmarks.wire` counts is what a client sends."""

import re
from pathlib import Path

import pytest

from benchmarks import wire

COSTS = Path(__file__).resolve().parents[2] / "docs" / "COSTS.md"
SIZE = 20_000


async def test_counted_frames_are_those_of_real_connections() -> None:
    found = await wire.one_round(3, SIZE)
    kinds = found.kinds
    sent = 2 * 2 * SIZE
    counted = sent + wire.control_bytes(3, 0.0)
    announcements = 2 * 2 * 3 * 40
    assert kinds["payload"] == counted - announcements
    # Several commitments may share one frame.
    assert announcements - 2 * 2 * 2 * 8 <= kinds["announce"] <= announcements
    assert counted < found.datagrams < 1.3 * counted


def test_a_ring_sends_its_part_twice_each_way() -> None:
    assert wire.ring_bytes(2, 100) == 200
    assert wire.ring_bytes(4, 100) == 300


def test_heartbeats_slow_down_with_many_peers() -> None:
    def beats(count: int) -> float:
        return wire.control_bytes(count, 60.0) - wire.control_bytes(count, 0.0)

    assert beats(2) == 2 * 60 * (14 + 14)
    assert beats(65) == pytest.approx(32 * beats(2))


def test_a_reading_is_as_long_as_the_accounts_are() -> None:
    table = COSTS.read_text(encoding="utf-8").partition("## Bytes of the accounts")[2]
    rows = {
        name: [int(one.replace(",", "")) for one in re.findall(r"[\d,]+", rest)]
        for name, rest in re.findall(r"^\| (Run|Roster|Rounds) \|(.*)$", table, re.M)[:3]
    }
    for column, slots in enumerate((8, 16, 32, 256)):
        sizes = [row[column] for row in rows.values()]
        assert wire.reading_bytes(slots) == sum(-(-size // 3) * 4 for size in sizes)


def test_transactions_grow_by_a_commitment_for_each_member() -> None:
    more = wire.transaction_bytes(64) - wire.transaction_bytes(63)
    assert 300 < more < 600
    assert wire.transaction_bytes(64) > 64 * more
