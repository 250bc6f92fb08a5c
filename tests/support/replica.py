"""One client whose parameters follow the chain, with peers and a history of three rounds."""

from pathlib import Path

from psyche_client.events import EventLog
from psyche_client.fetching import Fetcher
from psyche_client.keeper import Keeper
from psyche_client.network import Kind
from psyche_client.replica import Replica
from psyche_client.resync import Resync
from psyche_client.store import SettledRound, Store
from psyche_client.trainer import Trainer
from support.client import (
    PAYLOAD_BYTES_MAX,
    START,
    Peers,
    agreed,
    settled,
    sight,
    tiny_document,
)


class World:
    """One client with a real store and trainer, its peers, and three rounds of a history."""

    def __init__(self, home: Path, trainer: Trainer, payloads: list[bytes]) -> None:
        self.home, self.trainer, self.payloads = home, trainer, payloads
        self.store, self.peers = Store(home), Peers()
        self.log = EventLog(home / "events.jsonl")
        self.keeper = Keeper(self.store)
        self.replica = Replica(trainer, self.store, self.keeper, self.log)
        self.fetcher = Fetcher(
            self.peers,  # type: ignore[arg-type]
            self.store,
            self.log,
            check=lambda data, of: trainer.read(data, of) is not None,
            changed=lambda: None,
            bytes_max=PAYLOAD_BYTES_MAX,
        )
        self.resync = Resync(
            self.peers,  # type: ignore[arg-type]
            self.store,
            self.fetcher,
            self.log,
            tiny_document().architecture.parameter_shapes(),
        )
        self.rounds: list[SettledRound] = []
        last = START
        for number, payload in enumerate(payloads):
            self.rounds.append(settled(number, {1: payload}, last))
            last = self.rounds[-1].chain_hash
        self.initial = agreed(0, trainer.digest(0))

    def put(self, *numbers: int) -> None:
        """Payloads of these rounds are on disk."""
        for number in numbers:
            self.store.put_payload(0, number, 1, self.payloads[number])

    def give(self, number: int, *, payload: bool = True) -> None:
        """A peer has this round."""
        of = self.rounds[number]
        self.peers.give(Kind.HISTORY, of.previous, of.to_json().encode())
        if payload:
            self.peers.give_payload(self.payloads[number])

    async def apply(self, *numbers: int) -> None:
        for number in numbers:
            self.put(number)
            await self.replica.apply(self.rounds[number], loss=None)

    async def close(self) -> None:
        await self.fetcher.close()
        self.replica.close()
        self.log.close()


async def opened(world: World) -> World:
    await world.replica.open(sight(states=(world.initial,)))
    return world
