"""The embedded chain as a program: starting, failing and ending."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from solders.pubkey import Pubkey

import psyche_sdk
from psyche_sdk.localnet import (
    Localnet,
    LocalnetError,
    LocalnetProcess,
    PortInUse,
    ProgramError,
    _main,
    main,
    packaged_program,
)
from psyche_sdk.localnet.errors import RpcError
from support.chains import wait_until

BOB = Pubkey.from_bytes(bytes([2]) * 32)
SOL = 10**9


@pytest.fixture
def taken():
    """A port that is taken, after one that is free."""
    for _ in range(50):
        with socket.socket() as listener, socket.socket() as probe:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            try:
                probe.bind(("127.0.0.1", port - 1))
            except OSError:
                continue
            probe.close()
            listener.listen()
            yield port
            return
    pytest.fail("found no such port")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - not a path of ours
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_chain_in_its_own_process_serves_callers_without_a_loop():
    with LocalnetProcess(slot_ms=0, unix_seconds=1_800_000_000) as chain:
        chain.airdrop(BOB, SOL)
        slot = chain.advance(5, seconds=3)

        assert chain.call("getBalance", str(BOB))["value"] == SOL
        assert chain.call("getBlockTime", slot) == 1_800_000_003
        assert chain.ws_url.endswith(f":{chain.port + 1}")


def test_an_error_answer_is_raised_with_its_code():
    with LocalnetProcess(slot_ms=400) as chain, pytest.raises(RpcError, match="found") as raised:
        chain.call("noSuchThing")

    assert raised.value.code == -32601


def test_the_process_ends_when_it_is_stopped():
    chain = LocalnetProcess().start()
    pid = chain.pid

    chain.stop()
    chain.stop()

    assert not is_alive(pid)
    with pytest.raises(LocalnetError, match="not running"):
        chain.call("getSlot")


def test_a_stopped_process_goes_on_from_its_state(tmp_path):
    state = tmp_path / "chain.json"
    with LocalnetProcess(state=state) as first:
        first.airdrop(BOB, SOL)

    with LocalnetProcess(state=state) as second:
        assert second.call("getBalance", str(BOB))["value"] == SOL


def test_the_process_ends_with_the_one_that_started_it():
    code = (
        "from psyche_sdk.localnet import LocalnetProcess;"
        "print(LocalnetProcess().start().pid, flush=True);"
        "input()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with parent:
        pid = int(parent.stdout.readline())
        assert is_alive(pid)

        parent.kill()

    wait_until(lambda: not is_alive(pid), "the chain has ended", seconds=10)


async def test_a_port_that_is_taken_is_told_with_a_hint(taken):
    with pytest.raises(PortInUse, match=r"in use.*--port") as raised:
        await Localnet(port=taken).start()

    assert isinstance(raised.value, OSError)


async def test_the_websockets_port_is_named_if_that_one_is_taken(taken):
    with pytest.raises(PortInUse, match=f"port {taken} is in use"):
        await Localnet(port=taken - 1).start()


def test_a_process_tells_that_its_port_is_taken(taken):
    with pytest.raises(PortInUse):
        LocalnetProcess(port=taken).start()


def test_a_process_tells_why_it_cannot_start(tmp_path):
    with pytest.raises(LocalnetError, match="cannot read program"):
        LocalnetProcess(programs={BOB: tmp_path / "missing.so"}).start()


async def test_bytes_that_are_no_program_are_refused():
    with pytest.raises(ProgramError, match="not accepted"):
        await Localnet(programs={BOB: b"not a program"}).start()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--slot-ms", "5"], 2, "slot_ms"),
        (["--program", "x"], 2, "ID=FILE"),
        (["--program", "x=y"], 2, "not an address"),
        (["--program", f"{BOB}=/does/not/exist"], 1, "cannot read program"),
        (["--state", "/dev/null/x"], 1, "cannot read"),
    ],
)
def test_a_command_line_that_cannot_work_is_refused_in_words(arguments, status, words, capsys):
    assert main(["--bare", "--port", "0", *arguments]) == status

    told = capsys.readouterr()
    assert words in told.err
    assert told.out == ""


def test_a_taken_port_has_an_exit_status_of_its_own(taken, capsys):
    assert main(["--bare", "--port", str(taken)]) == 3

    assert "in use" in capsys.readouterr().err


def test_an_interrupt_ends_the_program_quietly_and_in_order():
    command = [sys.executable, "-m", "psyche_sdk.localnet", "--bare", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        ready = json.loads(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        rest, words = child.communicate(timeout=20)

    assert ready["ready"]
    assert (child.returncode, rest) == (0, b"")
    assert ready["url"].encode() in words
    assert b"Traceback" not in words


def test_a_package_without_its_program_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(_main, "_PACKAGED", tmp_path)

    with pytest.raises(ProgramError, match="has no program"):
        packaged_program()


def test_a_package_whose_interface_has_no_address_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(_main, "_PACKAGED", tmp_path)
    (tmp_path / "coordinator.so").write_bytes(b"")
    (tmp_path / "coordinator.json").write_text("{}")

    with pytest.raises(ProgramError, match="address"):
        packaged_program()


def test_the_packages_chain_needs_neither_numpy_nor_solana_py():
    code = (
        "import sys, psyche_sdk.localnet;"
        "print([m for m in ('numpy', 'solana', 'torch', 'construct') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]", psyche_sdk.__file__
