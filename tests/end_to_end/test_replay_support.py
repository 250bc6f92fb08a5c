"""The replay in numpy: it meets the client's bits, and refuses folders that were tampered with."""

import ast
import json
import shutil
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import support.replay
from psyche_client.trainer import Trainer
from support.replay import ReplayError, check_folder, replay
from support.replay_sample import CLIENTS, MEANS, ROUNDS, SNAPSHOT_STEP, write_run


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Trainer]]:
    out = tmp_path_factory.mktemp("run") / "out"
    return out, write_run(out)


@pytest.fixture
def out(played: tuple[Path, list[Trainer]], tmp_path: Path) -> Path:
    """A folder of one's own, to tamper with."""
    shutil.copytree(played[0], tmp_path / "out")
    return tmp_path / "out"


def test_the_replay_stands_apart_from_the_clients_code() -> None:
    for source in Path(support.replay.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.append(node.module or "")
            packages = {name.partition(".")[0] for name in names}
            assert packages <= sys.stdlib_module_names | {"numpy"}, source.name


# A folder that is as it should be.


def test_a_replay_ends_with_the_bits_of_every_client(out: Path) -> None:
    report = check_folder(out)
    assert report.clients == ("client-0", "client-1", "client-2")
    assert (report.rounds, report.step, report.refused) == (ROUNDS, ROUNDS, 1)
    assert report.accepted == 5 * CLIENTS + 2 + 1 - 1


def test_a_replay_of_means_ends_with_the_bits_of_every_client(tmp_path: Path) -> None:
    trainers = write_run(tmp_path / "means", MEANS)
    report = check_folder(tmp_path / "means")
    assert report.clients == ("client-0", "client-1", "client-2")
    assert report.step == ROUNDS
    assert trainers[0].momentum_state()["local.count"].tolist() == [2 * ROUNDS]


def test_a_replay_meets_every_state_that_the_members_agreed_on(out: Path) -> None:
    assert check_folder(out).states == (SNAPSHOT_STEP, ROUNDS)


def test_a_replay_gives_the_parameters_by_name(
    played: tuple[Path, list[Trainer]], out: Path
) -> None:
    wanted = played[1][0].parameters()
    found = replay(out)
    assert found.keys() == wanted.keys()
    assert all((found[name] == wanted[name]).all() for name in wanted)


def test_a_client_that_was_killed_has_no_last_word_and_is_left_out(out: Path) -> None:
    (out / "client-1" / "events.jsonl").write_text('{"t": 0.0, "event": "start"}\n{"t": 0.1, "ev')
    (out / "client-1" / "model.safetensors").unlink()
    assert check_folder(out).clients == ("client-0", "client-2")


# Folders that someone tampered with.


def flip_payload_bit(out: Path) -> None:
    path = out / "payloads" / "0-1-2.bin"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def remove_payload(out: Path) -> None:
    (out / "payloads" / "0-1-2.bin").unlink()


def edit_rounds(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], None]:
    def edit(out: Path) -> None:
        lines = list(map(json.loads, (out / "rounds.jsonl").read_text().splitlines()))
        change(lines)
        (out / "rounds.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    return edit


def swap_rounds(lines: list[dict[str, Any]]) -> None:
    lines[1], lines[2] = lines[2], lines[1]


def change_rate(out: Path) -> None:
    """A learning rate of its own, under a model hash that fits."""
    path = out / "model.json"
    old = path.read_bytes()
    peak = json.loads(old)["schedule"]["peak"]
    path.write_bytes(old.replace(str(peak).encode(), str(peak + 10_000).encode()))
    account = out / "accounts" / "run.bin"
    before, after = (sha256(data).digest() for data in (old, path.read_bytes()))
    account.write_bytes(account.read_bytes().replace(before, after))


def change_document(out: Path) -> None:
    path = out / "model.json"
    path.write_bytes(path.read_bytes().replace(b'"topk":48', b'"topk":47'))


def flip_parameter_bit(out: Path) -> None:
    path = out / "client-2" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-4] ^= 1
    path.write_bytes(data)


def flip_initial_bit(out: Path) -> None:
    path = out / "initial.safetensors"
    data = bytearray(path.read_bytes())
    data[-4] ^= 1
    path.write_bytes(data)


TAMPERED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a payload's bit is flipped": (flip_payload_bit, "not what was committed"),
    "a payload is gone": (remove_payload, "is missing"),
    "two rounds are swapped": (edit_rounds(swap_rounds), "does not continue the chain"),
    "a round is gone": (edit_rounds(lambda lines: lines.pop(3)), "does not continue the chain"),
    "the last round is gone": (edit_rounds(lambda lines: lines.pop()), "agreed state"),
    "a round has another epoch": (edit_rounds(lambda x: x[1].update(epoch=3)), "chain hash"),
    "a round has another step": (edit_rounds(lambda x: x[3].update(step=2)), "come after"),
    "a slot is not accepted": (edit_rounds(lambda x: x[2].update(accepted="01")), "bit field"),
    "model.json is another": (change_document, "not the run's"),
    "the learning rate is another": (change_rate, "another digest at step 4"),
    "the first parameters are others": (flip_initial_bit, "another digest at step 4"),
    "a client has other bits": (flip_parameter_bit, "other bits"),
}


@pytest.mark.parametrize(("tamper", "words"), TAMPERED.values(), ids=TAMPERED.keys())
def test_a_folder_that_was_tampered_with_fails(
    tamper: Callable[[Path], None], words: str, out: Path
) -> None:
    tamper(out)
    with pytest.raises(ReplayError, match=words):
        check_folder(out)


def test_a_result_that_names_another_digest_fails(out: Path) -> None:
    report = check_folder(out)
    result = {"chain_hash": report.chain_hash, "digests": dict.fromkeys(report.clients, "00" * 32)}
    with pytest.raises(ReplayError, match="another digest"):
        check_folder(out, result)
