"""The command line: what it prints, where, and with which code it ends."""

from __future__ import annotations

import importlib
import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from psyche_client.cli.app import commands, run
from psyche_client.cli.errors import CODES, Code, CommandError, code_of, show
from psyche_client.cli.output import count_bytes, put_text, sol

HEAVY = ("torch", "solana", "numpy", "iroh", "transformers", "tokenizers")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test, so that no file of a person's is read or written."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


@pytest.mark.parametrize("command", commands())
def test_every_command_has_a_page_of_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command.split(), "--help"]) == Code.OK

    shown = capsys.readouterr()
    assert shown.out.startswith(f"Usage: psyche {command}".rstrip())
    assert shown.err == ""


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from psyche_client.cli.app import commands, run\n"
        "for command in [[], ['demo'], ['join'], ['wallet', 'new'], ['doctor']]:\n"
        "    run([*command, '--help'])\n"
        f"print('loaded', [name for name in {HEAVY} if name in sys.modules])\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["demi"], "No such command 'demi'", "psyche --help"),
        (["demo", "--rounsd", "3"], "No such option: --rounsd", "psyche demo --help"),
        (["demo", "--overlap", "2"], "--overlap", "psyche demo --help"),
        (["demo", "--rounds", "many"], "--rounds", "psyche demo --help"),
        (["wallet", "shwo"], "No such command 'shwo'", "psyche wallet --help"),
        (["join"], "Missing argument 'RUN'", "psyche join --help"),
        (["join", "x", "--network", "tor"], "no network is called `tor`", "direct or n0"),
    ],
)
def test_a_wrong_command_line_is_answered_in_one_line_with_a_hint(
    arguments: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == Code.USAGE

    shown = capsys.readouterr()
    first, blank, last = shown.err.splitlines()
    assert shown.out == ""
    assert first.startswith("error: ")
    assert message in first
    assert blank == ""
    assert last.startswith("hint: ")
    assert hint in last


def test_a_new_wallet_can_be_read_by_its_owner_alone(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["wallet", "new", "--json"]) == Code.OK

    made = json.loads(capsys.readouterr().out)
    path = home / ".config" / "solana" / "id.json"
    assert made["path"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(json.loads(path.read_text())) == 64


def test_a_wallet_that_is_there_is_never_overwritten(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["wallet", "new"])
    before = (home / ".config" / "solana" / "id.json").read_bytes()

    assert run(["wallet", "new"]) == Code.USAGE

    assert "there is a wallet" in capsys.readouterr().err
    assert (home / ".config" / "solana" / "id.json").read_bytes() == before


def test_the_solana_cli_s_file_names_wallet_and_chain(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / ".config" / "solana" / "cli"
    folder.mkdir(parents=True)
    (folder / "config.yml").write_text(
        f"---\njson_rpc_url: http://127.0.0.1:1\nkeypair_path: '{home}/mine.json'\ncommitment: x\n"
    )
    run(["wallet", "new"])

    assert run(["wallet", "show"]) == Code.CHAIN

    assert (home / "mine.json").exists()
    assert "http://127.0.0.1:1" in capsys.readouterr().err


def test_a_wallet_that_others_may_read_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["wallet", "new"])
    path = home / ".config" / "solana" / "id.json"
    path.chmod(0o644)

    assert run(["wallet", "show"]) == Code.USAGE

    assert f"hint: run `chmod 600 {path}`" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", "[" * 5_000, "[300" + ", 1" * 63 + "]"])
def test_a_file_that_is_no_wallet_is_refused_without_showing_it(
    home: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "odd.json"
    path.write_text(content)
    path.chmod(0o600)

    assert run(["wallet", "show", "--wallet", str(path)]) == Code.USAGE

    assert "holds no key" in capsys.readouterr().err


def test_a_chain_that_does_not_answer_is_named_with_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(["wallet", "new"])
    capsys.readouterr()

    assert run(["wallet", "show", "--url", "http://127.0.0.1:1"]) == Code.CHAIN

    shown = capsys.readouterr().err
    assert "no answer from http://127.0.0.1:1" in shown
    assert "hint: start a chain here with `psyche localnet`" in shown


def test_a_url_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    run(["wallet", "new"])

    assert run(["wallet", "show", "--url", "ftp://x"]) == Code.USAGE

    assert "`ftp://x` is no RPC endpoint" in capsys.readouterr().err


def test_an_out_folder_with_files_in_it_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "file").write_text("x")

    assert run(["demo", "--out", str(home)]) == Code.USAGE

    assert "is not an empty folder" in capsys.readouterr().err


def test_an_out_folder_that_cannot_be_made_is_refused_before_anything_starts(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "file").write_text("x")

    assert run(["demo", "--out", str(home / "file" / "out")]) == Code.DATA

    told = capsys.readouterr().err
    assert "cannot be made: Not a directory" in told
    assert "hint: name a folder" in told


def test_doctor_reports_each_thing_it_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    run(["doctor", "--json", "--url", "http://127.0.0.1:1"])

    findings = {one["what"]: one for one in json.loads(capsys.readouterr().out)}
    assert {
        "python",
        "packages",
        "codec",
        "update",
        "chain",
        "wallet",
        "ports",
        "gpu",
        "disk",
    } <= set(findings)
    assert findings["python"]["good"] is True
    assert "no answer" in findings["chain"]["detail"]


def test_every_class_in_the_table_of_codes_is_there() -> None:
    for name in CODES:
        module, _, kind = name.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), kind), Exception), name


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandError("x", code=Code.FUNDS), Code.FUNDS),
        (KeyboardInterrupt(), Code.INTERRUPTED),
        (OSError(98, "Address already in use"), Code.NETWORK),
        (FileNotFoundError(2, "No such file"), Code.DATA),
        (RuntimeError("odd"), Code.INTERNAL),
    ],
)
def test_an_error_has_the_code_that_the_docs_list(error: BaseException, code: Code) -> None:
    assert code_of(error) is code


def test_an_error_that_nobody_foresaw_is_one_line_that_names_debug(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert show(RuntimeError("two\nlines")) is Code.INTERNAL

    first, _, last = capsys.readouterr().err.splitlines()
    assert first == "error: RuntimeError: two lines"
    assert "--debug" in last


def test_a_traceback_is_shown_only_with_debug(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "file").write_text("x")
    run(["demo", "--out", str(home)])
    assert "Traceback" not in capsys.readouterr().err

    run(["demo", "--debug", "--out", str(home)])
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("code", [code for code in Code if code not in (0, Code.INTERRUPTED)])
def test_an_error_without_a_hint_of_its_own_has_that_of_its_code(
    code: Code, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(CommandError("it failed", code=code)) is code

    _, blank, last = capsys.readouterr().err.splitlines()
    assert blank == ""
    assert re.fullmatch("hint: .{20,}", last)


@pytest.mark.parametrize(
    ("lamports", "text"),
    [(0, "0 SOL"), (1, "0.000000001 SOL"), (1_500_000_000, "1.5 SOL"), (10**12, "1000 SOL")],
)
def test_sol_is_written_exactly(lamports: int, text: str) -> None:
    assert sol(lamports) == text


def test_bytes_are_written_in_the_unit_that_fits() -> None:
    assert [count_bytes(n) for n in (0, 999, 41_300, 5_400_000, 2.5e9)] == [
        "0 B",
        "999 B",
        "41.3 KB",
        "5.4 MB",
        "2.5 GB",
    ]


@pytest.mark.parametrize(("terminal", "shown"), [(False, "a\x1b[2Jb\n"), (True, "a\ufffd[2Jb\n")])
def test_text_of_others_is_written_as_it_is_but_for_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    terminal: bool,
    shown: str,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    put_text("a\x1b[2Jb")
    assert capsys.readouterr().out == shown
