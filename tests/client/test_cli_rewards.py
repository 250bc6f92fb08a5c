"""`psyche rewards` on an embedded chain, and what `psyche join` says of a bond."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey

from psyche_client.admission import AdmissionError, check_admission
from psyche_client.cli.app import run
from psyche_client.cli.errors import Code, CommandError
from psyche_client.cli.output import lamports_of
from psyche_sdk import Coordinator, pda
from psyche_sdk.instructions import MemberArgs
from support.founding import create_args, join_args
from support.wallets import options, who

Capsys = pytest.CaptureFixture[str]
BOND = 50_000_000
VOTE_PROGRAM = "Vote111111111111111111111111111111111111111"


async def leave(coordinator: Coordinator) -> None:
    await coordinator.leave(MemberArgs(epoch=0, round=0, slot=0))


def given_run(chain: str, folder: Path, run_id: str, *, gone: bool = True) -> str:
    """A run of alice's with a bond, which bob joined, and has left again."""
    alice, bob = who(folder, "alice"), who(folder, "bob")
    address = pda.run_address(alice.pubkey(), run_id)

    async def play() -> None:
        async with Coordinator(chain, address, payer=alice) as owner:
            await owner.create_run(create_args(run_id, bond_lamports=BOND))
        async with Coordinator(chain, address, payer=bob) as member:
            await member.join(join_args(0, bond_lamports_max=BOND))
            if gone:
                await leave(member)

    asyncio.run(play())
    return str(address)


def shown(chain: str, address: str, capsys: Capsys, *more: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["rewards", "show", address, *more, "--url", chain, "--json"]) == Code.OK
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def balance(chain: str, address: str) -> int:
    async def ask() -> int:
        async with Coordinator(chain, Pubkey.default()) as coordinator:
            return await coordinator.balance(Pubkey.from_string(address))

    return asyncio.run(ask())


def test_a_bond_is_shown_collected_and_lies_at_the_payee(
    chain: str, folder: Path, capsys: Capsys
) -> None:
    address, payee = given_run(chain, folder, "shown"), str(Pubkey.new_unique())
    bob = options(folder, "bob", chain)
    assert run(["rewards", "payee", address, payee, *bob]) == Code.OK
    found = shown(chain, address, capsys)
    (mine,) = found["participants"]
    assert (mine["bond_lamports"], mine["payee"], mine["slots"]) == (BOND, payee, [0])
    assert found["bonds_lamports"] == BOND

    assert run(["rewards", "collect", address, *options(folder, "alice", chain)]) == Code.OK

    assert "collected from 1 slots" in capsys.readouterr().err
    assert balance(chain, payee) == BOND
    assert shown(chain, address, capsys)["bonds_lamports"] == 0
    assert run(["rewards", "collect", address, *bob]) == Code.OK
    assert "nothing is to be collected" in capsys.readouterr().err


def test_a_bond_whose_payee_nobody_can_write_waits_and_comes_with_closing(
    chain: str, folder: Path, capsys: Capsys
) -> None:
    address, bob = given_run(chain, folder, "waits"), options(folder, "bob", chain)
    assert run(["rewards", "payee", address, VOTE_PROGRAM, *bob]) == Code.OK
    assert run(["rewards", "collect", address, *bob]) == Code.OK
    (mine,) = shown(chain, address, capsys)["participants"]
    assert (mine["bond_lamports"], mine["bond_waiting_lamports"]) == (0, BOND)

    payee = str(Pubkey.new_unique())
    assert run(["rewards", "payee", address, payee, *bob]) == Code.OK
    assert run(["rewards", "close", address, *bob]) == Code.OK

    assert balance(chain, payee) == BOND
    assert shown(chain, address, capsys)["participants"] == []
    assert run(["rewards", "close", address, *bob]) == Code.CHAIN
    assert "has no account" in capsys.readouterr().err


def test_a_bond_that_waits_is_paid_by_whoever_collects_next(
    chain: str, folder: Path, capsys: Capsys
) -> None:
    address, bob = given_run(chain, folder, "later"), options(folder, "bob", chain)
    assert run(["rewards", "payee", address, VOTE_PROGRAM, *bob]) == Code.OK
    assert run(["rewards", "collect", address, *bob]) == Code.OK
    assert run(["rewards", "collect", address, *bob]) == Code.OK
    assert "nothing is to be collected" in capsys.readouterr().err
    payee = str(Pubkey.new_unique())
    assert run(["rewards", "payee", address, payee, *bob]) == Code.OK

    assert run(["rewards", "collect", address, *options(folder, "alice", chain)]) == Code.OK

    assert "at their payees: 1" in capsys.readouterr().err
    assert balance(chain, payee) == BOND
    (mine,) = shown(chain, address, capsys)["participants"]
    assert mine["bond_waiting_lamports"] == 0


def test_what_one_wallet_has_is_shown_alone(chain: str, folder: Path, capsys: Capsys) -> None:
    address, bob = given_run(chain, folder, "alone"), str(who(folder, "bob").pubkey())
    stranger = str(Pubkey.new_unique())

    assert len(shown(chain, address, capsys, bob)["participants"]) == 1
    assert shown(chain, address, capsys, stranger)["participants"] == []
    assert run(["rewards", "show", address, bob, "--url", chain]) == Code.OK

    assert "bond 0.05 SOL" in capsys.readouterr().out


def test_an_account_with_a_slot_is_not_closed(chain: str, folder: Path, capsys: Capsys) -> None:
    address = given_run(chain, folder, "slot", gone=False)

    assert run(["rewards", "close", address, *options(folder, "bob", chain)]) == Code.REFUSED

    shown = capsys.readouterr().err
    assert "send collect" in shown
    assert "hint: after leaving run `psyche rewards collect`" in shown


@pytest.mark.parametrize(("limit", "told"), [(0, "none is accepted"), (1_000, "0.000001 SOL")])
def test_a_bond_is_told_before_it_is_paid(chain: str, folder: Path, limit: int, told: str) -> None:
    address = Pubkey.from_string(given_run(chain, folder, f"told-{limit}"))
    alice = who(folder, "alice")

    async def look(most: int) -> int:
        async with Coordinator(chain, address, payer=alice) as coordinator:
            return await check_admission(coordinator, alice.pubkey(), bond_lamports_max=most)

    with pytest.raises(AdmissionError, match=told) as caught:
        asyncio.run(look(limit))

    assert "a bond of 0.05 SOL" in str(caught.value)
    assert "--bond-max 0.05" in caught.value.hint
    assert asyncio.run(look(BOND)) == BOND


@pytest.mark.parametrize(
    ("text", "lamports"),
    [("0", 0), ("1", 10**9), ("0.05", 5 * 10**7), ("12.000000001", 12 * 10**9 + 1)],
)
def test_an_amount_of_sol_is_read_to_the_lamport(text: str, lamports: int) -> None:
    assert lamports_of(text) == lamports


@pytest.mark.parametrize("text", ["", "-1", "1e3", "0.0000000001", "one", "1.", ".5", "1" * 10])
def test_what_is_no_amount_of_sol_is_refused(text: str) -> None:
    with pytest.raises(CommandError):
        lamports_of(text)
