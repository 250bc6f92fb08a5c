"""`psyche join`: everything that one client is made of, put together and taken down again."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from solders.keypair import Keypair

from psyche_client.admission import check_admission
from psyche_client.chain import Chain
from psyche_client.data.errors import DataError
from psyche_client.data.remote import Remote
from psyche_client.data.shards import Shards
from psyche_client.decide import Phase
from psyche_client.events import Event, EventLog
from psyche_client.fetching import Fetcher
from psyche_client.keeper import Keeper
from psyche_client.model.checkpoint import save
from psyche_client.model.document import ModelDocument
from psyche_client.model.generate import generate
from psyche_client.network import Endpoint, Exchange
from psyche_client.node import Node
from psyche_client.options import JoinOptions
from psyche_client.provisions import node_seed, open_remote, open_shards, read_document
from psyche_client.ranks import Ranks, lead
from psyche_client.replica import Replica
from psyche_client.resync import Resync
from psyche_client.sighting import RunFacts, read_facts
from psyche_client.store import Store
from psyche_client.trainer import Trainer
from psyche_client.work import Workload
from psyche_sdk import HttpTransport, pda
from psyche_sdk.coordinator import Coordinator
from psyche_sdk.errors import InsufficientFunds

EXIT_INTERRUPTED = 130
RPC_SECONDS = 5.0
"""How long one request to the chain may hang: much less than a round."""
VALIDATION_SEQUENCES = 64
SAMPLE_PROMPT = "def "
SAMPLE_TOKENS = 120


Tell = Callable[[Event], None]


def main(options: JoinOptions, wallet: Keypair, tell: Tell) -> None:
    """Trains in a run until it is finished; raises what ends it otherwise. `tell` hears of events.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; the run was left cleanly. A second one ends the
            process where it stands.
        RankError: another process of this client ended or hangs.
    """
    with lead(options.ranks, wait_seconds=options.rank_seconds) as ranks:
        if not asyncio.run(_join(options, wallet, tell, ranks)):
            raise KeyboardInterrupt


async def _join(options: JoinOptions, wallet: Keypair, tell: Tell, ranks: Ranks | None) -> bool:
    """Whether the client stayed to the end."""
    address = pda.parse_run(options.run)
    with only_one(options.home), EventLog(options.home / "events.jsonl", tell=tell) as log:
        log.write("start", client=options.name, wallet=str(wallet.pubkey()), run=str(address))
        transport = HttpTransport(options.url, timeout_seconds=RPC_SECONDS)
        async with Coordinator(transport, address, payer=wallet) as coordinator:
            facts = read_facts((await coordinator.run()).data)
            if not await coordinator.balance():
                raise InsufficientFunds(str(wallet.pubkey()), "it holds nothing")
            limit = options.bond_lamports_max
            bond = await check_admission(coordinator, wallet.pubkey(), bond_lamports_max=limit)
            if bond:
                log.write("bond", lamports=bond)
            document = await asyncio.to_thread(read_document, options.home, facts)
            endpoint = await Endpoint.start(
                node_seed(options.home / "node.key"),
                network="n0" if options.network == "n0" else "direct",
            )
            try:
                remote = open_remote(options, document, address)
                session = Session(options, facts, document, endpoint, log, remote, ranks)
                return await session.run(coordinator, wallet)
            finally:
                await endpoint.close()


@dataclass(slots=True)
class Session:
    """One client's stay in a run."""

    options: JoinOptions
    facts: RunFacts
    document: ModelDocument
    endpoint: Endpoint
    log: EventLog
    remote: Remote | None
    ranks: Ranks | None

    async def run(self, coordinator: Coordinator, wallet: Keypair) -> bool:
        """Takes part from joining to the end; whether nobody asked to leave before."""
        if self.remote is None:
            self._shards()  # what is wrong with a folder is told before anything is sent
        workload = Workload(self._shards, self.facts.config)
        trainer = await asyncio.to_thread(
            Trainer,
            self.document,
            instance=self.facts.instance,
            members_max=self.facts.capacity,
            payload_bytes_max=self.facts.payload_bytes_max,
            compute=self.options.compute,
            ranks=self.ranks,
        )
        chain = Chain(
            coordinator,
            wallet,
            node_key=self.endpoint.node_key,
            address_text=self.endpoint.address_text(),
            bond_lamports_max=self.options.bond_lamports_max,
        )
        store = Store(self.options.home)
        keeper, changed = Keeper(store), asyncio.Event()
        replica = Replica(trainer, store, keeper, self.log)
        async with Exchange(
            self.endpoint, keeper, self.facts.instance, lambda _: changed.set()
        ) as exchange:
            fetcher = Fetcher(
                exchange,
                store,
                self.log,
                check=lambda data, key: trainer.read(data, key) is not None,
                changed=changed.set,
                bytes_max=self.facts.payload_bytes_max,
            )
            shapes = self.document.architecture.parameter_shapes()
            node = Node(
                chain=chain,
                exchange=exchange,
                fetcher=fetcher,
                replica=replica,
                resync=Resync(exchange, store, fetcher, self.log, shapes),
                keeper=keeper,
                workload=workload,
                log=self.log,
                changed=changed,
                keep_all=self.options.keep_all,
            )
            try:
                await self._play(node, replica)
                return not node.stopping
            finally:
                await fetcher.close()
                replica.close()

    def _shards(self, split: Literal["train", "val"] = "train") -> Shards:
        return open_shards(self.options, self.document, self.remote, split=split)

    async def _play(self, node: Node, replica: Replica) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _stop, node)
        if self.options.validate and self.remote is None:
            await self._validate(replica, 0)  # what is fetched is for members, and it is none yet
        last = await node.run()
        path = self.options.home / "model.safetensors"
        digest = await replica.run(
            lambda: save(
                path,
                replica.trainer.parameters(),
                step=replica.step,
                chain_hash=replica.chain_hash,
            )
        )
        self.log.write("checkpoint", step=replica.step, path=path.name, digest=digest)
        if self.options.validate and last is not None and last.phase is Phase.FINISHED:
            await self._validate(replica, replica.step)
            await self._write_sample(replica)
        self.log.write(
            "stop",
            reason=last.phase.name.lower() if last is not None else "the chain was not seen",
            step=replica.step,
            digest=digest,
            chain_hash=replica.chain_hash,
        )

    async def _validate(self, replica: Replica, step: int) -> None:
        held_out = await asyncio.to_thread(self._shards, "val")
        ids = np.arange(min(VALIDATION_SEQUENCES, held_out.count))
        sequences = await asyncio.to_thread(held_out.sequences, ids)
        loss = await replica.run(lambda: replica.trainer.validation_loss(sequences))
        self.log.write("validation", step=step, loss=loss)

    async def _write_sample(self, replica: Replica) -> None:
        tokenizer = self._shards().tokenizer()
        model = replica.trainer.model
        text = await replica.run(
            lambda: generate(model, tokenizer, SAMPLE_PROMPT, SAMPLE_TOKENS, seed=0)
        )
        self.log.write("sample", text=text)


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Holds a client's folder: two processes would write over each other's files.

    Raises:
        DataError: another process holds it.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(
                f"another client runs in {home}",
                hint="stop that one, or give this one a wallet and a --home of its own",
            ) from None
        yield


def _stop(node: Node) -> None:
    """The first signal asks to leave; at the second nothing is waited for any more."""
    if node.stopping:
        os._exit(EXIT_INTERRUPTED)
    node.stop()
