"""A client's parts for tests: a tiny trainer, peers without a network, rounds and sights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from psyche_client.decide import Phase, Standing
from psyche_client.model.config import MlaConfig
from psyche_client.model.document import DataSection, ModelDocument
from psyche_client.model.presets import preset
from psyche_client.network import FetchFailed, Kind, PeerStatus
from psyche_client.optim.rule import UpdateRule
from psyche_client.optim.schedule import Schedule, rate_units
from psyche_client.payloads import PayloadKey
from psyche_client.seen import AgreedState, Commitment, RoundSeen, Seat, Sight
from psyche_client.store import SettledRound, next_chain_hash
from psyche_client.trainer import Trainer

INSTANCE = sha256(b"a run").digest()
START = sha256(b"psyche" + INSTANCE).digest()
"""The chain hash before any round is settled."""
CAPACITY = 8
PAYLOAD_BYTES_MAX = 1 << 20


def tiny_document() -> ModelDocument:
    """model.json of a model that trains a share in milliseconds."""
    values = preset("demo").to_dict() | {
        "vocab_size": 64,
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
    }
    rule = UpdateRule(topk=16, schedule=Schedule(peak=rate_units("0.004"))).to_value()
    schedule: Any = rule.pop("schedule")
    return ModelDocument(
        architecture=MlaConfig.from_dict(values),
        init_seed=bytes(32),
        update_rule=rule,
        schedule=schedule,
        tokenizer_sha256=bytes(32),
        data=DataSection(sequence_tokens=16, sequences=1000, merkle_root=bytes(32)),
    )


def tiny_trainer() -> Trainer:
    """A trainer of that model, at its initial parameters."""
    return Trainer(
        tiny_document(),
        instance=INSTANCE,
        members_max=CAPACITY,
        payload_bytes_max=PAYLOAD_BYTES_MAX,
    )


def tokens(seed: int, count: int = 2) -> npt.NDArray[np.int64]:
    """Sequences of the tiny model's length."""
    return np.random.default_rng(seed).integers(0, 64, size=(count, 17))


def key(number: int, slot: int) -> PayloadKey:
    """Whose payload: the member of a slot has the slot's number plus one."""
    return PayloadKey(epoch=0, round=number, slot=slot, member_id=slot + 1, step=number)


def settled(number: int, payloads: dict[int, bytes], previous: bytes = START) -> SettledRound:
    """The round that accepts these payloads (by slot) after the history `previous`."""
    members = tuple(
        (slot, slot + 1, sha256(payload).digest()) for slot, payload in sorted(payloads.items())
    )
    fields: dict[str, Any] = {
        "epoch": 0,
        "round": number,
        "step": number,
        "capacity": CAPACITY,
        "members": members,
        "previous": previous,
    }
    open_end = SettledRound(**fields, chain_hash=bytes(32))
    return SettledRound(**fields, chain_hash=next_chain_hash(open_end))


def record(of: SettledRound, payloads: dict[int, bytes], **changes: Any) -> RoundSeen:
    """A settled round as its record on chain shows it."""
    commitments = {
        slot: Commitment(
            key=key(of.round, slot),
            digest=sha256(payload).digest(),
            size=len(payload),
            loss=4.0,
            tokens=32,
        )
        for slot, payload in payloads.items()
    }
    values: dict[str, Any] = {
        "epoch": of.epoch,
        "round": of.round,
        "step": of.step,
        "capacity": of.capacity,
        "drain": False,
        "train_closed": True,
        "entropy_stored": True,
        "settled": True,
        "commitments": commitments,
        "accepted": tuple(slot for slot, _, _ in of.members),
        "chain_hash_before": of.previous,
        "chain_hash_after": of.chain_hash,
    }
    return RoundSeen(**(values | changes))


def seat(slot: int = 0, state: Standing = Standing.ACTIVE) -> Seat:
    """A member in a slot."""
    return Seat(
        slot=slot,
        member_id=slot + 1,
        wallet=bytes([slot + 1]) * 32,
        node_key=bytes([slot + 101]) * 32,
        state=state,
    )


def agreed(step: int, digest: bytes, chain_hash: bytes = START) -> AgreedState:
    """A state that members agreed on before round `step` of epoch 0."""
    return AgreedState(epoch=0, round=step, step=step, digest=digest, chain_hash=chain_hash)


def sight(**changes: Any) -> Sight:
    """A run that waits in Train of round 0; fields change by name."""
    values: dict[str, Any] = {
        "chain_slot": 1,
        "phase": Phase.TRAIN,
        "epoch": 0,
        "round": 0,
        "step": 0,
        "overlap": 0,
        "deadline": 0,
        "chain_hash": START,
        "standing": Standing.ACTIVE,
        "seat": seat(),
        "seats": (seat(),),
        "rounds": (),
        "states": (),
        "vote": None,
        "due": False,
        "my_turn": False,
        "attest_late": False,
    }
    return Sight(**(values | changes))


class Peers:
    """An exchange whose peers' answers are written down before: each is verified, as for real.

    Attributes:
        answers: what peers send for (kind, key), in the order in which they are asked.
        asked: (kind, key) of every request.
    """

    def __init__(self) -> None:
        self.answers: dict[tuple[Kind, bytes], list[bytes]] = {}
        self.asked: list[tuple[Kind, bytes]] = []
        self.hints: list[bytes] = []
        self.only: list[bytes | None] = []
        self.announced: list[bytes] = []
        self.members: dict[bytes, Any] = {}
        self.alive: dict[bytes, bool] = {}
        self.held: dict[bytes, list[bytes]] = {}

    def holders(self, commitment: bytes) -> list[bytes]:
        """Peers that said that they hold this."""
        return self.held.get(commitment, [])

    def peers(self) -> list[PeerStatus]:
        """Members by node key, alive or not."""
        return [
            PeerStatus(
                node_key=node_key,
                slot=slot,
                alive=alive,
                rtt_ms=None,
                sent_bytes=0,
                received_bytes=0,
                path="",
                banned=False,
                epoch=None,
            )
            for slot, (node_key, alive) in enumerate(self.alive.items())
        ]

    def give(self, kind: Kind, name: bytes, *answers: bytes) -> None:
        """One more peer for each answer."""
        self.answers.setdefault((kind, name), []).extend(answers)

    def give_payload(self, payload: bytes) -> bytes:
        """A peer that has this payload; returns its commitment."""
        commitment = sha256(payload).digest()
        self.give(Kind.PAYLOAD, commitment, payload)
        return commitment

    async def fetch(
        self, commitment: bytes, size: int, hints: Iterable[bytes] = (), *, timeout: float
    ) -> bytes:
        """As `Exchange.fetch`."""
        del timeout
        self.hints.extend(hints)

        def right(data: bytes) -> bool:
            return len(data) == size and sha256(data).digest() == commitment

        return self._answer(Kind.PAYLOAD, commitment, right)

    async def fetch_blob(
        self,
        kind: Kind,
        key: bytes,
        verify: Callable[[bytes], bool],
        hints: Iterable[bytes] = (),
        *,
        timeout: float,
        max_size: int,
        only: bytes | None = None,
    ) -> bytes:
        """As `Exchange.fetch_blob`."""
        del timeout
        self.hints.extend(hints)
        self.only.append(only)
        return self._answer(kind, key, lambda data: len(data) <= max_size and verify(data))

    def _answer(self, kind: Kind, name: bytes, right: Callable[[bytes], bool]) -> bytes:
        self.asked.append((kind, name))
        for data in self.answers.get((kind, name), []):
            try:
                if right(data):
                    return data
            except ValueError:
                continue
        raise FetchFailed(f"{kind.name.lower()} {name.hex()[:8]}", {})

    def announce(self, commitments: Iterable[bytes]) -> None:
        """As `Exchange.announce`."""
        self.announced.extend(commitments)

    def set_members(self, members: dict[bytes, Any]) -> None:
        """As `Exchange.set_members`."""
        self.members = dict(members)

    def set_epoch(self, epoch: int) -> None:
        """As `Exchange.set_epoch`."""
        del epoch
