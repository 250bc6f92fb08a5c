"""The committed client is what the committed IDL gives, and it fits the program."""

from __future__ import annotations

import json
import keyword
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey

import psyche_sdk
from idl2py.__main__ import main
from psyche_sdk._generated import _borsh, accounts, errors, instructions, layouts, types

REPOSITORY = Path(__file__).parents[2]
IDL = json.loads((REPOSITORY / "idl" / "coordinator.json").read_text())
GENERATED = Path(psyche_sdk.__file__).parent / "_generated"
ERROR_BASE = "psyche_sdk._error_base:ProgramError"
DTYPES = [name for name, value in vars(layouts).items() if isinstance(value, np.dtype)]
CODECS = sorted(name for name in vars(types) if name.endswith("_CODEC"))


def test_the_committed_client_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    idl = str(REPOSITORY / "idl" / "coordinator.json")
    status = main([idl, str(GENERATED), "--check", "--error-base", ERROR_BASE])
    assert status == 0, f"run `make generate`: {capsys.readouterr().err}"


@pytest.mark.parametrize("name", DTYPES)
def test_no_layout_has_padding_that_a_c_compiler_would_add(name: str) -> None:
    dtype = getattr(layouts, name)
    aligned = np.dtype(_aligned(dtype).descr, align=True)
    assert aligned.itemsize == dtype.itemsize


def _aligned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The same fields as a C compiler places them, inner structs too."""
    if dtype.subdtype is not None:
        inner, shape = dtype.subdtype
        return np.dtype((_aligned(inner), shape))
    if dtype.names is None:
        return dtype
    fields = [(name, _aligned(dtype.fields[name][0])) for name in dtype.names]
    return np.dtype(fields, align=True)


def test_layouts_begin_with_the_version_and_end_with_spare_room() -> None:
    for name in ("RUN", "PARTICIPANT", "ROSTER_HEADER", "ROUNDS_HEADER"):
        names = getattr(layouts, name).names
        assert (names[0], names[-1]) == ("version", "reserved")


def test_the_run_fits_into_4_kib() -> None:
    assert accounts.RUN_BYTES <= 4096


def test_each_instruction_of_the_idl_has_a_builder() -> None:
    assert set(instructions.NAMES.values()) == {item["name"] for item in IDL["instructions"]}
    assert all(callable(getattr(instructions, item["name"])) for item in IDL["instructions"])


def test_each_error_of_the_idl_has_a_class_with_its_code_and_message() -> None:
    found = {(cls.code, cls.name, cls.message) for cls in errors.BY_CODE.values()}
    assert found == {(item["code"], item["name"], item["msg"]) for item in IDL["errors"]}


def _values(definition: dict[str, Any]) -> st.SearchStrategy[Any]:
    fields = definition["type"]["fields"]
    names = [name + "_" * keyword.iskeyword(name) for name in (one["name"] for one in fields)]
    values = [_value(field["type"]) for field in fields]
    strategies = dict(zip(names, values, strict=True))
    return st.builds(getattr(types, definition["name"]), **strategies)


def _value(type_: Any) -> st.SearchStrategy[Any]:
    match type_:
        case "string":
            return st.text(max_size=20)
        case "bytes":
            return st.binary(max_size=20)
        case "bool":
            return st.booleans()
        case "pubkey":
            return st.binary(min_size=32, max_size=32).map(Pubkey)
        case str() if type_[0] == "u":
            return st.integers(0, 2 ** int(type_[1:]) - 1)
        case str() if type_[0] == "i":
            edge = 2 ** (int(type_[1:]) - 1)
            return st.integers(-edge, edge - 1)
        case {"array": ["u8", count]}:
            return st.binary(min_size=count, max_size=count)
        case {"array": [inner, count]}:
            return st.tuples(*[_value(inner)] * count)
        case {"option": inner}:
            return st.none() | _value(inner)
        case {"vec": inner}:
            return st.lists(_value(inner), max_size=5).map(tuple)
        case {"defined": {"name": name}}:
            return _values(next(item for item in IDL["types"] if item["name"] == name))
        case _:
            raise AssertionError(type_)


@pytest.mark.parametrize(
    "definition",
    [item for item in IDL["types"] if hasattr(types, item["name"])],
    ids=lambda item: str(item["name"]),
)
def test_what_is_written_is_read_back(definition: dict[str, Any]) -> None:
    codec = getattr(types, f"{_scream(definition['name'])}_CODEC")

    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(_values(definition))
    def round_trip(value: Any) -> None:
        assert codec.decode(codec.encode(value)) == value

    round_trip()


def _scream(name: str) -> str:
    return "".join(f"_{c}" if c.isupper() else c.upper() for c in name).lstrip("_").upper()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(CODECS), st.binary(max_size=300))
def test_hostile_bytes_are_a_decode_error_or_a_value(name: str, data: bytes) -> None:
    codec = getattr(types, name)
    try:
        value = codec.decode(data)
    except _borsh.DecodeError:
        return
    assert codec.encode(value) == data


def test_a_run_is_decoded_without_copying_it() -> None:
    data = accounts.RUN_DISCRIMINATOR + bytes(accounts.RUN_BYTES - 8)
    record = layouts.decode_run(data)
    assert not record.flags.owndata
