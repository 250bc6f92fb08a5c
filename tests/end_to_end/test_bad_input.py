"""What cannot work ends in one clear line with a hint and the documented exit code."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from solders.keypair import Keypair

from psyche_client.cli.app import run as psyche
from psyche_client.cli.errors import Code
from psyche_client.demo.processes import client_environment
from psyche_client.demo.stage import write_key
from psyche_sdk.localnet import packaged_program
from support.chains import chain
from support.small_run import SmallRun, run_toml, small_run

PSYCHE = [sys.executable, "-m", "psyche_client.cli"]
NOWHERE = "http://127.0.0.1:1"
pytestmark = pytest.mark.timeout(60)  # what is not refused goes on and on


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRun]:
    """A run on a chain; nobody joins it."""
    work = tmp_path_factory.mktemp("run")
    with chain("localnet", packaged_program()) as here, small_run(here.url, work) as made:
        yield made


def refuses(code: Code, *arguments: str) -> tuple[str, str]:
    """Runs a command that must fail with a code; returns its message and its hint."""
    done = subprocess.run(
        [*PSYCHE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=client_environment(os.environ),
    )
    assert done.returncode == code, done.stderr
    return words(done.stdout, done.stderr)


def words(out: str, err: str) -> tuple[str, str]:
    """The message and the hint that are all a command said."""
    assert out == ""
    found = re.fullmatch(r"error: (.+)\n\nhint: (.+)\n", err)
    assert found, f"not one line and a hint: {err}"
    return found[1], found[2]


Refused = Callable[..., tuple[str, str]]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """As `refuses`, but in this process: one of its own would load torch for each line."""

    def refused(code: Code, *arguments: str) -> tuple[str, str]:
        capsys.readouterr()
        ended = psyche([*arguments])
        out, err = capsys.readouterr()
        assert ended == code, err
        return words(out, err)

    return refused


def join(run: SmallRun, home: Path, **changes: str) -> list[str]:
    """A command line that would join, but for what a test changes in it."""
    options = {
        "url": run.stage.url,
        "wallet": str(run.stage.home(0) / "wallet.json"),
        "home": str(home),
        "data": str(run.stage.work / "data"),
        "network": "direct",
    } | changes
    named = [part for name, value in options.items() for part in (f"--{name}", value)]
    return ["join", changes.get("run", run.stage.run), *named]


def new_wallet(folder: Path) -> Path:
    path = folder / "wallet.json"
    write_key(path, Keypair())
    return path


# A run's file.


@pytest.mark.parametrize(
    ("line", "broken", "message", "hint"),
    [
        (
            "capacity = 8",
            "capacty = 8",
            "unknown key `run.capacty`",
            "did you mean `run.capacity`?",
        ),
        (
            "train_seconds = 60",
            'train_seconds = "30s"',
            '`phases.train_seconds` must be a whole number from 2 to .* it is "30s"',
            "the unit is in the name: write `train_seconds = 30`",
        ),
        (
            "steps = 6",
            "steps = -6",
            "`rounds.total_steps` must be .* it is -6",
            "it has no default",
        ),
        (
            "batch_sequences_end = 6",
            "batch_sequences_end = 5",
            r"`training.batch_sequences_start` \(6\) is above",
            "lower the first or raise the second",
        ),
        ("[run]", "[run", "is no TOML", "key = value"),
    ],
    ids=["unknown key", "wrong unit", "out of range", "impossible sum", "no TOML"],
)
def test_a_broken_run_file_is_refused_by_key_and_value(
    tmp_path: Path, line: str, broken: str, message: str, hint: str
) -> None:
    file = tmp_path / "run.toml"
    file.write_text(run_toml().replace(line, broken, 1))
    told, helps = refuses(Code.USAGE, "run", "create", str(file), "--data", str(tmp_path))
    assert told.startswith("run.toml")
    assert re.search(message, told)
    assert hint in helps


def test_a_run_needs_its_prepared_data(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(run_toml())
    nowhere = tmp_path / "nowhere"
    told, helps = refuses(Code.DATA, "run", "create", str(file), "--data", str(nowhere))
    assert str(nowhere) in told
    assert "psyche data prepare" in helps


def test_text_that_is_not_there_cannot_be_prepared(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    told, _ = refuses(Code.DATA, "data", "prepare", str(tmp_path / "data"), str(nowhere))
    assert str(nowhere) in told


# The chain.


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        told, helps = refuses(Code.NETWORK, "localnet", "--port", port)
    assert told == f"port {port} is in use"
    assert "--port" in helps


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--slot-ms", "9", "greater than or equal to 10"),
        ("--program", "nobody=x.so", "names no program"),
        (
            "--program",
            f"{Keypair.from_seed(bytes(32)).pubkey()}=nowhere.so",
            "there is no file `nowhere.so`",
        ),
    ],
)
def test_a_chain_with_impossible_options_does_not_start(
    option: str, value: str, message: str
) -> None:
    told, _ = refuses(Code.USAGE, "localnet", option, value)
    assert message in told


@pytest.mark.parametrize("command", ["run show", "run list", "join", "wallet airdrop"])
def test_without_a_chain_at_the_url_a_command_says_so(
    command: str, run: SmallRun, tmp_path: Path, refused: Refused
) -> None:
    wallet = str(new_wallet(tmp_path))
    arguments = {
        "run show": ["run", "show", run.stage.run, "--url", NOWHERE],
        "run list": ["run", "list", "--url", NOWHERE],
        "join": join(run, tmp_path / "home", url=NOWHERE),
        "wallet airdrop": ["wallet", "airdrop", "--url", NOWHERE, "--wallet", wallet],
    }[command]
    told, _ = refused(Code.CHAIN, *arguments)
    assert NOWHERE in told
    assert "refused" in told


def test_a_run_that_does_not_exist_is_named(
    run: SmallRun, tmp_path: Path, refused: Refused
) -> None:
    nobody = str(Keypair().pubkey())
    arguments = join(run, tmp_path / "home")
    arguments[1] = nobody
    told, _ = refused(Code.CHAIN, *arguments)
    assert nobody in told


def test_an_address_that_is_none_is_refused(
    run: SmallRun, tmp_path: Path, refused: Refused
) -> None:
    arguments = join(run, tmp_path / "home")
    arguments[1] = "my run"
    told, _ = refused(Code.USAGE, *arguments)
    assert "my run" in told


# The wallet.


def test_a_wallet_without_funds_cannot_join(run: SmallRun, tmp_path: Path) -> None:
    wallet = new_wallet(tmp_path)
    told, helps = refuses(Code.FUNDS, *join(run, tmp_path / "home", wallet=str(wallet)))
    assert str(Keypair.from_json(wallet.read_text()).pubkey()) in told
    assert "airdrop" in helps


def test_a_wallet_that_others_may_read_is_refused(
    run: SmallRun, tmp_path: Path, refused: Refused
) -> None:
    wallet = new_wallet(tmp_path)
    wallet.chmod(0o644)
    told, helps = refused(Code.USAGE, *join(run, tmp_path / "home", wallet=str(wallet)))
    assert str(wallet) in told
    assert helps == f"run `chmod 600 {wallet}`"


# What a client needs.


def test_without_its_data_a_client_does_not_join(
    run: SmallRun, tmp_path: Path, refused: Refused
) -> None:
    shutil.copytree(run.stage.home(0), tmp_path / "home")
    nowhere = str(tmp_path / "nowhere")
    told, _ = refused(Code.DATA, *join(run, tmp_path / "home", data=nowhere))
    assert nowhere in told
    assert run.member(0) is None


def test_the_model_of_another_run_is_refused(
    run: SmallRun, tmp_path: Path, refused: Refused
) -> None:
    home = tmp_path / "home"
    shutil.copytree(run.stage.home(0), home)
    document = home / "model.json"
    document.write_bytes(document.read_bytes().replace(b'"hidden_size":64', b'"hidden_size":32'))
    told, _ = refused(Code.DATA, *join(run, home))
    assert "model.json" in told
    assert run.member(0) is None
