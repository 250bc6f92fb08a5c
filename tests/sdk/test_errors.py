"""The exceptions: their tree, their hints, and what they carry."""

from __future__ import annotations

import inspect
import re

import pytest

from psyche_sdk import errors, program_errors


def drawn() -> dict[str, str]:
    """Class -> parent, as the drawing at the top of errors.py has it."""
    assert errors.__doc__
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in errors.__doc__.splitlines():
        match = re.match(r"^((?:\|   |    )*)(\+-- )?([A-Z]\w+) ", line)
        if match is None:
            continue
        depth = len(match[1]) // 4 + bool(match[2])
        path[depth:] = [match[3]]
        if depth:
            parents[match[3]] = path[depth - 1]
    return parents


def test_the_tree_is_the_one_that_is_drawn() -> None:
    real = {
        name: next(base.__name__ for base in cls.__mro__[1:] if base.__name__ in errors.__all__)
        for name in errors.__all__
        if (cls := getattr(errors, name)) is not errors.PsycheError
    }
    assert drawn() == real


def test_each_class_says_when_it_is_raised() -> None:
    for name in errors.__all__:
        assert len(inspect.getdoc(getattr(errors, name)) or "") > 20


@pytest.mark.parametrize(
    "error",
    [
        errors.RpcError("no"),
        errors.RpcUnreachable("refused", url="http://127.0.0.1:1"),
        errors.RpcAnswerInvalid("no JSON"),
        errors.OutcomeUnknown("sig", "time is up"),
        errors.AnchorError(2001, "ConstraintHasOne", "join"),
        errors.InsufficientFunds("wallet", "no lamports"),
        errors.TransactionExpired("sig"),
        errors.TransactionTooLarge(1300, 1232),
        errors.TransactionFailed("no", None),
        errors.AccountMissing("address"),
        errors.WrongOwner("address", found="a", wanted="b"),
        errors.WrongDiscriminator("address", found=b"x", wanted="Run"),
        errors.WrongVersion("address", found=9, supported=(1,)),
        errors.WrongLength("address", found=1, wanted=2),
        errors.AccountInvalid("address", "a phase 99"),
        *(cls("tick") for cls in program_errors.BY_CODE.values()),
    ],
    ids=lambda error: type(error).__name__,
)
def test_each_error_has_one_line_and_a_hint(error: errors.PsycheError) -> None:
    assert "\n" not in str(error)
    assert str(error)
    assert error.hint


def test_an_unreachable_node_is_named_in_the_message_and_the_hint() -> None:
    error = errors.RpcUnreachable("connection refused", url="http://127.0.0.1:1")
    assert "http://127.0.0.1:1" in str(error)
    assert "http://127.0.0.1:1" in error.hint


def test_each_error_of_the_program_is_a_program_error_by_its_code() -> None:
    for code, (name, message) in program_errors.ERRORS.items():
        cls = program_errors.BY_CODE[code]
        assert issubclass(cls, errors.ProgramError)
        assert getattr(program_errors, name) is cls
        assert str(cls("tick")) == f"tick: {message}"
