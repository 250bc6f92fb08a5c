"""The root that an attestation carries: whoever made it had read the payloads."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

HASH_BYTES = 32


def custody_leaf(entropy: bytes, wallet: bytes, payload: bytes) -> bytes:
    """sha256(entropy | wallet | payload): another for each witness, known once it has the bytes.

    Args:
        entropy: E of the round, so that no leaf can be made before Train has closed.
    """
    digest = sha256(entropy + wallet)
    digest.update(payload)
    return digest.digest()


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """The Merkle root of hashes: sha256(left | right); an odd one moves up as it is.

    Zeros where there is no leaf.
    """
    level = list(leaves)
    if not level:
        return bytes(HASH_BYTES)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        odd = level[-1:] if len(level) % 2 else []
        level = [sha256(left + right).digest() for left, right in pairs] + odd
    return level[0]
