"""Reads the parameters of a JSON-RPC request; every method raises RpcError for bad ones."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from psyche_sdk import _base58
from psyche_sdk.localnet.errors import INVALID_PARAMS, MIN_CONTEXT_SLOT, RpcError, invalid_params

ENCODED_TRANSACTION_MAX = {"base58": 1683, "base64": 1644}  # characters of 1,232 bytes
_COMMITMENTS = frozenset({"processed", "confirmed", "finalized"})
_U64_MAX = 2**64 - 1


class Config:
    """The optional object that comes last in most requests."""

    def __init__(self, values: dict[str, Any], slot: int) -> None:
        self._values = values
        commitment = self.text("commitment", "finalized")
        if commitment not in _COMMITMENTS:
            raise invalid_params(f"unknown commitment {commitment[:40]!r}")
        minimum = self.integer("minContextSlot", 0)
        if minimum > slot:
            message = "Minimum context slot has not been reached"
            raise RpcError(MIN_CONTEXT_SLOT, message, {"contextSlot": slot})

    def boolean(self, name: str) -> bool:
        """A true/false field; absent and null mean false."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, bool):
            raise invalid_params(f"{name} must be true or false")
        return bool(value)

    def integer(self, name: str, default: int) -> int:
        """A whole number of 64 bits, not negative."""
        value = self._values.get(name)
        return default if value is None else whole(value, name)

    def text(self, name: str, default: str) -> str:
        """A string."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise invalid_params(f"{name} must be a string")
        return value

    def object(self, name: str) -> dict[str, Any] | None:
        """An object, or None if absent."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, dict):
            raise invalid_params(f"{name} must be an object")
        return value

    def list(self, name: str) -> list[Any]:
        """A list; absent means empty."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, list):
            raise invalid_params(f"{name} must be a list")
        return value or []


class Params:
    """The positional parameters of one request."""

    def __init__(self, values: Any, slot: int) -> None:
        if values is not None and not isinstance(values, list):
            raise invalid_params("params must be a list")
        self._values: list[Any] = values or []
        self._slot = slot

    def get(self, index: int, name: str) -> Any:
        """A parameter that must be there."""
        if index >= len(self._values) or self._values[index] is None:
            raise invalid_params(f"{name} is missing")
        return self._values[index]

    def config(self, index: int, *, text_field: str = "") -> Config:
        """The configuration object at `index`; absent and null mean empty.

        Where old clients give one field alone as text, `text_field` names it.
        """
        value = self._values[index] if index < len(self._values) else None
        if text_field and isinstance(value, str):
            value = {text_field: value}
        if value is not None and not isinstance(value, dict):
            raise invalid_params("configuration must be an object")
        return Config(value or {}, self._slot)

    def text(self, index: int, name: str) -> str:
        """A string that must be there."""
        value = self.get(index, name)
        if not isinstance(value, str):
            raise invalid_params(f"{name} must be a string")
        return value

    def pubkey(self, index: int, name: str = "address") -> Pubkey:
        """An address in base 58."""
        return pubkey(self.get(index, name))

    def signature(self, index: int) -> str:
        """A signature in base 58."""
        return signature(self.get(index, "signature"))

    def integer(self, index: int, name: str) -> int:
        """A whole number of 64 bits, not negative."""
        return whole(self.get(index, name), name)

    def list(self, index: int, name: str, most: int) -> list[Any]:
        """A list of at most `most` values."""
        value = self.get(index, name)
        if not isinstance(value, list):
            raise invalid_params(f"{name} must be a list")
        if len(value) > most:
            raise invalid_params(f"Too many inputs provided; max {most}")
        return value


def whole(value: Any, name: str) -> int:
    """Returns `value` if it is a whole number of 64 bits, not negative."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _U64_MAX:
        raise invalid_params(f"{name} must be a whole number of 64 bits")
    return value


def pubkey(value: Any) -> Pubkey:
    """Reads an address."""
    try:
        return Pubkey.from_string(value)
    except (TypeError, ValueError) as error:
        raise invalid_params(f"Invalid address: {str(value)[:60]!r}") from error


def signature(value: Any) -> str:
    """Reads a signature and returns it as text."""
    try:
        return str(Signature.from_string(value))
    except (TypeError, ValueError) as error:
        raise invalid_params(f"Invalid signature: {str(value)[:100]!r}") from error


def blockhash(value: Any) -> Hash:
    """Reads a blockhash."""
    try:
        return Hash.from_string(value)
    except (TypeError, ValueError) as error:
        raise invalid_params(f"Invalid blockhash: {str(value)[:60]!r}") from error


def binary(text: str, encoding: str, characters_max: int) -> bytes:
    """Decodes base58 or base64 text of at most `characters_max` characters."""
    if encoding not in ("base58", "base64"):
        raise invalid_params(f"unsupported encoding: {encoding[:20]}. Supported: base58, base64")
    if len(text) > characters_max:
        size = f"{len(text)} bytes (max: {characters_max} bytes)"
        raise RpcError(INVALID_PARAMS, f"{encoding} encoded text too large: {size}")
    try:
        if encoding == "base64":
            return base64.b64decode(text, validate=True)
        return _base58.decode(text)
    except (binascii.Error, ValueError) as error:
        raise RpcError(INVALID_PARAMS, f"invalid {encoding} encoding") from error


def encoded_transaction(text: str, encoding: str) -> bytes:
    """Decodes the text of a transaction, refusing what no packet could hold."""
    return binary(text, encoding, ENCODED_TRANSACTION_MAX.get(encoding, 0))
