"""A small program's IDL with one of everything that the generator knows."""

from __future__ import annotations

import copy
from typing import Any

PROGRAM = "Fg6PaFpoGXkYsidMpWTK6W2BeZ7FEfcYkg476zPFsLnS"
SYSTEM = "11111111111111111111111111111111"


def _fields(**types: Any) -> list[dict[str, Any]]:
    return [{"name": name, "type": type_} for name, type_ in types.items()]


def _struct(name: str, /, **types: Any) -> dict[str, Any]:
    return {"name": name, "type": {"kind": "struct", "fields": _fields(**types)}}


def _zero_copy(name: str, /, **types: Any) -> dict[str, Any]:
    return _struct(name, **types) | {"serialization": "bytemuck", "repr": {"kind": "c"}}


def _seed(text: str) -> dict[str, Any]:
    return {"kind": "const", "value": list(text.encode())}


def _defined(name: str) -> dict[str, Any]:
    return {"defined": {"name": name}}


_IDL: dict[str, Any] = {
    "address": PROGRAM,
    "metadata": {"name": "shop", "version": "0.1.0", "spec": "0.1.0"},
    "docs": ["A shop, for tests."],
    "instructions": [
        {
            "name": "open_shop",
            "docs": ["Opens a shop.", "", "Authority: the `owner`, who pays."],
            "discriminator": [1, 0, 0, 0, 0, 0, 0, 1],
            "accounts": [
                {"name": "owner", "writable": True, "signer": True},
                {
                    "name": "till",
                    "writable": True,
                    "pda": {"seeds": [_seed("till"), {"kind": "account", "path": "shop"}]},
                },
                {
                    "name": "shop",
                    "writable": True,
                    "pda": {
                        "seeds": [
                            _seed("shop"),
                            {"kind": "account", "path": "owner"},
                            {"kind": "arg", "path": "args.name"},
                            {"kind": "arg", "path": "number"},
                        ]
                    },
                },
                {"name": "helper", "optional": True, "signer": True},
                {"name": "system_program", "address": SYSTEM},
            ],
            "args": _fields(args=_defined("OpenArgs"), number="u16"),
        },
        {
            "name": "sell",
            "discriminator": [2, 0, 0, 0, 0, 0, 0, 2],
            "accounts": [
                {"name": "shop", "writable": True, "relations": ["till"]},
                {
                    "name": "till",
                    "pda": {
                        "seeds": [{"kind": "account", "path": "shop.owner", "account": "Shop"}]
                    },
                },
            ],
            "args": _fields(
                shop={"vec": _defined("Item")},
                payment=_defined("Payment"),
                note={"option": "string"},
                code={"array": ["u8", 4]},
                prices={"array": ["i64", 2]},
            ),
        },
    ],
    "accounts": [
        {"name": "Shop", "discriminator": [3, 0, 0, 0, 0, 0, 0, 3]},
        {"name": "Till", "discriminator": [4, 0, 0, 0, 0, 0, 0, 4]},
    ],
    "events": [{"name": "Sold", "discriminator": [5, 0, 0, 0, 0, 0, 0, 5]}],
    "errors": [
        {"code": 6000, "name": "Closed", "msg": "The shop is closed"},
        {"code": 6001, "name": "TooDear", "msg": "The price is above the limit"},
    ],
    "constants": [
        {"name": "SEED", "type": "bytes", "value": "[115, 104]"},
        {"name": "NAME", "type": "string", "value": '"shop"'},
        {"name": "LIMIT", "type": "u64", "value": "1_000"},
        {"name": "COUNT", "type": _defined("usize"), "value": "7"},
    ],
    "types": [
        _zero_copy(
            "Shop",
            version="u8",
            padding={"array": ["u8", 3]},
            count="u32",
            owner="pubkey",
            sizes={"array": ["u16", 4]},
            shelves={"array": [_defined("Shelf"), 2]},
            hours=_defined("Hours"),
        )
        | {"docs": ["A shop's books."]},
        _zero_copy("Shelf", weight="i64", open="u32", flags={"array": [{"array": ["u8", 2]}, 2]}),
        # Sent in borsh and stored as it is: the same bytes, because nothing is padded.
        _struct("Hours", opens="u32", closes="u32") | {"repr": {"kind": "c"}},
        _struct("Till", version="u8", holder="pubkey", cash={"vec": "u64"}),
        _struct("OpenArgs", name="string", open="bool", ratio="f64", limit={"option": "u128"}),
        _struct("Item", id="u32", kind=_defined("Kind"), tags="bytes"),
        _struct("Sold", **{"from": "pubkey", "amount": "u64", "kind": _defined("Kind")}),
        {
            "name": "Kind",
            "type": {"kind": "enum", "variants": [{"name": "Fruit"}, {"name": "HotBread"}]},
        },
        {
            "name": "Payment",
            "type": {
                "kind": "enum",
                "variants": [
                    {"name": "Cash"},
                    {"name": "Card", "fields": _fields(number="u64")},
                    {"name": "Cheque", "fields": ["u8", "string"]},
                ],
            },
        },
    ],
}


def sample() -> dict[str, Any]:
    """Return a fresh copy that a test may change."""
    return copy.deepcopy(_IDL)
