"""Runs in which payloads are audited: every auditor flags, every seat of a committee speaks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from benchmarks.cost_drive import Metered
from psyche_sdk import instructions as build
from psyche_sdk._generated import layouts
from psyche_sdk.errors import ProgramError
from psyche_sdk.views import sealed_verdict
from support.program import sha

SALT = sha(b"salt")
#: As many auditors as a round can have, even where members are few; small committees, so that many
#: payloads are rejected.
SETTINGS = {"verification_percent": 50, "committee_size": 3, "misses_max": 255}


def rejections(world: Metered) -> None:
    """All that can be rejected is, of members that are ejected for it."""
    world.open(world.count)
    world.play(list(range(world.count)))
    speak(world, 0, flags=lambda: True)
    world.pass_time(slots=3)
    world.tick_all()
    judge(world, 0)
    strike(world)
    for _ in range(3):
        world.play(world.trainers_now())


def speak(world: Metered, round_: int, *, flags: Callable[[], bool]) -> None:
    """The auditors of a round give their verdicts; who is no member any more is not heard."""
    for one in world.record(round_).auditors:
        if one.target is not None:
            place = {"epoch": world.run.epoch, "round": round_, "slot": one.slot}
            args = build.VerdictArgs(verdict=verdict(one.target, passes=not flags()), **place)
            with suppress(ProgramError):
                world.call("verdict", one.slot, args)


def judge(world: Metered, round_: int) -> None:
    """Every seat seals that the payload fails, and opens it."""
    for opens in (False, True):
        for seat in world.record(round_).seats:
            place = {"epoch": world.run.epoch, "round": round_, "slot": seat.slot}
            said = verdict(seat.target, passes=False)
            wallet = bytes(world.members[seat.slot].wallet)
            sealed = sealed_verdict(said, SALT, wallet)
            with suppress(ProgramError):
                if opens:
                    shown = build.OpenVerdictArgs(verdict=said, salt=SALT, **place)
                    world.call("open_verdict", seat.slot, shown)
                else:
                    args = build.SealVerdictArgs(target=seat.target, sealed=sealed, **place)
                    world.call("seal_verdict", seat.slot, args)


def strike(world: Metered) -> None:
    """As if everybody had had a payload rejected before: whose is rejected now is thrown out."""
    data = bytearray(world.data(world.roster_key))
    entries = np.frombuffer(data, layouts.ROSTER_ENTRY, offset=8 + layouts.ROSTER_HEADER.itemsize)
    entries["strikes"] = 1
    world.poke(world.roster_key, bytes(data))


def verdict(target: int, *, passes: bool) -> build.Verdict:
    """What somebody says of a payload."""
    scores = {"jaccard_permille": 1_000, "hamming_permille": 0, "manhattan_permille": 0}
    return build.Verdict(
        target=target, passes=passes, alignment_permille=1_000, detail=bytes(32), **scores
    )


def filters(world: Metered) -> None:
    """Witnesses attest by Bloom filters."""
    world.open(world.count)
    world.play(list(range(world.count)))
