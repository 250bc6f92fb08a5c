"""docs/PROTOCOL.md names everything that the program's interface has."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")
IDL: dict[str, Any] = json.loads((ROOT / "idl" / "coordinator.json").read_text(encoding="utf-8"))


def fields_of(name: str) -> list[str]:
    (found,) = [one for one in IDL["types"] if one["name"] == name]
    return [field["name"] for field in found["type"]["fields"]]


@pytest.mark.parametrize("field", fields_of("RunConfig"))
def test_every_field_of_the_configuration_has_its_range(field: str) -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and field in line]
    assert rows


@pytest.mark.parametrize("instruction", IDL["instructions"], ids=lambda one: one["name"])
def test_every_instruction_has_its_message(instruction: dict[str, Any]) -> None:
    name = instruction["name"]
    cells = [line.split("|") for line in PAGE.splitlines() if line.startswith("|")]
    messages = PAGE[PAGE.index("## 13.") :]
    rows = [row for row in cells if name in row[1].strip().split(", ") and row[-2] in messages]
    assert rows
    flags = [one["name"] for one in instruction["args"] if one["type"] == "bool"]
    assert all(flag in rows[-1][-2] for flag in flags)
