"""No instruction takes an account that is not what it must be, though its address is right."""

from __future__ import annotations

import pytest
from solders.instruction import Instruction

from psyche_sdk.errors import PsycheError
from psyche_sdk.program_errors import AlreadyComplete
from support.call_worlds import created
from support.hostile_accounts import KINDS, TAKEN, broken_accounts
from support.instruction_table import ACCOUNTS, CALLS, Call, send_as_named
from support.program import World

by_name = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)


def is_refused(world: World, instruction: Instruction, *, only_try: bool = False) -> bool:
    """Whether the chain, Anchor or the program refuses an instruction."""
    try:
        send_as_named(world, instruction, only_try=only_try)
    except PsycheError:
        return True
    return False


@by_name
def test_no_account_can_be_other_than_it_must_be(call: Call) -> None:
    world = call.given()
    instruction = call.instruction(world)
    tried, taken = set(), set()

    for broken in broken_accounts(call, world):
        world.svm.set_account(broken.key, broken.after)
        cell = (call.name, broken.place, broken.wrong)
        tried.add(cell)
        if not is_refused(world, instruction, only_try=True):
            taken.add(cell)
        world.svm.set_account(broken.key, broken.before)

    assert taken == TAKEN & tried
    send_as_named(world, instruction)


def test_every_place_of_the_program_s_accounts_is_tried() -> None:
    tried: dict[str, set[str]] = {name: set() for name in ACCOUNTS}
    cells = set()
    for call in CALLS:
        for broken in broken_accounts(call, call.given()):
            tried[call.name].add(broken.place)
            cells.add((call.name, broken.place, broken.wrong))

    left = {name: {*places} & {*KINDS} - tried[name] for name, places in ACCOUNTS.items()}

    assert {name for name, places in left.items() if places} == {"create_run"}
    assert cells >= TAKEN


@by_name
def test_no_account_can_stand_in_two_places(call: Call) -> None:
    world = call.given()
    instruction = call.instruction(world)
    before = world.state()
    writable = [place for place, meta in enumerate(instruction.accounts) if meta.is_writable]

    for place in writable:
        for other in writable:
            metas = list(instruction.accounts)
            if place == other or metas[place].is_signer or metas[place] == metas[other]:
                continue
            if not {call.accounts[place], call.accounts[other]} <= set(KINDS):
                continue
            metas[place] = metas[other]
            twice = Instruction(instruction.program_id, instruction.data, metas)
            assert is_refused(world, twice), f"{call.accounts[place]} is {call.accounts[other]}"

    assert world.state() == before


def test_a_run_cannot_be_created_twice() -> None:
    world = created()
    again = next(call for call in CALLS if call.name == "create_run").instruction(world)
    before = world.state()

    assert is_refused(world, again)

    assert world.state() == before


def test_a_complete_run_does_not_grow() -> None:
    world = World()
    world.given_run()
    grow = next(call for call in CALLS if call.name == "allocate").instruction(world)
    before = world.state()

    with pytest.raises(AlreadyComplete):
        send_as_named(world, grow)

    assert world.state() == before


def test_instruction_data_that_is_cut_off_or_unknown_is_refused() -> None:
    for call in CALLS:
        world = call.given()
        whole = call.instruction(world)
        before = world.state()

        for data in (b"", whole.data[:7], bytes(8), b"\xff" * 8, whole.data[:8] + b"\xff"):
            if data == whole.data:
                continue
            wrong = Instruction(whole.program_id, data, list(whole.accounts))
            if call.args(world) is None and data[:8] == whole.data[:8]:
                continue  # without arguments, what follows is not looked at
            assert is_refused(world, wrong), f"{call.name}: {data.hex()}"

        assert world.state() == before
