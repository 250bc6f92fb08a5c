"""Replays a folder, round by round."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import demand
from .folder import Folder, Round, read_folder, read_safetensors
from .payload import Expected, RefusedError, Selection, decode
from .update import Layout, Rule, apply


@dataclass(frozen=True)
class Replayed:
    """The parameters after some rounds (the arrays move on with the next), and what was in them."""

    parameters: dict[str, NDArray[np.float32]]
    chain_hash: bytes
    accepted: int
    refused: int


def replay(path: Path) -> dict[str, NDArray[np.float32]]:
    """The parameters that a folder leads to; `ReplayError` if it does not hold together."""
    *_, last = replay_rounds(read_folder(path))
    return last.parameters


def replay_rounds(folder: Folder) -> Iterator[Replayed]:
    """The initial parameters, then those after each round."""
    parameters = read_safetensors(folder.path / "initial.safetensors")
    rule = Rule.of(folder.document)
    layout = Layout({name: value.shape for name, value in parameters.items()}, rule.embeddings)
    expect = _Expectations(folder, layout, rule)
    chain_hash = sha256(b"psyche" + folder.instance).digest()
    yield Replayed(parameters, chain_hash, 0, 0)
    step = -1
    for record in folder.rounds:
        record.check(chain_hash, folder.run.whole("capacity"))
        demand(record.step > step, f"{record.name} does not come after step {step}")
        selections, refused = _selections(folder, record, expect)
        apply(parameters, selections, layout, rule, record.step)
        chain_hash, step = record.chain_hash, record.step
        yield Replayed(parameters, chain_hash, len(selections), refused)


class _Expectations:
    """What each payload of a run must say."""

    def __init__(self, folder: Folder, layout: Layout, rule: Rule) -> None:
        self._folder, self._rule = folder, rule
        self._digest, self._coefficients = layout.digest(), layout.coefficients
        self._bytes_max = folder.payload_bytes_max

    def of(self, record: Round, slot: int, member: int) -> Expected:
        topk = self._rule.topk_at(record.step)
        return Expected(
            instance=self._folder.instance,
            epoch=record.epoch,
            round=record.round,
            slot=slot,
            member_id=member,
            layout_digest=self._digest,
            coefficients=self._coefficients,
            topk=topk,
            most=self._rule.group_topk_max or topk,
            value_bits=self._rule.value_bits,
            bytes_max=self._bytes_max,
        )


def _selections(
    folder: Folder, record: Round, expect: _Expectations
) -> tuple[list[Selection], int]:
    """The valid selections of a round's accepted payloads, and how many payloads were not valid."""
    found, refused = [], 0
    for slot, member, commitment in record.members:
        data = folder.payload(record, slot, commitment)
        try:
            found.append(decode(data, expect.of(record, slot, member)))
        except RefusedError:
            refused += 1
    return found, refused
