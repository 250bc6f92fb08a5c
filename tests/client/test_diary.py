"""What a client writes down of what it sees: one event a change."""

from pathlib import Path
from typing import Any

from psyche_client.diary import Diary
from psyche_client.events import EventLog, tail
from support.sights import MEMBERS, READY, TRAIN, a_round, see, snapshot

WARMUP = 2


def test_the_first_round_of_an_epoch_has_its_roles_and_members(tmp_path: Path) -> None:
    waiting: dict[int, Any] = {slot: one | {"state": READY} for slot, one in MEMBERS.items()}
    with EventLog(tmp_path / "events.jsonl") as log:
        diary = Diary(log)
        diary.look(see(snapshot(phase=WARMUP, round=0, members=waiting)))
        for _ in range(2):
            diary.look(see(snapshot(a_round(0), phase=TRAIN, round=0)))

    events = list(tail(tmp_path / "events.jsonl"))
    assert [e["phase"] for e in events if e["event"] == "phase"] == ["warmup", "train"]
    assert [e["role"] for e in events if e["event"] == "roles"] == ["-", "trainer"]
    members = [e["members"] for e in events if e["event"] == "members"]
    assert [{one["state"] for one in seen} for seen in members] == [{"ready"}, {"active"}]
