"""The whole network, end to end: what a newcomer sees and what a script gets."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from psyche_client.demo.faults import faults_of
from psyche_sdk._generated.accounts import PARTICIPANT_BYTES
from support.replay import check_folder

PSYCHE = [sys.executable, "-m", "psyche_client.cli"]
KEYS = {
    "rounds", "step", "clients", "killed", "joined", "first_loss", "last_loss",
    "validation_loss_first", "validation_loss_last", "payload_bytes_mean", "dense_bytes",
    "bits_per_coefficient", "compute_units", "transactions", "lamports_spent", "lamports_rent",
    "sequences", "digests", "chain_hash", "seconds", "training_share", "sample",
}  # fmt: skip
ROUNDS, SEED = 24, 7
RENT_LAMPORTS = 6_960
"""For a byte, of which each account has 128 more than its data; every cluster has these numbers."""
pytestmark = pytest.mark.slow


class Shown:
    """One demo: its JSON object, its folder, and what it said beside."""

    def __init__(self, result: dict[str, Any], out: Path) -> None:
        self.result, self.out = result, out

    def events(self, client: str, name: str) -> list[dict[str, Any]]:
        lines = (self.out / client / "events.jsonl").read_text().splitlines()
        return [e for e in map(json.loads, lines) if e["event"] == name]


def show(out: Path, *arguments: str) -> Shown:
    done = subprocess.run(
        [*PSYCHE, "demo", "--json", "--out", str(out), *arguments],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1, "stdout holds one JSON object and nothing else"
    return Shown(json.loads(lines[0]), out)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    return show(
        tmp_path_factory.mktemp("demo") / "out", "--rounds", str(ROUNDS), "--seed", str(SEED)
    )


def test_the_object_has_the_keys_of_the_contract(demo: Shown) -> None:
    assert demo.result.keys() == KEYS


def test_every_round_was_trained(demo: Shown) -> None:
    assert demo.result["step"] == demo.result["rounds"] == ROUNDS


def test_one_client_was_killed_and_another_joined(demo: Shown) -> None:
    victim = f"client-{faults_of(SEED, 3, ROUNDS).victim}"
    assert demo.result["killed"] == [victim]
    assert demo.result["joined"] == ["client-3"]
    everybody = {f"client-{number}" for number in range(4)}
    assert set(demo.result["digests"]) == everybody - {victim}


def test_all_clients_end_with_the_same_bits(demo: Shown) -> None:
    assert len(set(demo.result["digests"].values())) == 1
    first, *others = [
        load_file(demo.out / name / "model.safetensors") for name in demo.result["digests"]
    ]
    for other in others:
        assert {k: v.tobytes() for k, v in other.items()} == {
            k: v.tobytes() for k, v in first.items()
        }


def test_a_replay_written_apart_from_the_clients_ends_with_their_bits(demo: Shown) -> None:
    report = check_folder(demo.out, demo.result)
    assert set(report.clients) == set(demo.result["digests"])


def test_no_sequence_is_lost_or_trained_twice(demo: Shown) -> None:
    s = demo.result["sequences"]
    assert s["fresh"] + s["repeated"] == s["accepted"] + s["in_flight"] + s["backlog"]
    assert s["repeated"] == s["in_flight"] == 0
    assert s["accepted"] > 0


def test_the_late_joiner_fetched_its_parameters_from_peers_and_then_trained(demo: Shown) -> None:
    pieces = [e for e in demo.events("client-3", "fetched") if e["what"] == "piece"]
    assert sum(e["bytes"] for e in pieces) == demo.result["dense_bytes"]
    assert demo.events("client-3", "committed")


def test_the_loss_falls_on_training_and_on_held_out_text(demo: Shown) -> None:
    assert demo.result["last_loss"] < demo.result["first_loss"] - 0.5
    assert demo.result["validation_loss_last"] < demo.result["validation_loss_first"] - 0.5


def test_payloads_are_small(demo: Shown) -> None:
    assert demo.result["dense_bytes"] / demo.result["payload_bytes_mean"] > 100


def test_the_rent_is_that_of_all_accounts_of_the_run_and_its_four_participants(demo: Shown) -> None:
    sizes = [path.stat().st_size for path in (demo.out / "accounts").iterdir()]
    sizes += 4 * [PARTICIPANT_BYTES]
    assert demo.result["lamports_rent"] == sum(RENT_LAMPORTS * (128 + size) for size in sizes)


def test_the_round_records_lead_to_the_chain_hash(demo: Shown) -> None:
    lines = [json.loads(x) for x in (demo.out / "rounds.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)
    assert lines[-1]["chain_hash"] == demo.result["chain_hash"]
    for before, after in pairwise(lines):
        assert after["previous"] == before["chain_hash"]


@pytest.fixture
def ctrl_c_counts() -> Iterator[None]:
    """Also where these tests run in a shell's background, which ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_counts")
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    demo = subprocess.Popen(
        [*PSYCHE, "demo", "--rounds", "500", "--clients", "2", "--no-faults"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    assert demo.stderr is not None
    for line in demo.stderr:
        if b"train" in line:
            break
    children = descendants(demo.pid)
    assert children
    demo.send_signal(signal.SIGINT)
    assert demo.wait(timeout=20) == 130
    demo.stderr.close()
    assert demo.stdout is not None
    demo.stdout.close()
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert list(tmp_path.iterdir()) == []


def descendants(pid: int) -> list[int]:
    """All processes under this one."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found
