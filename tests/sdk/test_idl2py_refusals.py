"""What idl2py cannot do it refuses, naming the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from idl2py import IdlError, UnsupportedIdlError, generate
from support.idl_sample import sample

Change = Callable[[dict[str, Any]], Any]


def _type(idl: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in idl["types"] if item["name"] == name)
    return found


def _field(idl: dict[str, Any], type_: str, index: int) -> dict[str, Any]:
    field: dict[str, Any] = _type(idl, type_)["type"]["fields"][index]
    return field


UNSUPPORTED: dict[str, tuple[Change, str]] = {
    "another specification": (
        lambda idl: idl["metadata"].update(spec="0.2.0"),
        r"metadata\.spec is '0\.2\.0'",
    ),
    "an unknown key": (lambda idl: idl.update(state={}), "unknown key 'state'"),
    "generics": (
        lambda idl: _type(idl, "Item").update(generics=[{"kind": "type"}]),
        "type Item: generics",
    ),
    "a custom serialization": (
        lambda idl: _type(idl, "Item").update(serialization={"custom": "x"}),
        "type Item: serialization",
    ),
    "a COption": (
        lambda idl: _field(idl, "Item", 0).update(type={"coption": "u8"}),
        r"type Item\.id: type coption",
    ),
    "an option of an option": (
        lambda idl: _field(idl, "Item", 0).update(type={"option": {"option": "u8"}}),
        r"type Item\.id: an option of an option",
    ),
    "a group of accounts": (
        lambda idl: idl["instructions"][0]["accounts"].append({"name": "all", "accounts": []}),
        "all is a group of accounts",
    ),
    "a short discriminator": (
        lambda idl: idl["instructions"][0].update(discriminator=[1]),
        "a discriminator of 1 bytes",
    ),
    "a wide integer in a layout": (
        lambda idl: _field(idl, "Shop", 1).update(type="u128"),
        r"type Shop\.padding",
    ),
    "a borsh struct in a layout": (
        lambda idl: _field(idl, "Shop", 1).update(type={"defined": {"name": "Item"}}),
        "Item has no C layout",
    ),
    "a layout in Rust's own order": (
        lambda idl: _type(idl, "Shop").update(repr={"kind": "rust"}),
        "the representation {'kind': 'rust'}",
    ),
    "recursion": (
        lambda idl: _field(idl, "Item", 0).update(type={"vec": {"defined": {"name": "Item"}}}),
        "Item: recursive",
    ),
    "an instruction parameter that has a meaning already": (
        lambda idl: idl["instructions"][1]["args"][0].update(name="program_id"),
        "a parameter named program_id",
    ),
}

INVALID: dict[str, tuple[Change, str]] = {
    "hidden padding inside a layout": (
        lambda idl: _field(idl, "Shop", 1).update(type={"array": ["u8", 2]}),
        r"type Shop\.count: offset 3 needs explicit padding to 4",
    ),
    "hidden padding at the end of a layout": (
        lambda idl: _field(idl, "Shelf", 2).update(type={"array": ["u8", 3]}),
        "type Shelf: 15 bytes need explicit padding to 8",
    ),
    "a type that is not there": (
        lambda idl: _field(idl, "Item", 0).update(type={"defined": {"name": "Nobody"}}),
        "type Nobody is not defined",
    ),
    "a name that is no name": (
        lambda idl: idl["instructions"][0].update(name="x(); import os"),
        "is no name",
    ),
    "an address that is no key": (lambda idl: idl.update(address="x"), "is no public key"),
    "a seed that names nothing": (
        lambda idl: idl["instructions"][0]["accounts"][2]["pda"]["seeds"].append(
            {"kind": "arg", "path": "args.nothing"}
        ),
        r"seed args\.nothing: no such argument",
    ),
    "addresses that need each other": (
        lambda idl: idl["instructions"][0]["accounts"][2]["pda"]["seeds"].append(
            {"kind": "account", "path": "till"}
        ),
        "derived from each other",
    ),
    "a constant that is not of its type": (
        lambda idl: idl["constants"][2].update(value="many"),
        "constant LIMIT: 'many'",
    ),
    "an error code used twice": (
        lambda idl: idl["errors"][1].update(code=6000),
        "a code is used twice",
    ),
}


@pytest.mark.parametrize(("change", "message"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_an_unknown_construct_is_refused_by_name(change: Change, message: str) -> None:
    idl = sample()
    change(idl)
    with pytest.raises(UnsupportedIdlError, match=message):
        generate(idl)


@pytest.mark.parametrize(("change", "message"), INVALID.values(), ids=INVALID)
def test_a_broken_idl_is_refused_by_place(change: Change, message: str) -> None:
    idl = sample()
    change(idl)
    with pytest.raises(IdlError, match=message):
        generate(idl)


def test_text_in_the_idl_cannot_leave_its_docstring() -> None:
    idl = sample()
    idl["instructions"][0]["docs"] = ['"""', "import os  # \\"]
    source = generate(idl)["instructions.py"]
    compile(source, "instructions.py", "exec")
    assert "'''" in source


def test_the_same_idl_gives_the_same_files() -> None:
    assert generate(sample()) == generate(sample())
