"""`psyche pass` and who owns a run, on an embedded chain."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from psyche_client.admission import AdmissionError, check_admission
from psyche_client.cli.app import run
from psyche_client.cli.errors import Code
from psyche_sdk import Coordinator, pda
from support.founding import create_args, join_args
from support.wallets import options, who

Capsys = pytest.CaptureFixture[str]


def given_run(chain: str, folder: Path, run_id: str) -> str:
    """A run of alice's, whose join authority she is."""
    alice = who(folder, "alice")
    address = pda.run_address(alice.pubkey(), run_id)

    async def create() -> None:
        async with Coordinator(chain, address, payer=alice) as coordinator:
            await coordinator.create_run(create_args(run_id, join_authority=alice.pubkey()))

    asyncio.run(create())
    return str(address)


def admit(chain: str, address: str, wallet: Keypair) -> None:
    """What `psyche join` looks at before it joins."""

    async def look() -> None:
        async with Coordinator(chain, Pubkey.from_string(address), payer=wallet) as coordinator:
            await check_admission(coordinator, wallet.pubkey())

    asyncio.run(look())


def listed(chain: str, address: str, capsys: Capsys) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run(["pass", "list", address, "--url", chain, "--json"]) == Code.OK
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_a_pass_is_issued_listed_used_and_revoked(chain: str, folder: Path, capsys: Capsys) -> None:
    address, bob = given_run(chain, folder, "passes"), who(folder, "bob")
    name, alice = str(bob.pubkey()), options(folder, "alice", chain)
    with pytest.raises(AdmissionError, match="has none") as caught:
        admit(chain, address, bob)
    assert f"psyche pass issue {address} {name}" in caught.value.hint

    assert run(["pass", "issue", address, name, "--days", "1", *alice]) == Code.OK
    admit(chain, address, bob)
    (found,) = listed(chain, address, capsys)
    assert (found["wallet"], found["valid"]) == (name, True)
    assert run(["pass", "revoke", address, name, *alice]) == Code.OK

    assert listed(chain, address, capsys) == []
    assert run(["pass", "revoke", address, name, *alice]) == Code.CHAIN
    assert "has no pass" in capsys.readouterr().err


def test_who_is_a_member_needs_no_pass_to_go_on(chain: str, folder: Path) -> None:
    address, bob = given_run(chain, folder, "members"), who(folder, "bob")
    alice = options(folder, "alice", chain)
    assert run(["pass", "issue", address, str(bob.pubkey()), *alice]) == Code.OK

    async def join() -> None:
        async with Coordinator(chain, Pubkey.from_string(address), payer=bob) as coordinator:
            await coordinator.join(join_args(0))

    asyncio.run(join())
    assert run(["pass", "revoke", address, str(bob.pubkey()), *alice]) == Code.OK

    admit(chain, address, bob)


def test_a_pass_of_a_former_join_authority_is_told_apart(
    chain: str, folder: Path, capsys: Capsys
) -> None:
    address, bob = given_run(chain, folder, "former"), who(folder, "bob")
    name, alice = str(bob.pubkey()), options(folder, "alice", chain)
    assert run(["pass", "issue", address, name, *alice]) == Code.OK
    assert run(["run", "join-authority", address, name, *alice]) == Code.OK

    with pytest.raises(AdmissionError, match="present join authority"):
        admit(chain, address, bob)
    (found,) = listed(chain, address, capsys)
    assert found["valid"] is False
    assert run(["pass", "issue", address, name, *alice]) == Code.REFUSED
    assert "only the run's join authority" in capsys.readouterr().err
    assert run(["run", "join-authority", address, "none", *alice]) == Code.OK
    assert run(["pass", "issue", address, name, *alice]) == Code.REFUSED
    assert "everybody may join" in capsys.readouterr().err
    admit(chain, address, bob)


@pytest.mark.parametrize(
    ("more", "words"), [(["nobody"], "no address of a wallet"), (["--days", "0"], "good for 0")]
)
def test_an_impossible_pass_is_refused_before_anything_is_sent(
    chain: str, folder: Path, capsys: Capsys, more: list[str], words: str
) -> None:
    key = [] if more == ["nobody"] else [str(Pubkey.default())]
    arguments = ["pass", "issue", str(Pubkey.default()), *key, *more]

    assert run([*arguments, *options(folder, "alice", chain)]) == Code.USAGE

    assert words in capsys.readouterr().err


def test_a_run_is_handed_over_in_two_steps(chain: str, folder: Path, capsys: Capsys) -> None:
    address = given_run(chain, folder, "handed")
    alice, bob = options(folder, "alice", chain), options(folder, "bob", chain)
    name = str(who(folder, "bob").pubkey())

    assert run(["run", "authority", address, "--accept", *bob]) == Code.REFUSED
    assert run(["run", "authority", address, name, *alice]) == Code.OK
    assert run(["run", "authority", address, "--accept", *bob]) == Code.OK

    assert run(["run", "authority", address, name, *alice]) == Code.REFUSED
    capsys.readouterr()
    assert run(["run", "authority", address]) == Code.USAGE
    assert "hint" in capsys.readouterr().err


def test_rates_are_set_for_the_next_epoch_and_printed(
    chain: str, folder: Path, capsys: Capsys
) -> None:
    address, alice = given_run(chain, folder, "rates"), options(folder, "alice", chain)
    assert run(["run", "rates", address, "--sequence", "5", *alice]) == Code.OK
    assert run(["run", "rates", address, "--verdict", "7", *alice]) == Code.OK
    capsys.readouterr()

    assert run(["run", "rates", address, "--url", chain, "--json"]) == Code.OK

    found = json.loads(capsys.readouterr().out)
    assert found["now"] == {"sequence": 0, "attestation": 0, "verdict": 0}
    assert found["next_epoch"] == {"sequence": 5, "attestation": 0, "verdict": 7}
