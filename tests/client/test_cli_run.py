"""`psyche run` and `psyche wallet` on an embedded chain, as an owner uses them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey

from psyche_client.cli.app import run
from psyche_client.cli.errors import Code
from psyche_client.cli.run import _close
from psyche_sdk._accounts import AccountData
from psyche_sdk.program_errors import TooEarly
from psyche_sdk.views import Phase
from support.accounts import run_bytes
from support.sights import account

FILE = '[run]\nid = "{name}"\n[rounds]\ntotal_steps = 40\n[data]\nsource = "python"\n'


@pytest.fixture(scope="module")
def owner(chain: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that name the chain and a wallet with 10 SOL."""
    path = tmp_path_factory.mktemp("owner") / "alice.json"
    options = ["--wallet", str(path), "--url", chain]
    assert run(["wallet", "new", "--out", str(path)]) == Code.OK
    assert run(["wallet", "airdrop", "10", *options]) == Code.OK
    return options


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little of the standard library as training data."""
    folder = tmp_path_factory.mktemp("data")
    assert run(["data", "prepare", str(folder), "python", "--bytes-max", "400000"]) == Code.OK
    return folder


def create(name: str, owner: list[str], data: Path, tmp_path: Path, *more: str) -> int:
    (tmp_path / "run.toml").write_text(FILE.format(name=name))
    arguments = ["run", "create", str(tmp_path / "run.toml"), "--data", str(data)]
    return run([*arguments, *owner, *more])


def shown(address: str, chain: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["run", "show", address, "--url", chain, "--json"]) == Code.OK
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


def test_a_run_is_created_paused_steered_and_closed(
    chain: str,
    owner: list[str],
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsys.readouterr()
    assert create("steered", owner, data, tmp_path) == Code.OK
    address = capsys.readouterr().out.strip()
    facts = shown(address, chain, capsys)
    assert (facts["id"], facts["phase"], facts["total_steps"]) == ("steered", "paused", 40)

    assert run(["run", "resume", address, *owner]) == Code.OK
    assert shown(address, chain, capsys)["phase"] == "waiting for members"
    assert run(["run", "pause", address, *owner]) == Code.OK
    assert shown(address, chain, capsys)["phase"] == "paused"
    assert run(["run", "close", address, *owner]) == Code.OK
    assert run(["run", "show", address, "--url", chain]) == Code.CHAIN


class Sent:
    """A run in one phase on which nothing is due; the names of what is sent to it."""

    def __init__(self, phase: Phase) -> None:
        self.phase, self.names = phase, list[str]()

    async def run(self) -> AccountData:
        return account(run_bytes(phase=int(self.phase)))

    async def tick(self) -> None:
        self.names.append("tick")
        raise TooEarly

    async def close_run(self, _: Pubkey) -> None:
        self.names.append("close_run")


@pytest.mark.parametrize("phase", list(Phase))
async def test_who_vanished_long_ago_is_dropped_before_a_run_that_rests_is_closed(
    phase: Phase,
) -> None:
    sent = Sent(phase)

    await _close(sent)  # type: ignore[arg-type]  # all that it asks of a coordinator

    rests = phase in (Phase.PAUSED, Phase.FINISHED)
    assert sent.names == (["tick", "close_run"] if rests else ["close_run"])


def test_the_owner_sets_a_checkpoint_of_a_paused_run(
    chain: str, owner: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    create("set", owner, data, tmp_path)
    address = capsys.readouterr().out.strip()
    before = shown(address, chain, capsys)
    assert before["checkpoint"] is None

    command = ["run", "checkpoint", "set", address, "--digest", "ab" * 32]
    assert run([*command, "--uri", "file:///model", *owner]) == Code.OK

    after = shown(address, chain, capsys)
    assert after["agreed_digest"] == after["checkpoint"]["digest"] == "ab" * 32
    assert after["checkpoint"]["uris"] == ["file:///model"]
    assert after["chain_hash"] != before["chain_hash"]
    assert run(["run", "show", address, "--url", chain]) == Code.OK
    assert "checkpoint.uris          file:///model" in capsys.readouterr().out
    assert run(["run", "resume", address, *owner]) == Code.OK
    assert run([*command, *owner]) == Code.REFUSED


@pytest.mark.parametrize("digest", ["", "ab", "zz" * 32, "00" * 32])
def test_what_is_no_digest_is_a_usage_error(
    owner: list[str], digest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wallet = owner[1]
    command = ["run", "checkpoint", "set", f"{'1' * 32}", "--digest", digest, "--wallet", wallet]

    assert run(command) == Code.USAGE

    assert "64 hexadecimal digits" in capsys.readouterr().err


def test_a_uri_that_does_not_fit_the_chain_is_a_usage_error(
    owner: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "checkpoint", "set", "1" * 32, "--digest", "ab" * 32, "--uri", "a b"]

    assert run([*command, "--wallet", owner[1]]) == Code.USAGE

    assert "1 to 96 printable" in capsys.readouterr().err


def test_the_chain_names_the_model_that_was_written(
    chain: str, owner: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    create("named", owner, data, tmp_path, "--json")
    facts = shown(json.loads(capsys.readouterr().out)["address"], chain, capsys)

    run(["model", "inspect", str(data / "model.json"), "--json"])

    assert json.loads(capsys.readouterr().out)["sha256"] == facts["model_hash"]
    assert facts["model_uri"] == (data / "model.json").resolve().as_uri()


def test_a_run_is_found_in_the_list_and_by_creator_and_id(
    chain: str, owner: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create("listed", owner, data, tmp_path, "--start")
    capsys.readouterr()

    run(["run", "list", "--url", chain, "--json"])

    found = {one["id"]: one for one in json.loads(capsys.readouterr().out)}
    name = f"{found['listed']['creator']}/listed"
    assert shown(name, chain, capsys)["address"] == found["listed"]["address"]


def test_the_configuration_on_chain_is_the_files(
    chain: str, owner: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    create("configured", owner, data, tmp_path)
    address = capsys.readouterr().out.strip()

    run(["run", "config", address, "--url", chain, "--json"])

    config = json.loads(capsys.readouterr().out)
    assert (config["total_steps"], config["sequence_tokens"]) == (40, 128)


def test_a_second_run_of_the_same_id_is_refused_in_words(
    owner: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create("twice", owner, data, tmp_path)

    assert create("twice", owner, data, tmp_path) == Code.REFUSED

    assert "has a run `twice` already" in capsys.readouterr().err


def test_a_wallet_without_funds_is_named_with_what_to_do(
    chain: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    poor = tmp_path / "bob.json"
    run(["wallet", "new", "--out", str(poor)])

    options = ["--wallet", str(poor), "--url", chain]
    assert create("poor", options, data, tmp_path) == Code.FUNDS

    assert "hint: " in capsys.readouterr().err


def test_only_the_owner_steers_a_run(
    chain: str,
    owner: list[str],
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsys.readouterr()
    create("owned", owner, data, tmp_path)
    address = capsys.readouterr().out.strip()
    mallory = ["--wallet", str(tmp_path / "mallory.json"), "--url", chain]
    run(["wallet", "new", "--out", mallory[1]])
    run(["wallet", "airdrop", "1", *mallory])
    capsys.readouterr()

    assert run(["run", "resume", address, *mallory]) == Code.REFUSED

    assert "sign with the key that the run names" in capsys.readouterr().err


def test_a_run_that_was_handed_over_is_closed_and_its_rent_is_who_paid_its(
    chain: str,
    owner: list[str],
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capsys.readouterr()
    create("handed", owner, data, tmp_path)
    address = capsys.readouterr().out.strip()
    bob = ["--wallet", str(tmp_path / "bob.json"), "--url", chain]
    run(["wallet", "new", "--out", bob[1]])
    bobs = capsys.readouterr().out.strip()
    run(["wallet", "airdrop", "1", *bob])
    assert run(["run", "authority", address, bobs, *owner]) == Code.OK
    assert run(["run", "authority", address, "--accept", *bob]) == Code.OK

    assert run(["run", "close", address, *bob]) == Code.OK

    assert run(["run", "show", address, "--url", chain]) == Code.CHAIN
    capsys.readouterr()
    run(["wallet", "show", "--json", *bob])
    assert json.loads(capsys.readouterr().out)["lamports"] < 1_000_000_000


def test_what_a_phase_does_not_allow_is_told_with_the_phase_and_a_way_out(
    owner: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    create("idle", owner, data, tmp_path)
    address = capsys.readouterr().out.strip()

    assert run(["run", "pause", address, *owner]) == Code.REFUSED
    words = capsys.readouterr().err
    assert "the run's phase is `paused`\n\nhint: `psyche run resume`" in words

    assert run(["run", "resume", address, *owner]) == Code.OK
    capsys.readouterr()
    assert run(["run", "close", address, *owner]) == Code.REFUSED
    words = capsys.readouterr().err
    assert "the run's phase is `waiting for members`\n\nhint: `psyche run pause`" in words


def test_a_name_that_is_no_run_is_a_usage_error(
    chain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "show", "not/a/run", "--url", chain]) == Code.USAGE

    assert "names no run" in capsys.readouterr().err


def test_a_port_in_use_is_one_line_with_its_own_code(
    chain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port = chain.rpartition(":")[2]

    assert run(["localnet", "--port", port]) == Code.NETWORK

    assert f"error: port {port} is in use" in capsys.readouterr().err


def test_ctrl_c_ends_the_chain_without_a_word_too_many() -> None:
    command = [sys.executable, "-m", "psyche_client.cli", "localnet", "--port", "0", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stderr is not None
        assert "a chain at" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=20)

    assert process.returncode == Code.OK
    assert "Traceback" not in words
