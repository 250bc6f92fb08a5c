"""What is closed is gone: nothing revives it, every lamport comes back, addresses start anew."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from psyche_sdk.errors import PsycheError
from psyche_sdk.program_errors import JoinAuthorityRequired
from psyche_sdk.views import MemberState
from support.actors import ALICE, BOB, DAVE, ERIN, FAUCET, OLIVIA, Actor
from support.bonds import lamports, participant, rent
from support.call_args import join_args, payee_args
from support.call_worlds import clear, closable, permitting
from support.program import World, build

FEE = 5_000
GIFT = 3_000_000


def gift(key: Pubkey, amount: int = GIFT) -> Instruction:
    """Somebody sends lamports to an address."""
    return transfer(TransferParams(from_pubkey=FAUCET.wallet, to_pubkey=key, lamports=amount))


def closing(world: World, name: str) -> tuple[Instruction, Pubkey, Actor]:
    """What closes an account of a kind, its address, and who signs."""
    match name:
        case "run":
            return world.instruction("close_run", ALICE), world.run_key, ALICE
        case "participant":
            close = world.instruction("close_participant", BOB, payee=BOB.wallet)
            return close, world.participant_key(BOB), BOB
    pass_ = world.pass_key(ERIN)
    close = world.instruction("revoke_pass", OLIVIA, rent_payer=DAVE.wallet, pass_=pass_)
    return close, pass_, OLIVIA


def using(world: World, name: str) -> tuple[Instruction, Sequence[Actor]]:
    """What would use it."""
    match name:
        case "run":
            return world.instruction("resume", ALICE), [ALICE]
        case "participant":
            return world.instruction("set_payee", BOB, payee_args(world)), [BOB]
    return world.instruction("join", ERIN, join_args(world)), [ERIN]


WORLDS = {"run": closable, "participant": clear, "pass": permitting}


@pytest.mark.parametrize("at_once", [True, False], ids=["in one transaction", "in the next one"])
@pytest.mark.parametrize("name", WORLDS)
def test_lamports_revive_nothing_that_was_closed(name: str, at_once: bool) -> None:
    world = WORLDS[name]()
    close, key, closer = closing(world, name)
    use, users = using(world, name)
    world.send(use, signers=[FAUCET, *users], only_try=True)
    revive = gift(key)
    if at_once:
        signers = list(dict.fromkeys([FAUCET, closer, *users]))
        with pytest.raises(PsycheError):
            world.send(close, revive, use, signers=signers)
    world.send(close, revive, signers=[FAUCET, closer])

    with pytest.raises(PsycheError):
        world.send(use, signers=[FAUCET, *users])

    assert (lamports(world, key), world.data(key)) == (GIFT, b"")


def test_a_pass_that_lamports_keep_alive_admits_nobody() -> None:
    world = permitting()
    close, key, closer = closing(world, "pass")
    world.send(close, gift(key), signers=[FAUCET, closer])

    with pytest.raises(JoinAuthorityRequired):
        world.join(ERIN)


def test_lamports_at_an_address_keep_no_account_from_being_made_there() -> None:
    world = World()
    world.name_run("given")
    ours = [world.run_key, world.roster_key, world.rounds_key]
    ours += [world.participant_key(BOB), world.pass_key(BOB)]
    world.send(*map(gift, ours), signers=[FAUCET])

    world.given_run(join_authority=OLIVIA.wallet)
    world.issue_pass(BOB, OLIVIA)
    world.join(BOB)

    assert world.member(BOB).state is MemberState.JOINED
    assert all(lamports(world, key) >= max(rent(world, key), GIFT) for key in ours)


def test_every_lamport_comes_back_to_who_paid() -> None:
    world = World()
    world.svm.airdrop(DAVE.wallet, 10**12)
    before, sent = lamports(world, DAVE.wallet), 0

    def do(name: str, *signers: Actor, **given: object) -> None:
        nonlocal sent
        world.send(world.instruction(name, signers[-1], **given), signers=signers)
        sent += FEE * len(signers)

    do("create_run", DAVE, ALICE, args=world.create_args(), payer=DAVE.wallet)
    while not world.run.complete:
        do("allocate", DAVE)
    world.do("set_join_authority", ALICE, build.SetJoinAuthorityArgs(join_authority=OLIVIA.wallet))
    expiry = world.moment.time + 10
    pass_args = build.IssuePassArgs(wallet=ERIN.wallet, expiry=expiry)
    do("issue_pass", DAVE, OLIVIA, args=pass_args, payer=DAVE.wallet)
    do("join", DAVE, ERIN, args=join_args(world), payer=DAVE.wallet)
    accounts = [world.run_key, world.roster_key, world.rounds_key]
    accounts += [world.participant_key(ERIN), world.pass_key(ERIN)]
    assert before - lamports(world, DAVE.wallet) - sent == sum(rent(world, one) for one in accounts)

    slot = world.member(ERIN).slot
    world.leave(ERIN)
    world.collect(slot, ERIN)
    world.do("close_participant", ERIN, rent_payer=DAVE.wallet)
    world.revoke_pass(ERIN, OLIVIA, rent_payer=DAVE.wallet)
    world.close_run(rent_payer=DAVE.wallet)

    assert lamports(world, DAVE.wallet) == before - sent
    assert all(lamports(world, one) == 0 for one in accounts)


def test_a_participant_that_was_closed_begins_anew() -> None:
    world = clear()
    close, key, closer = closing(world, "participant")
    world.send(close, gift(key), signers=[FAUCET, closer])

    world.join(BOB)

    found = participant(world, BOB)
    assert (found.joins, found.points_earned, found.strikes) == (1, 0, 0)
    assert lamports(world, key) >= rent(world, key)
