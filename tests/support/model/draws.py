"""Draws (PROTOCOL.md section 6)."""

from __future__ import annotations

from collections.abc import Sequence

from support.model.words import sha

#: Members that a committee has at least.
FEWEST = 3

ROLES, WITNESSES, WITNESSES_AGAIN, TARGETS, BLOOM, PUBLISHERS, COMMITTEES = 0, 1, 2, 4, 7, 8, 9


def seed_of(instance: bytes, epoch: int, number: int, purpose: int, entropy: bytes) -> bytes:
    """The seed of a draw."""
    head = epoch.to_bytes(4, "little") + number.to_bytes(4, "little") + bytes([purpose])
    return sha(instance, head, entropy)


class Words:
    """The words of a seed, one after the other."""

    def __init__(self, seed: bytes) -> None:
        self.seed, self.taken = seed, 0

    def take(self) -> int:
        """Word i is the u32 at byte 4 * (i mod 8) of sha256(seed, floor(i / 8))."""
        block = sha(self.seed, (self.taken // 8).to_bytes(4, "little"))
        at = 4 * (self.taken % 8)
        self.taken += 1
        return int.from_bytes(block[at : at + 4], "little")

    def uniform(self, n: int) -> int:
        """Uniform in 0 .. n - 1, by rejection."""
        if n == 0:
            return 0
        while True:
            word = self.take()
            if word < n * (2**32 // n):
                return word % n

    def shuffle(self, items: Sequence[int], count: int) -> list[int]:
        """The first `count` items of a shuffle, in drawn order."""
        drawn = list(items)
        for i in range(min(count, len(drawn))):
            j = i + self.uniform(len(drawn) - i)
            drawn[i], drawn[j] = drawn[j], drawn[i]
        return drawn[: min(count, len(drawn))]


def roles(seed: bytes, active: Sequence[int], percent: int) -> tuple[list[int], list[int]]:
    """Verifiers and trainers among the Active members, each in drawn order."""
    words, n = Words(seed), len(active)
    r = words.take() % 2**16
    drawn = words.shuffle(active, n)
    v = max(0, min((n * percent * 65_536 + 100 * r) // 6_553_600, n - 1, 64))
    return drawn[:v], drawn[v:]


def witnesses(seed: bytes, eligible: Sequence[int], witness_count: int) -> list[int]:
    """The elected, in drawn order: the i-th has bit i in all masks."""
    return Words(seed).shuffle(eligible, min(witness_count, 32, len(eligible)))


def targets(seed: bytes, items: Sequence[int], auditors: Sequence[int]) -> list[int]:
    """Whom the first auditors audit, of those who committed; nobody itself."""
    if list(items) == list(auditors[:1]):
        return []
    m = min(len(items), len(auditors))
    around = max(m, 2)
    drawn = Words(seed).shuffle(items, around)
    for i in range(m):
        if drawn[i] == auditors[i]:
            j = i + 1 if i + 1 < around else 0
            drawn[i], drawn[j] = drawn[j], drawn[i]
    return drawn[:m]


def committee(seed: bytes, target: int, items: Sequence[int], size: int, free: int) -> list[int]:
    """Who judges a flagged payload, of the eligible; nobody where they or the seats are few."""
    size = min(size, len(items))
    if size < FEWEST or size > free:
        return []
    return Words(sha(seed, target.to_bytes(2, "little"))).shuffle(items, size)
