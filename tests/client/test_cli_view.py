"""The live view: events become a state, a state becomes a picture."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from psyche_client.cli.figures import seconds_left
from psyche_client.cli.plot import bar, curve
from psyche_client.cli.runs import state_of
from psyche_client.cli.state import State, fold, new_state
from psyche_client.cli.view import LiveView, plain_line, render, summary
from support.sights import a_round, a_settled_round, snapshot

UNITS = ("attest", "commit", "tick", "attest_and_tick", "commit_and_tick")
COMMIT = {"instruction": "commit", "lamports": 5_000}
EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("alice", {"t": 10.0, "event": "start", "run": "tiny"}),
    ("alice", {"t": 10.1, "event": "joined", "slot": 0, "member_id": 1}),
    ("bob", {"t": 10.2, "event": "start", "run": "tiny"}),
    ("bob", {"t": 10.3, "event": "joined", "slot": 1, "member_id": 2}),
    ("alice", {"t": 11.0, "event": "phase", "phase": "Train", "round": 3, "deadline": 40.0}),
    ("alice", {"t": 11.0, "event": "roles", "role": "trainer"}),
    ("alice", {"t": 12.0, "event": "training_seconds", "seconds": 0.5}),
    ("alice", {"t": 12.0, "event": "committed", "bytes": 40_000, "tokens": 1_500}),
    ("bob", {"t": 12.0, "event": "committed", "bytes": 42_000}),
    ("alice", {"t": 12.0, "event": "chain", **COMMIT, "compute_units": 1_900}),
    ("alice", {"t": 12.0, "event": "chain", **COMMIT, "compute_units": 1_500}),
    ("alice", {"t": 13.0, "event": "training_seconds", "seconds": 2.5}),
    ("bob", {"t": 13.0, "event": "waiting_seconds", "seconds": 1.0}),
    ("alice", {"t": 13.0, "event": "round", "step": 3, "loss": 5.5}),
    ("bob", {"t": 13.1, "event": "round", "step": 3, "loss": 5.6}),
    ("alice", {"t": 14.0, "event": "round", "step": 4, "loss": 5.25}),
    ("bob", {"t": 14.0, "event": "stop", "reason": "asked"}),
]


def folded() -> State:
    state = new_state("tiny", total_steps=10)
    for client, event in EVENTS:
        fold(state, client, event)
    return state


def picture(state: State, *, width: int = 100, height: int = 40, plain: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    console.print(render(state, now=30.0, width=width, height=height, plain=plain))
    return console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO


def test_sums_and_maxima_come_out_of_the_events() -> None:
    state = folded()

    assert state["payload_bytes"] == 82_000
    assert state["payloads"] == 2
    assert state["chain"]["lamports_spent"] == 10_000
    assert state["chain"]["compute_units"] == {"commit": 1_900}
    assert (state["training_seconds"], state["waiting_seconds"]) == (3.0, 1.0)


def test_a_round_counts_once_however_many_clients_apply_it() -> None:
    state = folded()

    assert state["losses"] == [[3, 5.5], [4, 5.25]]
    assert state["step"] == 5


def test_a_client_that_stops_is_shown_as_stopped() -> None:
    states = {entry["name"]: entry["state"] for entry in folded()["members"]}

    assert states == {"alice": "active", "bob": "stopped"}


def test_a_killed_client_stays_killed_whatever_the_chain_still_says() -> None:
    state = folded()
    fold(state, "alice", {"event": "stop", "reason": "killed with SIGKILL"})

    fold(state, "bob", {"t": 15.0, "event": "members", "members": [{"slot": 0, "state": "active"}]})

    states = {entry["name"]: entry["state"] for entry in state["members"]}
    assert states["alice"] == "killed"
    assert state["log"][-1] == "alice killed with SIGKILL"


def test_a_killed_client_is_seen_to_miss_and_then_to_be_dropped() -> None:
    state = folded()
    fold(state, "alice", {"event": "stop", "reason": "killed with SIGKILL"})
    late = {"slot": 0, "state": "active", "misses": 1}

    for seconds, members in ((15.0, [late]), (16.0, []), (17.0, [late]), (18.0, [])):
        fold(state, "bob", {"t": seconds, "event": "members", "members": members})
        if members:
            missed = [m["misses"] for m in state["members"] if m["name"] == "alice"]

    assert missed == [0], "who lags behind tells nothing new"
    assert [m["name"] for m in state["members"]] == ["alice", "bob"]
    dropped = "alice was dropped: others train its sequences"
    assert [line for line in state["log"] if "dropped" in line] == [dropped]


def test_of_a_client_that_is_gone_neither_speed_nor_peers_are_shown() -> None:
    state = folded()
    peers = [{"slot": 1, "path": "direct", "received_bytes": 10}]
    for client in ("alice", "bob"):
        fold(state, client, {"t": 15.0, "event": "peers", "peers": peers})

    fold(state, "alice", {"event": "stop", "reason": "killed with SIGKILL"})

    speeds = {entry["name"]: entry.get("tokens_per_second") for entry in state["members"]}
    assert speeds["alice"] is None
    assert {peer["of"] for peer in state["peers"]} == {"bob"}


def test_a_member_that_is_not_one_of_ours_is_shown_by_its_slot() -> None:
    state = folded()

    fold(state, "bob", {"t": 15.0, "event": "members", "members": [{"slot": 5, "state": "ready"}]})

    assert [m["name"] for m in state["members"] if m["slot"] == 5] == ["slot 5"]

    fold(state, "carol", {"t": 15.1, "event": "joined", "slot": 5})

    assert [m["name"] for m in state["members"] if m["slot"] == 5] == ["carol"]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"t": 1.0, "event": "unheard of"},
        {"t": 1.0, "event": "round"},
        {"t": 1.0, "event": "round", "step": "x", "loss": None},
        {"t": 1.0, "event": "committed"},
        {"t": 1.0, "event": "validation", "step": 1},
    ],
)
def test_an_event_without_its_facts_breaks_nothing(event: dict[str, Any]) -> None:
    state = new_state("tiny")

    fold(state, "alice", event)

    assert picture(state)
    assert state["losses"] == []


def test_the_picture_shows_phase_time_members_wire_and_chain() -> None:
    state = folded() | {"dense_bytes": 4_100_000}

    shown = picture(state)

    for words in (
        "tiny",
        "round 3",
        "Train, 10 s left",
        "5/10",
        "alice",
        "stopped",
        "3000",
        "41.0 KB",
        "4.1 MB (100 x)",
        "75% of the time",
        "0.00001 SOL",
        "1,900 units",
        "now 5.250, at first 5.500",
    ):
        assert words in shown


def test_peers_have_names_and_the_throughput_since_the_last_look() -> None:
    state = folded()
    for seconds, received in ((15.0, 1_000_000), (17.0, 5_000_000)):
        peers = [
            {"slot": 1, "path": "direct", "received_bytes": received},
            {"slot": 7, "path": "relay"},
        ]
        fold(state, "alice", {"t": seconds, "event": "peers", "peers": peers})

    shown = picture(state)

    assert "alice   bob     direct    2.0 MB/s" in shown
    assert "alice   slot 7  relay" in shown


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 24), (200, 60)])
def test_no_line_is_wider_than_the_terminal(width: int, height: int) -> None:
    shown = picture(folded(), width=width, height=height)

    assert max(map(len, shown.splitlines())) <= width


def test_the_picture_fits_a_terminal_of_24_lines() -> None:
    state = folded()
    for slot in range(2, 5):
        fold(state, f"client-{slot}", {"t": 15.0, "event": "joined", "slot": slot})
    fold(state, "alice", {"t": 15.0, "event": "validation", "step": 0, "loss": 7.5})
    fold(state, "alice", {"t": 15.0, "event": "kept", "step": 34, "confirmations": 2})
    state["chain"]["compute_units"] = dict.fromkeys(UNITS, 12_786)

    shown = picture(state, width=80, height=24)

    assert len(shown.splitlines()) <= 24
    assert "held out 7.500 at step 0" in shown
    assert all(name in shown for name in UNITS), "no name is cut off"


RESULT: dict[str, Any] = {
    "first_loss": 7.789, "last_loss": 5.796,
    "validation_loss_first": 7.847, "validation_loss_last": 5.507,
    "payload_bytes_mean": 19_800.0, "dense_bytes": 4_700_000,
    "digests": dict.fromkeys(("client-0", "client-1", "client-3"), "ab" * 32),
    "transactions": 420, "lamports_spent": 2_100_000, "lamports_rent": 245_493_120,
    "killed": ["client-2"], "joined": ["client-3"], "training_share": 0.56, "seconds": 86.0,
    "sample": "def f(\n" + "x" * 100 + "\n" * 20 + "return",
}  # fmt: skip


def last_page(result: dict[str, Any], *, height: int | None = None) -> str:
    state = folded()
    fold(state, "alice", {"t": 15.0, "event": "validation", "step": 50, "loss": 5.507})
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(summary(result, state, width=80, height=height))
    return console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO


def test_the_last_page_fits_a_terminal_of_24_lines_and_what_it_cuts_is_sample_alone() -> None:
    shown = last_page(RESULT, height=24)

    assert len(shown.splitlines()) <= 22, "two lines are left for the prompt"
    words = ["7.847 -> 5.507", "4.7 MB (237 x)", "all 3 equal, abababab", "0.24549312 SOL", "86 s"]
    assert all(word in shown for word in words)
    assert "def f(" in shown


def test_where_there_is_no_terminal_the_whole_sample_is_written() -> None:
    assert "return" in last_page(RESULT)


def test_who_watches_a_run_sees_what_the_chain_knows_and_no_zero_for_what_it_does_not() -> None:
    state = state_of(snapshot(a_settled_round(4), a_round(5)))
    state = state_of(snapshot(a_settled_round(4), a_round(5)), state)  # counts nothing twice

    assert (state["payloads"], state["payload_bytes"]) == (2, 602 + 607)
    assert [loss for _, loss in state["losses"]] == [4.5]
    shown = picture(state)
    assert "a payload" in shown
    assert not [word for word in ("fetched", "transactions", "fees") if word in shown]


def test_the_last_page_needs_no_more_than_ascii() -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    page = summary(RESULT | {"sample": "d\u00e9f"}, folded(), width=80, plain=True)
    console.print(page)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]  # a StringIO
    inside = "".join(line[1:-1] for line in lines if line[:1] == "\u2502")
    assert inside.replace("\u2502", "").isascii()
    assert "d?f" in inside


def test_what_the_model_writes_does_not_steer_the_terminal() -> None:
    shown = last_page(RESULT | {"sample": "a\x1b[2Jb\x1a\x9bc\n\tok"})
    assert "a\ufffd[2Jb\ufffd\ufffdc" in shown
    assert not set(shown) & {"\x1b", "\x1a", "\x9b"}
    assert "ok" in shown


def test_a_state_of_nothing_can_be_shown() -> None:
    assert "no loss yet" in picture(new_state())


def test_time_left_never_falls_below_zero() -> None:
    assert seconds_left({"deadline": 10.0}, now=12.0) == 0
    assert seconds_left({"deadline": 10.0}, now=7.5) == 2
    assert seconds_left({}, now=1.0) is None


def test_where_there_is_no_terminal_the_view_is_lines() -> None:
    stream = io.StringIO()

    with LiveView(stream, every_seconds=0.0) as view:
        view.show(folded())
        view.show(folded())

    (line,) = stream.getvalue().splitlines()
    assert line.startswith("epoch 0 round 3  step 5/10  Train")
    assert line.endswith("1 members  loss 5.250  41.0 KB a payload")


def test_a_line_needs_no_event_to_be_written() -> None:
    assert plain_line(new_state(), now=0.0) == "epoch 0 round 0  step 0/?  starting  0 members"


def test_the_summary_says_whether_the_digests_are_equal() -> None:
    equal = {"digests": {"a": "ab" * 32, "b": "ab" * 32}}
    unequal = {"digests": {"a": "ab" * 32, "b": "cd" * 32}}

    assert "all 2 equal, abababab" in last_page(equal)
    assert "DIFFERENT" in last_page(unequal)


def test_a_curve_falls_from_left_to_right_where_the_numbers_do() -> None:
    lines = curve([[(0, 4.0), (10, 2.0)]], width=30, height=4, plain=True)

    assert lines[0].startswith("  4.00 |*")
    assert lines[3].startswith("  2.00 |")
    assert lines[3].rstrip().endswith("*")
    assert lines[4].split() == ["0", "10"]


def test_a_curve_of_one_point_or_none_can_be_drawn() -> None:
    assert curve([], width=30, height=4) == ["no loss yet"]
    assert len(curve([[(3, 1.0)]], width=30, height=4)) == 5


def test_a_bar_is_full_at_most() -> None:
    assert bar(0.5, width=4) == "##--"
    assert bar(7.0, width=4) == "####"
