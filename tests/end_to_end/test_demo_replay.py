"""A whole run without overlap, in which a client dies and one joins, replayed from its folder."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.replay import Report, check_folder

ROUNDS = 12
DEMO = [sys.executable, "-m", "psyche_client.cli", "demo", "--json", "--overlap", "0"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Report]:
    """The demo's result, and the report of its folder's replay."""
    out: Path = tmp_path_factory.mktemp("demo") / "out"
    command = [*DEMO, "--rounds", str(ROUNDS), "--seed", "11", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    return result, check_folder(out, result)


def test_the_payloads_alone_lead_to_the_bits_of_every_client_left(
    replayed: tuple[dict[str, Any], Report],
) -> None:
    result, report = replayed
    assert len(result["killed"]) == 1
    everybody = (f"client-{number}" for number in range(4))
    assert report.clients == tuple(name for name in everybody if name not in result["killed"])


def test_every_round_is_replayed_and_no_accepted_payload_breaks_the_format(
    replayed: tuple[dict[str, Any], Report],
) -> None:
    _, report = replayed
    assert report.rounds == report.step == ROUNDS
    assert report.accepted >= ROUNDS
    assert report.refused == 0


def test_the_replay_meets_the_states_that_members_agreed_on_during_the_run(
    replayed: tuple[dict[str, Any], Report],
) -> None:
    _, report = replayed
    assert len(report.states) > 1
    assert report.states[-1] == ROUNDS
