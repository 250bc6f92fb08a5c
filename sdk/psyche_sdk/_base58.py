"""Base 58 as Solana writes it; for short texts only (the cost grows with the square)."""

from __future__ import annotations

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}


def encode(data: bytes) -> str:
    """Returns `data` in base 58; each leading zero byte becomes a "1"."""
    stripped = data.lstrip(b"\0")
    number = int.from_bytes(stripped, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    return "1" * (len(data) - len(stripped)) + "".join(reversed(digits))


def decode(text: str) -> bytes:
    """Returns the bytes of a base 58 text; ValueError for other characters."""
    stripped = text.lstrip("1")
    number = 0
    for character in stripped:
        value = _VALUES.get(character)
        if value is None:
            raise ValueError("not base 58")
        number = number * 58 + value
    return bytes(len(text) - len(stripped)) + number.to_bytes((number.bit_length() + 7) // 8, "big")
