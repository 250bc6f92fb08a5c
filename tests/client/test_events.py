"""The event log: what one client writes, a view reads, whatever was killed in between."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from psyche_client.events import EVENTS, LINE_BYTES_MAX, EventLog, Tail, tail


def log_at(path: Path) -> EventLog:
    return EventLog(path, clock=lambda: 12.34567)


def test_an_event_is_one_line_with_time_and_name_first(tmp_path: Path) -> None:
    with log_at(tmp_path / "events.jsonl") as log:
        log.write("round", epoch=1, round=2, step=30, loss=4.5)

    text = (tmp_path / "events.jsonl").read_text()
    assert text == '{"t":12.346,"event":"round","epoch":1,"round":2,"step":30,"loss":4.5}\n'


def test_a_line_is_in_the_file_before_the_log_is_closed(tmp_path: Path) -> None:
    log = log_at(tmp_path / "events.jsonl")
    log.write("start", client="alice")

    assert [event["event"] for event in tail(log.path)] == ["start"]
    log.close()


def test_who_listens_hears_of_an_event_once_it_is_written(tmp_path: Path) -> None:
    path, heard = tmp_path / "events.jsonl", []

    with EventLog(path, tell=lambda event: heard.append((event, list(tail(path))))) as log:
        log.write("snapshot", digest=b"\xab")

    ((event, written),) = heard
    assert event["digest"] == "ab"
    assert written == [event]


def test_values_that_json_lacks_are_written_plainly(tmp_path: Path) -> None:
    with log_at(tmp_path / "events.jsonl") as log:
        log.write("round", chain_hash=b"\x01\xff", accepted=frozenset({3, 1}), loss=float("nan"))

    (event,) = tail(log.path)
    assert event["chain_hash"] == "01ff"
    assert event["accepted"] == [1, 3]
    assert event["loss"] is None


def test_an_event_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    with log_at(tmp_path / "events.jsonl") as log, pytest.raises(ValueError, match="no event"):
        log.write("rounds")


def test_a_torn_last_line_is_left_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"t":1,"event":"start"}\n{"t":2,"ev')
    reader = Tail(path)

    assert [event["t"] for event in reader.read()] == [1]
    with path.open("ab") as file:
        file.write(b'ent":"stop"}\n')
    assert [event["t"] for event in reader.read()] == [2]
    assert reader.read() == []


def test_a_log_that_was_torn_goes_on_in_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"t":1,"event":"start"}\n{"t":2,"ev')

    with log_at(path) as log:
        log.write("stop", reason="asked")

    assert [event["event"] for event in tail(path)] == ["start", "stop"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"[1]",
        b'{"event":"start"}',
        b'{"t":true,"event":"start"}',
        b'{"t":1,"event":7}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"t":1,"event":"' + b"x" * LINE_BYTES_MAX + b'"}',
    ],
)
def test_a_line_that_is_no_event_is_passed_over(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(line + b'\n{"t":1,"event":"stop"}\n')

    assert [event["event"] for event in tail(path)] == ["stop"]


def test_a_log_that_was_begun_anew_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"t":1,"event":"start"}\n{"t":2,"event":"stop"}\n')
    reader = Tail(path)
    reader.read()

    path.write_text('{"t":3,"event":"start"}\n')

    assert [event["t"] for event in reader.read()] == [3]


def test_a_log_that_is_not_there_has_no_events(tmp_path: Path) -> None:
    assert list(tail(tmp_path / "none.jsonl")) == []


def test_every_event_is_documented(tmp_path: Path) -> None:
    with log_at(tmp_path / "events.jsonl") as log:
        for name in EVENTS:
            log.write(name)

    written = [json.loads(line)["event"] for line in log.path.read_text().splitlines()]
    assert written == list(EVENTS)
