"""What a witness says of payloads (PROTOCOL.md section 9)."""

from __future__ import annotations

from collections.abc import Iterable

from psyche_sdk import instructions as build
from support.model import bloom
from support.model.acts import Call, own, refuse, with_transition
from support.model.record import Round
from support.model.state import Entry, State
from support.model.words import Phase

BLOOM = 1


def attest(state: State, args: build.AttestArgs, call: Call) -> None:
    """A witness says which committed payloads it holds."""

    def body() -> None:
        entry, reasons = own(state, call.wallet, args.slot)
        target = state.target()
        phases = (Phase.TRAIN, Phase.WITNESS) if state.config.overlap else (Phase.WITNESS,)
        wrong = target is None or (args.epoch, args.round) != (state.epoch, target.number)
        index = None if target is None else _index(target, args.slot, entry)
        refuse(
            {
                **reasons,
                "WrongPhase": state.phase not in phases or (target is not None and target.settled),
                "WrongRound": wrong,
                "EntropyNotStored": target is None
                or target.entropy is None
                or target.awaits_redraw(),
                "NothingToAttest": target is None or not target.committed,
                "NotAWitness": index is None
                or (target is not None and index in target.witnesses_gone),
                **_malformed(state, target, args.bits),
            }
        )
        assert target is not None
        assert index is not None
        entry.seen = call.now
        target.attested.add(index)
        target.custody[index] = args.custody_root
        state.met["BLOOM" if state.config.attestation_kind == BLOOM else "EXACT"] += 1
        for slot in _said(state, target, index, args.bits):
            target.held.setdefault(slot, set()).add(index)

    with_transition(state, call, body)


def _index(target: Round, slot: int, entry: Entry) -> int | None:
    """The witness's place."""
    elected = list(zip(target.witnesses, target.witness_ids, strict=True))
    mine = (slot, entry.member_id)
    return elected.index(mine) if mine in elected else None


def _malformed(state: State, target: Round | None, bits: bytes) -> dict[str, bool]:
    """What speaks against the bits as such."""
    ones = _ones(bits)
    if state.config.attestation_kind == BLOOM:
        if target is None or not target.committed:
            return {}
        form = shape_of(state, target)
        behind = any(one >= form.bits for one in ones)
        return {
            "BitFieldLength": len(bits) != form.size or behind,
            "BloomTooFull": len(ones) > form.most(len(target.committed)),
        }
    return {
        "BitFieldLength": len(bits) != state.capacity // 8,
        "BitNotCommitted": target is None or not set(ones) <= set(target.committed),
    }


def _said(state: State, target: Round, index: int, bits: bytes) -> Iterable[int]:
    """The slots that a witness names, or that its filter has."""
    if state.config.attestation_kind != BLOOM:
        return _ones(bits)
    form, own_keys = shape_of(state, target), keys_of(state, target, index)
    told = target.committed.items()
    return [slot for slot, one in told if own_keys.holds(form, bits, slot, one.digest)]


def shape_of(state: State, target: Round) -> bloom.Shape:
    """The form of the filters of a round."""
    return bloom.shape(len(target.committed), state.config.bloom_false_positive_ppm)


def keys_of(state: State, target: Round, index: int) -> bloom.Keys:
    """The keys of a witness's filter: of the entropy that elected it."""
    entropy = target.redraw_entropy if target.draws > 1 else target.entropy
    assert entropy is not None
    return bloom.keys(state.instance, target.epoch, target.number, entropy, index)


def _ones(field: bytes) -> list[int]:
    """Section 1: bit i is bit i mod 8 of byte i / 8."""
    return [i for i in range(8 * len(field)) if field[i // 8] >> i % 8 & 1]
