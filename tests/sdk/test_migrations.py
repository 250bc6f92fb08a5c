"""Migration 0001 as an operator runs it: a plan, then the deed, then the proof, on both chains."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from solders.pubkey import Pubkey

from migrations.__main__ import main
from psyche_client.cli.keys import save_key
from psyche_sdk import Coordinator
from psyche_sdk.errors import WrongVersion
from psyche_sdk.localnet import packaged_program
from psyche_sdk.views import Phase, decode_run
from support.actors import ALICE
from support.chains import CHAIN_KINDS, Chain, chain
from support.older import NAMES, old_accounts

SOL = 10**9
RUN = {which: Pubkey.from_string(str(names["run"]["address"])) for which, names in NAMES.items()}
#: The run with its three accounts, and a participant a member.
STEPS = {"training": 5, "paused": 4}


@pytest.fixture(params=CHAIN_KINDS)
def here(request: pytest.FixtureRequest) -> Iterator[Chain]:
    accounts = old_accounts("training") | old_accounts("paused")
    with chain(request.param, packaged_program(), accounts=accounts) as running:
        running.fund(ALICE.wallet, 10 * SOL)
        yield running


@pytest.fixture
def wallet(tmp_path: Path) -> Path:
    path = tmp_path / "wallet.json"
    save_key(ALICE.keypair, path)
    return path


def test_the_accounts_of_version_1_are_migrated(
    here: Chain, wallet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = sum(STEPS.values())
    signatures = len(here.call("getSignaturesForAddress", str(ALICE.wallet)))

    # A dry run says what would be done, and sends nothing.
    assert main(["0001", "--url", here.url]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"{everything} to do; nothing was sent"
    assert len([line for line in said if line.startswith("would migrate")]) == everything
    assert len(here.call("getSignaturesForAddress", str(ALICE.wallet))) == signatures

    # One run alone, then all that is left, then nothing more.
    one = ["--run", str(RUN["paused"]), "--wallet", str(wallet), "--apply"]
    assert main(["0001", "--url", here.url, *one]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "verified: nothing is left to do"
    assert main(["0001", "--url", here.url]) == 0
    assert f"{STEPS['training']} to do" in capsys.readouterr().out
    for sent in (STEPS["training"], 0):
        assert main(["0001", "--url", here.url, "--wallet", str(wallet), "--apply"]) == 0
        said = capsys.readouterr().out.splitlines()
        assert len(said) == sent + 1
        assert said[-1] == "verified: nothing is left to do"
    asyncio.run(resumed(here))


async def resumed(here: Chain) -> None:
    async with Coordinator(here.url, RUN["paused"], payer=ALICE.keypair) as coordinator:
        await coordinator.resume()
        assert decode_run((await coordinator.run()).data).phase is Phase.WAITING_FOR_MEMBERS


# The validator has had its turn: it starts slowly.
@pytest.mark.parametrize("here", ["localnet"], indirect=True)
async def test_a_run_is_migrated_by_the_sdk_and_can_be_used(here: Chain) -> None:
    async with Coordinator(here.url, RUN["paused"], payer=ALICE.keypair) as coordinator:
        with pytest.raises(WrongVersion) as refused:
            await coordinator.run()
        assert "migrat" in refused.value.hint
        await coordinator.migrate()
    await resumed(here)


def test_to_apply_needs_who_pays(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["0001", "--url", "http://127.0.0.1:9", "--apply"])
    assert ended.value.code == 2
    assert "--apply needs --wallet" in capsys.readouterr().err


def test_without_a_chain_it_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["0001", "--url", "http://127.0.0.1:9"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "Traceback" not in said


def test_a_wallet_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.json"
    path.write_text(json.dumps([1, 2, 3]))
    path.chmod(0o600)
    with chain("localnet", packaged_program()) as running:
        arguments = ["0001", "--url", running.url, "--wallet", str(path), "--apply"]
        assert main(arguments) == 1
    assert "holds no key" in capsys.readouterr().err
