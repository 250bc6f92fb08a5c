"""Each argument of each instruction is taken at its bounds, and refused by name past them."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from solders.instruction import Instruction

from psyche_sdk.errors import AnchorError, PsycheError
from support.argument_bounds import BOUNDS, call_of, with_argument
from support.instruction_table import ACCOUNTS, arguments, send_as_named
from support.program import World

#: Anchor's error for data that are not the arguments.
NOT_ARGUMENTS = 102


@cache
def world_of(name: str) -> World:
    """Where the valid call of an instruction succeeds: here it is only tried."""
    return call_of(name).given()


def answer(world: World, instruction: Instruction) -> type[PsycheError] | None:
    """What the chain says of an instruction, which is only tried; None if it is taken."""
    try:
        send_as_named(world, instruction, only_try=True)
    except PsycheError as error:
        return type(error)
    return None


def test_every_argument_of_every_instruction_has_its_bounds() -> None:
    expected = {name: set(arguments(name)) for name in ACCOUNTS if arguments(name)}

    assert {name: set(bounds) for name, bounds in BOUNDS.items()} == expected


@pytest.mark.parametrize("name", BOUNDS)
def test_each_argument_is_taken_at_its_bounds_and_refused_past_them(name: str) -> None:
    call, world = call_of(name), world_of(name)
    wrong: list[Any] = []

    for path, bound in BOUNDS[name].items():
        for value, expected in (*((value, None) for value in bound.taken), *bound.refused):
            instruction = with_argument(call, world, path, value)
            said = answer(world, instruction) if instruction else expected
            if said is not expected:
                wrong.append((path, value, said, expected))

    assert wrong == []


@pytest.mark.parametrize("name", BOUNDS)
def test_arguments_that_end_early_are_none(name: str) -> None:
    call, world = call_of(name), world_of(name)
    whole = call.instruction(world)

    for data in (whole.data[:8], whole.data[:-1]):
        cut = Instruction(whole.program_id, data, list(whole.accounts))
        with pytest.raises(AnchorError) as caught:
            send_as_named(world, cut, only_try=True)
        assert caught.value.code == NOT_ARGUMENTS


@pytest.mark.parametrize("name", [one for one in BOUNDS if arguments(one)[-1] == "transition"])
def test_a_flag_is_zero_or_one(name: str) -> None:
    call, world = call_of(name), world_of(name)
    whole = call.instruction(world)
    other = Instruction(whole.program_id, whole.data[:-1] + b"\x02", list(whole.accounts))

    with pytest.raises(AnchorError) as caught:
        send_as_named(world, other, only_try=True)

    assert caught.value.code == NOT_ARGUMENTS
