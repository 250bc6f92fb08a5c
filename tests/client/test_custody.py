"""The root that an attestation carries."""

from hashlib import sha256

from psyche_client.custody import custody_leaf, merkle_root


def h(data: bytes) -> bytes:
    return sha256(data).digest()


def test_a_leaf_covers_entropy_wallet_and_payload() -> None:
    assert custody_leaf(b"e" * 32, b"w" * 32, b"payload") == h(b"e" * 32 + b"w" * 32 + b"payload")


def test_nothing_held_has_a_root_of_zeros_and_one_leaf_is_its_own_root() -> None:
    assert merkle_root([]) == bytes(32)
    assert merkle_root([b"a" * 32]) == b"a" * 32


def test_an_odd_leaf_moves_up_as_it_is() -> None:
    a, b, c, d, e = (bytes([one]) * 32 for one in b"abcde")
    assert merkle_root([a, b, c]) == h(h(a + b) + c)
    assert merkle_root([a, b, c, d, e]) == h(h(h(a + b) + h(c + d)) + e)
