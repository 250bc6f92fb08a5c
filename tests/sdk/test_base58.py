"""Base 58 as Solana writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyche_sdk import _base58
from psyche_sdk._generated._program import PROGRAM_ID


@given(st.binary(max_size=40))
def test_what_was_written_is_read_back(data: bytes) -> None:
    assert _base58.decode(_base58.encode(data)) == data


def test_it_agrees_with_an_address() -> None:
    assert _base58.decode(str(PROGRAM_ID)) == bytes(PROGRAM_ID)
    assert _base58.encode(bytes(PROGRAM_ID)) == str(PROGRAM_ID)


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "a b", "é"])
def test_other_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base 58"):
        _base58.decode(text)
