"""The client that idl2py writes for a small program does what Anchor does."""

from __future__ import annotations

import base64
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from idl2py import generate
from idl2py.__main__ import EXIT_REFUSED, EXIT_STALE, main
from support.idl_sample import PROGRAM, SYSTEM, sample

ALICE = Pubkey(bytes([1]) * 32)
BOB = Pubkey(bytes([2]) * 32)
PROGRAM_ID = Pubkey.from_string(PROGRAM)


class Client(NamedTuple):
    types: Any
    layouts: Any
    accounts: Any
    events: Any
    instructions: Any
    pdas: Any
    errors: Any
    constants: Any


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("generated")
    package = folder / "shop_client"
    package.mkdir()
    for name, source in generate(sample()).items():
        (package / name).write_text(source)
    sys.path.insert(0, str(folder))
    try:
        yield Client(*(_load(name) for name in Client._fields))
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.startswith("shop_client")]:
            del sys.modules[name]


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"shop_client.{name}")


def _item(client: Client) -> Any:
    return client.types.Item(id=7, kind=client.types.Kind.HOT_BREAD, tags=b"ab")


def _sell(client: Client, **changes: Any) -> Any:
    args = {
        "shop_account": BOB,
        "till": ALICE,
        "shop": [_item(client)],
        "payment": client.types.PaymentCheque(field_0=9, field_1="me"),
        "note": "hi",
        "code": b"wxyz",
        "prices": (-1, 2),
    }
    return client.instructions.sell(**(args | changes))


def test_instruction_data_is_the_discriminator_and_the_arguments_in_borsh(client: Client) -> None:
    data = bytes(_sell(client).data)
    assert data == (
        bytes([2, 0, 0, 0, 0, 0, 0, 2])
        + b"\x01\0\0\0" + b"\x07\0\0\0" + b"\x01" + b"\x02\0\0\0ab"  # the list of items
        + b"\x02" + b"\x09" + b"\x02\0\0\0me"  # the third way to pay
        + b"\x01" + b"\x02\0\0\0hi"
        + b"wxyz"
        + b"\xff" * 8 + b"\x02" + b"\0" * 7
    )  # fmt: skip


def test_an_absent_option_takes_one_zero_byte(client: Client) -> None:
    with_note, without = _sell(client), _sell(client, note=None)
    assert len(with_note.data) - len(without.data) == 6


def test_addresses_are_derived_in_the_order_in_which_they_need_each_other(client: Client) -> None:
    args = client.types.OpenArgs(name="corner", open=True, ratio=0.5, limit=None)
    built = client.instructions.open_shop(owner=ALICE, args=args, number=258)
    shop, _ = Pubkey.find_program_address(
        [b"shop", bytes(ALICE), b"corner", b"\x02\x01"], PROGRAM_ID
    )
    till, _ = Pubkey.find_program_address([b"till", bytes(shop)], PROGRAM_ID)
    assert built.accounts == [
        AccountMeta(ALICE, is_signer=True, is_writable=True),
        AccountMeta(till, is_signer=False, is_writable=True),
        AccountMeta(shop, is_signer=False, is_writable=True),
        AccountMeta(PROGRAM_ID, is_signer=False, is_writable=False),
        AccountMeta(Pubkey.from_string(SYSTEM), is_signer=False, is_writable=False),
    ]
    assert client.pdas.shop_address(owner=ALICE, name="corner", number=258) == shop


def test_a_given_address_and_an_optional_account_are_used(client: Client) -> None:
    args = client.types.OpenArgs(name="corner", open=True, ratio=0.5)
    built = client.instructions.open_shop(
        owner=ALICE, args=args, number=1, shop=BOB, helper=BOB, remaining_accounts=[]
    )
    assert built.accounts[2].pubkey == BOB
    assert built.accounts[3] == AccountMeta(BOB, is_signer=True, is_writable=False)


def test_an_address_that_needs_an_accounts_content_is_asked_for(client: Client) -> None:
    with pytest.raises(TypeError, match="till"):
        client.instructions.sell(shop_account=BOB)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"code": b"toolong"}, r"sell\.code: 4 bytes wanted, 7 given"),
        ({"prices": (2**63, 0)}, r"sell\.prices: 9223372036854775808 does not fit i64"),
        ({"note": 5}, r"sell\.note"),
        ({"payment": 5}, r"sell\.payment: int is no variant of Payment"),
    ],
)
def test_a_value_that_does_not_fit_names_the_argument(
    client: Client, change: dict[str, Any], place: str
) -> None:
    with pytest.raises(ValueError, match=place):
        _sell(client, **change)


def test_zero_copy_accounts_read_at_their_c_offsets(client: Client) -> None:
    data = bytes([3, 0, 0, 0, 0, 0, 0, 3]) + bytes(range(88))
    shop = client.layouts.decode_shop(data)
    assert client.layouts.SHOP.itemsize == 88 == client.accounts.SHOP_BYTES - 8
    assert shop["version"] == 0
    assert shop["count"] == 0x07060504
    assert bytes(shop["owner"]) == bytes(range(8, 40))
    assert shop["sizes"].tolist() == [0x2928, 0x2B2A, 0x2D2C, 0x2F2E]
    assert shop["shelves"]["weight"][1] == int.from_bytes(bytes(range(64, 72)), "little")
    assert shop["shelves"]["flags"].shape == (2, 2, 2)
    assert shop["hours"]["closes"] == 0x57565554


def test_dtypes_are_what_a_c_compiler_lays_out(client: Client) -> None:
    for name in ("SHOP", "SHELF", "HOURS"):
        dtype = getattr(client.layouts, name)
        assert np.dtype(dtype.descr, align=True).itemsize == dtype.itemsize


@pytest.mark.parametrize("data", [b"", bytes(8), bytes([3, 0, 0, 0, 0, 0, 0, 3]) + bytes(87)])
def test_bytes_that_are_no_such_account_are_refused(client: Client, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"bytes|discriminator"):
        client.layouts.decode_shop(data)


def test_borsh_accounts_may_have_spare_bytes_behind(client: Client) -> None:
    data = (
        bytes([4, 0, 0, 0, 0, 0, 0, 4])
        + b"\x01"
        + bytes(ALICE)
        + b"\x01\0\0\0"
        + b"\x05"
        + bytes(20)
    )
    assert client.accounts.decode_till(data) == client.types.Till(
        version=1, holder=ALICE, cash=(5,)
    )


def test_a_hostile_length_asks_for_no_memory(client: Client) -> None:
    data = bytes([4, 0, 0, 0, 0, 0, 0, 4]) + b"\x01" + bytes(ALICE) + b"\xff\xff\xff\xff"
    with pytest.raises(ValueError, match="4294967295 items"):
        client.accounts.decode_till(data)


def _sold() -> str:
    payload = bytes([5, 0, 0, 0, 0, 0, 0, 5]) + bytes(BOB) + (9).to_bytes(8, "little") + b"\x01"
    return "Program data: " + base64.b64encode(payload).decode()


def test_only_events_that_the_program_itself_logged_are_read(client: Client) -> None:
    lines = [
        f"Program {PROGRAM} invoke [1]",
        f"Program {SYSTEM} invoke [2]",
        _sold(),
        f"Program {SYSTEM} success",
        _sold(),
        "Program data: not base64!",
        "Program data: AAAAAAAAAAA=",
        f"Program {PROGRAM} success",
        _sold(),
    ]
    sold = client.types.Sold(from_=BOB, amount=9, kind=client.types.Kind.HOT_BREAD)
    assert client.events.events_in(lines) == (sold,)


def test_a_broken_event_is_a_decode_error(client: Client) -> None:
    with pytest.raises(ValueError, match="bytes wanted"):
        client.events.decode_event(bytes([5, 0, 0, 0, 0, 0, 0, 5]) + b"short")


def test_errors_have_a_class_and_a_row_each(client: Client) -> None:
    assert client.errors.ERRORS[6001] == ("TooDear", "The price is above the limit")
    assert client.errors.BY_CODE[6000] is client.errors.Closed
    assert client.errors.Closed.message == "The shop is closed"


def test_constants_have_their_values(client: Client) -> None:
    found = client.constants
    assert (found.SEED, found.NAME, found.LIMIT, found.COUNT) == (b"sh", "shop", 1000, 7)


def test_the_command_writes_then_finds_nothing_to_do_then_sees_a_change(tmp_path: Path) -> None:
    idl, out = tmp_path / "idl.json", tmp_path / "out"
    idl.write_text(json.dumps(sample()))
    (out).mkdir()
    (out / "old.py").write_text("# Generated by idl2py; changes are lost.\n")
    assert main([str(idl), str(out)]) == 0
    assert not (out / "old.py").exists()
    assert main([str(idl), str(out), "--check"]) == 0
    (out / "types.py").write_text("changed")
    assert main([str(idl), str(out), "--check"]) == EXIT_STALE


def test_the_command_refuses_a_file_that_is_no_idl(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    idl = tmp_path / "idl.json"
    idl.write_text("[]")
    assert main([str(idl), str(tmp_path / "out")]) == EXIT_REFUSED
    assert "IDL: an object is missing" in capsys.readouterr().err
