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
from psyche_client.demo.director import ChainGoneError, Director
from psyche_client.demo.processes import ClientProcess
from psyche_client.options import DemoOptions

NOWHERE = "http://127.0.0.1:1"


async def test_a_chain_that_ends_in_mid_run_ends_the_demo_and_its_clients(tmp_path: Path) -> None:
    started: list[ClientProcess] = []

    def start(number: int, *, parent: int) -> ClientProcess:
        del parent
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
        started.append(ClientProcess(f"client-{number}", tmp_path, process))
        return started[-1]

    stage: Any = SimpleNamespace(
        url=NOWHERE,
        run=str(Keypair().pubkey()),
        config=SimpleNamespace(
            run=SimpleNamespace(id="demo"), rounds=SimpleNamespace(total_steps=8)
        ),
        founding=SimpleNamespace(initial={}),
        start_client=start,
    )
    director = Director(DemoOptions(clients=2), stage, lambda _: None, lambda: False)

    with pytest.raises(ChainGoneError) as caught:
        await director.run()

    assert code_of(caught.value) == Code.CHAIN
    assert len(started) == 2
    assert not any(client.alive for client in started)


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
