"""What audits cost: units with 256 slots filled, sixty-four auditors and every seat taken."""

from __future__ import annotations

from functools import cache

import numpy as np

from psyche_sdk._budget import units_for
from psyche_sdk._generated import layouts
from psyche_sdk._generated.types import AuditsDrawn, CaseClosed, CommitteeDrawn
from psyche_sdk.views import Auditor, MemberState, sealed_verdict
from support.costly import MANY, Costly
from support.program import build, sha
from support.program_chain import Sent
from support.verifying import SETTINGS, verdict_on

TICK_UNITS = 60_000
SALT = sha(b"salt")


class Judged(Costly):
    """A run in which every auditor flags and every seat agrees; what each thing cost, by name."""

    def __init__(self) -> None:
        super().__init__(**(SETTINGS | {"verification_percent": 25, "misses_max": 255}))
        self.dear: dict[str, int] = {}
        self.start()
        self.play(list(range(MANY)))
        for one in self.record(0).auditors:
            self.flag(one)
        self.pass_time(slots=3)
        self.tick_all()
        self.speak()
        self.strike()
        for number in range(1, 4):
            order: list[int] = self.record(number).order.tolist()
            self.play(order)

    def tick(self) -> Sent:
        """As ever; the dearest of each kind is kept."""
        sent = super().tick()
        for kind in (AuditsDrawn, CommitteeDrawn, CaseClosed):
            if any(isinstance(event, kind) for event in sent.events):
                self.dear[kind.__name__] = max(self.dear.get(kind.__name__, 0), sent.units)
        return sent

    def flag(self, auditor: Auditor) -> None:
        """An auditor says that its payload fails."""
        if auditor.target is not None:
            found = verdict_on(auditor.target, passes=False)
            place = {"epoch": self.run.epoch, "round": 0, "slot": auditor.slot}
            args = build.VerdictArgs(verdict=found, **place)
            self.do("verdict", self.members[auditor.slot], args)

    def strike(self) -> None:
        """Everybody had a payload rejected before: whose is rejected now is thrown out."""
        data = bytearray(self.data(self.roster_key))
        first = 8 + layouts.ROSTER_HEADER.itemsize
        entries = np.frombuffer(data, layouts.ROSTER_ENTRY, offset=first)
        entries["strikes"] = 1
        self.poke(self.roster_key, bytes(data))

    def speak(self) -> None:
        """Every seat seals and opens that the payload fails."""
        for opens in (False, True):
            for seat in self.record(0).seats:
                found = verdict_on(seat.target, passes=False)
                place = {"epoch": self.run.epoch, "round": 0, "slot": seat.slot}
                actor = self.members[seat.slot]
                if opens:
                    shown = build.OpenVerdictArgs(verdict=found, salt=SALT, **place)
                    self.do("open_verdict", actor, shown)
                else:
                    word = sealed_verdict(found, SALT, bytes(actor.wallet))
                    sealed = build.SealVerdictArgs(target=seat.target, sealed=word, **place)
                    self.do("seal_verdict", actor, sealed)


@cache
def judged() -> Judged:
    """The run, played once."""
    return Judged()


def test_audits_committees_and_their_decisions_cost_at_most_60000_units_a_tick() -> None:
    world = judged()

    assert set(world.dear) == {"AuditsDrawn", "CommitteeDrawn", "CaseClosed"}
    assert len(world.record(1).auditors) == 64
    assert len(world.roster.slots(MemberState.EJECTED)) == 64 // 3
    assert max(world.ticks) <= TICK_UNITS, world.dear


def test_the_sdk_asks_for_enough_units_for_verdicts() -> None:
    units = judged().units

    for name in ("verdict", "seal_verdict", "open_verdict"):
        assert units[name] <= units_for(name, capacity=MANY), (name, units[name])
