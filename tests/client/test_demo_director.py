"""The demo's director: what ends a demo before its run is over."""

import asyncio
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from solders.keypair import Keypair

from psyche_client import demo
from psyche_client.cli.errors import Code, code_of
from psyche_client.demo.director import ChainGoneError, DemoError, Director
from psyche_client.demo.processes import ClientProcess
from psyche_client.demo.report import keep_words
from psyche_client.options import DemoOptions

NOWHERE = "http://127.0.0.1:1"


def a_stage(home: Path, code: str, started: list[ClientProcess], *, ended: bool = False) -> Any:
    """A stage whose clients run this Python code, and perhaps have ended before anybody looks."""

    def start(number: int, *, parent: int) -> ClientProcess:
        del parent
        folder = home / f"client-{number}"
        folder.mkdir()
        with (folder / "client.log").open("wb") as log:
            process = subprocess.Popen([sys.executable, "-c", code], stderr=log)
        if ended:
            process.wait()
        started.append(ClientProcess(folder.name, folder, process))
        return started[-1]

    return SimpleNamespace(
        url=NOWHERE,
        run=str(Keypair().pubkey()),
        config=SimpleNamespace(
            run=SimpleNamespace(id="demo"), rounds=SimpleNamespace(total_steps=8)
        ),
        founding=SimpleNamespace(initial={}),
        start_client=start,
    )


async def test_a_chain_that_ends_in_mid_run_ends_the_demo_and_its_clients(tmp_path: Path) -> None:
    started: list[ClientProcess] = []
    stage = a_stage(tmp_path, "import time; time.sleep(300)", started)
    director = Director(DemoOptions(clients=2), stage, lambda _: None, lambda: False)

    with pytest.raises(ChainGoneError) as caught:
        await director.run()

    assert code_of(caught.value) == Code.CHAIN
    assert len(started) == 2
    assert not any(client.alive for client in started)


async def test_a_client_that_fails_ends_the_demo_with_its_words_even_if_it_was_the_last(
    tmp_path: Path,
) -> None:
    started: list[ClientProcess] = []
    said = "holds slot 1\nerror: no disk\n\nhint: free some\n"
    code = f"import sys; sys.stderr.write({said!r}); sys.exit(6)"
    stage = a_stage(tmp_path, code, started, ended=True)
    director = Director(DemoOptions(clients=2), stage, lambda _: None, lambda: True)

    with pytest.raises(DemoError, match=r"client-0 ended with exit code 6: no disk$"):
        await director.run()

    keep_words(tmp_path / "out", director.play)
    assert "no disk" in (tmp_path / "out" / "client-1" / "client.log").read_text()


def test_text_and_model_are_prepared_where_ctrl_c_is_heard(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def prepare(*_: object) -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()  # it would keep Ctrl-C for itself until all is done
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "set_stage", prepare)
    chain: Any = SimpleNamespace(url=NOWHERE, alive=True)

    with pytest.raises(KeyboardInterrupt):
        demo._show(DemoOptions(), tmp_path, chain, lambda _: None)
