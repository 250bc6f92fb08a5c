"""A full disk ends a client in one clear line, and what was written stays whole."""

import errno
from pathlib import Path

import pytest

from psyche_client.cli.errors import Code, show
from psyche_client.events import EventLog, EventLogError, tail


class FullFile:
    """A log's file on a disk that takes `room` more bytes, then none."""

    def __init__(self, file: object, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: bytes) -> int:
        if self._room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        part, self._room = data[: self._room], 0
        return self._file.write(part)  # type: ignore[attr-defined, no-any-return]

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [0, 10], ids=["nothing fits", "a part fits"])
def test_a_log_on_a_full_disk_fails_with_its_name_and_keeps_whole_lines(
    tmp_path: Path, room: int
) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.write("stop", reason="first")
        log._file = FullFile(log._file, room)  # type: ignore[assignment]
        with pytest.raises(EventLogError, match=r"events\.jsonl: No space left on device"):
            log.write("stop", reason="second")
    assert path.read_bytes().endswith(b"}\n")
    assert [event["reason"] for event in tail(path)] == ["first"]


def test_the_error_of_a_full_disk_is_one_line_a_hint_and_the_code_for_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert show(EventLogError("cannot write events.jsonl: No space left on device")) is Code.DATA
    told = capsys.readouterr().err
    assert told.startswith(
        "error: cannot write events.jsonl: No space left on device\n\nhint: free"
    )
