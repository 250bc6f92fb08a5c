"""The chain's clock under bad weather: it jumps both ways, slots are skipped or stand still."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice

from solders.hash import Hash

from psyche_sdk.views import Moment
from support.program_chain import slot_hash

#: Hashes that the SlotHashes sysvar keeps.
KEPT = 512
#: Part of the chain slots that have no block, and so no hash.
SKIPPED = 0.07
#: Slots of a healthy chain in a second.
SLOTS_A_SECOND = 2.5


class Weather:
    """Where the chain stands, and the hashes that it still knows, newest first."""

    def __init__(self, rng: random.Random, start: Moment) -> None:
        self.rng = rng
        self.met: Counter[str] = Counter()
        self.moment = start
        self.hashes: deque[tuple[int, Hash]] = deque(maxlen=KEPT)
        self._add(range(start.chain_slot - KEPT, start.chain_slot))

    def _add(self, slots: range) -> None:
        for one in slots[-2 * KEPT :]:
            if self.rng.random() >= SKIPPED:
                self.hashes.appendleft((one, slot_hash(one)))
            else:
                self.met["a slot is skipped"] += 1

    def pass_time(self, seconds: int, slots: int) -> None:
        """Moves the clock, forth or back, and the slots, forth or not at all."""
        before = self.moment.chain_slot
        self.moment = Moment(self.moment.time + seconds, before + slots)
        self._add(range(before, before + slots))

    def pass_seconds(self, seconds: int) -> None:
        """Time as on a healthy chain."""
        self.pass_time(seconds, max(1, int(seconds * SLOTS_A_SECOND)))

    def storm(self) -> tuple[int, int]:
        """Some seconds and slots that do not belong together."""
        rng = self.rng
        storms = {
            "the clock jumps back": (-rng.choice([1, 7, 100, 5_000]), rng.randrange(4)),
            "the clock jumps ahead": (rng.choice([30, 1_000, 10**6]), rng.randrange(3)),
            "the clock stands still": (0, rng.choice([1, 40, 700, 3_000])),
            "all hashes are new": (rng.randrange(400), KEPT + rng.randrange(900)),
            "the same slot again": (rng.randrange(3), 0),
            "any time goes by": (rng.randrange(90), rng.randrange(250)),
        }
        kind = rng.choice(list(storms))
        self.met[kind] += 1
        return storms[kind]

    def hash_at(self, target: int) -> bytes | None:
        """The hash of the newest chain slot <= target; None if none that is known is so old."""
        slot, found = next((one for one in self.hashes if one[0] <= target), (-1, None))
        self.met["no block"] += found is not None and slot != target
        return None if found is None else bytes(found)

    def newest(self) -> Iterator[tuple[int, Hash]]:
        """What the sysvar holds."""
        return islice(self.hashes, KEPT)
