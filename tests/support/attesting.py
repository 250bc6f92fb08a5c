"""What witnesses do in a test of both sides: honest ones, and such as lie."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from psyche_sdk import instructions as build
from support.actors import Actor
from support.knowing import SIX, Knowing
from support.model import attesting, bloom
from support.model.record import Round
from support.model.words import sha

#: What may be wrong with a filter; nothing else is, where bits are exact.
LIES = ("too full", "full", "copied", "foreseen", "spare bit", "short", "exact")


class Attesting(Knowing):
    """Attestations: mostly right ones."""

    @rule(
        actor=st.sampled_from(SIX),
        kept=st.integers(0, 255),
        lie=st.sampled_from(["held"] * 4 + list(LIES)),
        wrong=st.integers(0, 30),
        transition=st.booleans(),
    )
    def attest(self, actor: Actor, kept: int, lie: str, wrong: int, transition: bool) -> None:
        state, here = self.state, self.here(actor, wrong)
        target = state.target()
        slots = set() if target is None else set(target.committed)
        held = {slot for slot in slots if kept >> slot & 1 or kept > 99}
        if state.config.attestation_kind and target and lie != "exact":
            bits = self.filter_of(target, here.slot, held, lie)
        else:
            field = sum(1 << slot for slot in held | ({7} if wrong == 11 else set()))
            bits = field.to_bytes(state.capacity // 8 + (wrong == 10), "little")
        args = build.AttestArgs(
            epoch=here.epoch,
            round=max(here.round - state.config.overlap, 0),
            slot=here.slot,
            bits=bits,
            custody_root=sha(b"root", bytes([kept])) if kept % 3 else bytes(32),
        )
        self.pair.member("attest", actor, args, attesting.attest, transition=transition)

    def filter_of(self, target: Round, slot: int, held: set[int], lie: str) -> bytes:
        """A filter of what a witness holds, or one by which it lies."""
        form, count = attesting.shape_of(self.state, target), len(target.committed)
        if lie in ("too full", "full"):
            ones = min(form.most(count) + (lie == "too full"), form.bits)
            return ((1 << ones) - 1).to_bytes(form.size, "little")
        place = target.witnesses.index(slot) if slot in target.witnesses else 0
        if lie == "foreseen" or target.entropy is None or target.awaits_redraw():
            own = bloom.keys(self.state.instance, target.epoch, target.number, bytes(32), place)
        else:
            own = attesting.keys_of(self.state, target, place + (lie == "copied"))
        told = [(slot, target.committed[slot].digest) for slot in sorted(held)]
        bits = bytearray(own.fill(form, told))
        if lie == "spare bit":
            bits[-1] |= 0x80
        return bytes(bits[: -1 if lie == "short" else None])
