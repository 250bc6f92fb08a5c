"""What the package offers, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import psyche_sdk

HEAVY = ["numpy", "solana", "torch", "websockets", "solders"]


def test_the_public_names_are_those_that_are_there() -> None:
    for name in psyche_sdk.__all__:
        assert getattr(psyche_sdk, name).__name__ == name
    assert dir(psyche_sdk) == sorted(psyche_sdk.__all__)
    assert set(psyche_sdk._HOMES) == set(psyche_sdk.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        psyche_sdk.nothing  # noqa: B018  (reading it is the test)


def loaded(statement: str) -> list[str]:
    code = f"import sys; {statement}; print(*[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded("import psyche_sdk") == []


def test_the_coordinator_loads_neither_solana_nor_numpy_nor_websockets() -> None:
    assert loaded("from psyche_sdk import Coordinator") == ["solders"]
