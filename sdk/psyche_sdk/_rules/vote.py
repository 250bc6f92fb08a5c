"""When the members agree on a digest."""

from collections import Counter
from collections.abc import Sequence

from psyche_sdk._rules.hashing import sha256


def sealed_digest(digest: bytes, wallet: bytes) -> bytes:
    """sha256(digest | wallet): what a member shows before it shows its digest."""
    return sha256(digest, wallet)


def agreed_digest(revealed: Sequence[bytes], voters: int, min_members: int) -> bytes | None:
    """The digest that members agree on, if they do.

    Two thirds of those who revealed one must say it, at least half of the ``voters`` who could
    have, and at least ``min_members``.
    """
    if not revealed:
        return None
    digest, same = Counter(revealed).most_common(1)[0]
    enough = 3 * same >= 2 * len(revealed) and 2 * same >= voters and same >= min_members
    return digest if enough else None
