"""Two processes as one client: the payload that one would send, and no bit of the parameters."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch.distributed as dist
from solders.keypair import Keypair

from psyche_client.cli.app import run
from psyche_client.cli.errors import Code
from psyche_client.demo.stage import write_key
from psyche_client.optim.rule import UpdateRule
from psyche_client.options import Compute
from psyche_client.ranks import RankError, Ranks, lead
from psyche_client.trainer import Trainer
from support.chains import wait_until
from support.client import CAPACITY, INSTANCE, PAYLOAD_BYTES_MAX, key, tiny_document, tokens

#: DDP imports for seconds what test_trainer.py imports, too.
pytestmark = pytest.mark.xdist_group("shapes")

COMMON_MIN = 0.99
"""Of the indices that one process or two select, how many both do; and signs of those are equal."""
JOIN = ["-m", "psyche_client.cli", "join", "a/b"]
SILENT_SECONDS = 20.0
"""Longer than DDP needs to load in one rank while the other waits."""


@contextlib.contextmanager
def place() -> Iterator[int]:
    """This process is rank 0 of two, as torchrun would have it; the port where they meet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    values = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "RANK": "0"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        try:
            yield port
        finally:
            if dist.is_initialized():  # a rank was lost
                dist.destroy_process_group()


@contextlib.contextmanager
def started(rank: int, arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that is a rank of two."""
    # A child of a shell's background job would ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    child = subprocess.Popen(
        [sys.executable, *arguments],
        env=dict(os.environ) | {"RANK": str(rank), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, before)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@contextlib.contextmanager
def second() -> Iterator[subprocess.Popen[str]]:
    """A process that is rank 1, where this one is rank 0."""
    with place(), started(1, JOIN) as child:
        yield child


def trainer_of(ranks: Ranks | None, *, shard: bool = False, local_steps: int = 1) -> Trainer:
    document = tiny_document()
    values = UpdateRule.from_value({**document.update_rule, "schedule": dict(document.schedule)})
    changed = replace(values, local_steps=local_steps).to_value()
    del changed["schedule"]
    return Trainer(
        replace(
            document,
            architecture=replace(document.architecture, num_hidden_layers=2),
            update_rule=changed,
        ),
        instance=INSTANCE,
        members_max=CAPACITY,
        payload_bytes_max=PAYLOAD_BYTES_MAX,
        compute=Compute(micro_batch=2, shard=shard),
        ranks=ranks,
    )


def agree(alone: Trainer, together: Trainer, number: int, count: int) -> None:
    """Both train the same share of a round, and apply what one of them sent."""
    sequences, at = tokens(number, count), key(number, 1)
    one, two = alone.train(sequences, at), together.train(sequences, at)
    first, second = alone.read(one.payload, at), together.read(two.payload, at)
    assert first is not None
    assert second is not None
    signs = [dict(zip(s.indices.tolist(), s.values.tolist(), strict=True)) for s in (first, second)]
    common = signs[0].keys() & signs[1].keys()

    assert len(common) >= COMMON_MIN * len(signs[0].keys() | signs[1].keys())
    assert all(signs[0][index] == signs[1][index] for index in common)
    assert abs(one.loss - two.loss) < 1e-5
    assert one.tokens == two.tokens

    for trainer in (alone, together):
        trainer.settle((0, number), number, [(at, one.payload)])
    assert alone.digest(number + 1) == together.digest(number + 1)


def ended(other: subprocess.Popen[str]) -> tuple[int, str]:
    _, words = other.communicate(timeout=60)
    return other.returncode, words


def test_two_ranks_send_what_one_would() -> None:
    with second() as child:
        with lead(2) as ranks:
            for shard, local_steps in [(False, 1), (True, 1), (False, 2), (True, 2)]:
                alone = trainer_of(None, local_steps=local_steps)
                together = trainer_of(ranks, shard=shard, local_steps=local_steps)
                child.send_signal(signal.SIGINT)  # rank 0 alone decides what Ctrl-C does
                # Several passes and equal parts; a rank with one sequence more; a rank with none.
                for number, count in enumerate([8, 7, 1]):
                    agree(alone, together, number, count)

        assert ended(child) == (Code.OK, "")


def test_a_rank_ends_with_rank_0() -> None:
    with second() as child:
        first = [sys.executable, "-c", "from psyche_client.ranks import Ranks; Ranks()"]
        subprocess.run(first, timeout=100, check=True, stderr=subprocess.DEVNULL)

        code, words = ended(child)

    assert code == Code.INTERNAL
    assert words.startswith("error: rank 0 gave no more work: ")


def lose(child: subprocess.Popen[str], how: signal.Signals, *, shard: bool) -> None:
    """Rank 1 is lost between two shares."""
    with lead(2, wait_seconds=SILENT_SECONDS) as ranks:
        trainer = trainer_of(ranks, shard=shard)
        trainer.train(tokens(0, 8), key(0, 1))
        child.send_signal(how)
        trainer.train(tokens(1, 8), key(1, 1))


@pytest.mark.slow
@pytest.mark.parametrize("shard", [False, True], ids=["DDP", "FSDP2"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "silent"])
def test_a_lost_rank_ends_a_share_with_an_error(how: signal.Signals, shard: bool) -> None:
    wanted = r"^the ranks did not compute a share: "
    with second() as child, pytest.raises(RankError, match=wanted) as told:
        lose(child, how, shard=shard)

    assert "[/" not in str(told.value), "no place in torch's sources"
    assert "--rank-seconds" in told.value.hint


def end(child: subprocess.Popen[str], error: type[BaseException]) -> None:
    """Rank 1 is lost, and then rank 0 ends with an error."""
    with lead(2):
        child.kill()
        child.wait()
        raise error


def test_a_rank_that_was_lost_between_shares_is_told_at_the_end() -> None:
    with second() as child, pytest.raises((RankError, KeyboardInterrupt)) as told:
        end(child, KeyboardInterrupt)  # which is what torchrun tells the others then

    assert str(told.value).startswith("not every rank was there at the end: ")


def test_a_fault_of_rank_0_goes_before_that_of_a_lost_rank() -> None:
    with second() as child, pytest.raises(ZeroDivisionError):
        end(child, ZeroDivisionError)


def test_rank_0_hears_ctrl_c_while_it_waits_for_the_others(tmp_path: Path) -> None:
    write_key(tmp_path / "key", Keypair())
    with place() as port, started(0, [*JOIN, "--wallet", str(tmp_path / "key")]) as child:
        with socket.socket() as probe:
            wait_until(lambda: probe.connect_ex(("127.0.0.1", port)) == 0, "it listens")
            child.send_signal(signal.SIGINT)

        code, words = ended(child)

    assert code == Code.INTERRUPTED
    assert words.endswith("interrupted\n")
    assert "Traceback" not in words


def test_another_rank_hears_sigterm_while_it_waits_for_rank_0() -> None:
    with (
        place() as port,
        socket.create_server(("127.0.0.1", port)) as mute,
        started(1, JOIN) as child,
        mute.accept()[0],
    ):
        child.send_signal(signal.SIGTERM)

        code, words = ended(child)

    assert code == Code.INTERRUPTED
    assert words.endswith("interrupted\n")
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("world", "arguments", "message"),
    [
        ({}, ["--shard"], "--shard parts the model among the processes of torchrun"),
        ({"RANK": "0", "WORLD_SIZE": "1"}, ["--shard"], "--shard parts the model"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, [], "RANK=2, WORLD_SIZE=2, MASTER_ADDR=(unset)"),
        ({"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "x"}, [], "MASTER_PORT=(unset)"),
    ],
)
def test_a_wrong_world_is_told_at_once(
    world: dict[str, str],
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in world.items():
        monkeypatch.setenv(name, value)

    assert run(["join", "a/b", *arguments]) == Code.USAGE

    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert message in told
    assert "torchrun" in told.splitlines()[-1]
