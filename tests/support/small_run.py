"""A run so small that a test can see all of it: real chain, real client processes, few rounds.

with chain("localnet", packaged_program()) as here, small_run(here.url, tmp_path) as run:
    run.start(0), run.start(1)
    run.wait_finished()
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from psyche_client import config as files
from psyche_client.decide import Phase
from psyche_client.demo.processes import ClientProcess, stop_all
from psyche_client.demo.stage import Stage, prepare_corpus, write_key
from psyche_client.events import Event, Tail
from psyche_client.founding import found
from psyche_client.sighting import RunFacts, read_facts
from psyche_client.store import write_durably
from psyche_sdk import pda
from psyche_sdk._rules.roster import Member, MemberState, decode_roster
from psyche_sdk._rules.run import decode_run
from psyche_sdk.coordinator import Coordinator, Snapshot
from psyche_sdk.errors import PsycheError
from support.chains import wait_until

LAMPORTS = 1_000_000_000
SECONDS = 120.0
RUN_TOML = """
[run]
id = "small"
capacity = 8
init_min_members = {members}
min_members = 1
misses_max = {misses_max}

[rounds]
total_steps = {steps}
epoch_rounds = {epoch_rounds}
snapshot_rounds = 0
overlap = {overlap}

[phases]
waiting_seconds = 2
warmup_seconds = 60
train_seconds = {train_seconds}
grace_seconds = 20
witness_seconds = 10
cooldown_seconds = 30
ready_seconds = 90

[training]
sequence_tokens = 32
batch_sequences_start = 6
batch_sequences_end = 6

[training.model]
preset = "tiny"

[training.update]
topk = 64
{update}

[training.schedule]
learning_rate = 0.002

[data]
source = "python"
vocabulary_tokens = 512
text_bytes_max = 100000

[witness]
witness_count = {witnesses}

[rewards]
bond_lamports = {bond}
"""


def run_toml(update: str = "", **changes: int) -> str:
    """The small run's file; `steps`, `epoch_rounds`, `members`, `overlap`, `train_seconds`, ..."""
    values = {"steps": 6, "epoch_rounds": 6, "members": 3, "overlap": 1, "train_seconds": 60}
    others = {"misses_max": 3, "witnesses": 3, "bond": 0}
    return RUN_TOML.format(update=update, **(values | others | changes))


class SmallRun:
    """A run on a chain, its clients by number, and what both say.

    Attributes:
        stage: files, wallets and where the chain is.
        clients: the newest process of each client that was started.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.clients: dict[int, ClientProcess] = {}
        self._tails: dict[int, Tail] = {}
        self._events: dict[int, list[Event]] = {}

    def start(
        self, *numbers: int, module: str = "psyche_client.cli", more: Sequence[str] = ()
    ) -> None:
        """Starts clients, or starts them again over what an earlier process left."""
        for number in numbers:
            self.clients[number] = self.stage.start_client(
                number, parent=os.getpid(), module=module, more=more
            )
            if number not in self._tails:
                self._tails[number] = Tail(self.stage.home(number) / "events.jsonl")

    def events(self, number: int, name: str = "") -> list[Event]:
        """What a client wrote down so far, over all its lives."""
        kept = self._events.setdefault(number, [])
        kept += self._tails[number].read()
        return [event for event in kept if name in ("", event["event"])]

    def facts(self) -> RunFacts:
        """The run as it stands on chain."""
        return read_facts(self.snapshot().run.data)

    def member(self, number: int) -> Member | None:
        """The newest entry of a client's wallet in the roster, members that left included."""
        roster = decode_roster(self.snapshot().roster.data)
        wallet = bytes(self.stage.wallets[number].pubkey())
        found = [roster.member(slot) for slot in range(roster.capacity)]
        mine = [m for m in found if m.wallet == wallet and m.state is not MemberState.EMPTY]
        return max(mine, key=lambda m: m.member_id, default=None)

    def balance(self, number: int) -> int:
        """Lamports in a client's wallet."""

        async def ask() -> int:
            async with Coordinator(self.stage.url, Pubkey.from_string(self.stage.run)) as reader:
                return await reader.balance(self.stage.wallets[number].pubkey())

        return asyncio.run(ask())

    def snapshot(self) -> Snapshot:
        """The accounts of the run."""

        async def look() -> Snapshot:
            address = Pubkey.from_string(self.stage.run)
            async with Coordinator(self.stage.url, address) as coordinator:
                return await coordinator.snapshot()

        return asyncio.run(look())

    def wait(self, true: Callable[[], Any], what: str, seconds: float = SECONDS) -> None:
        """Waits until something holds; fails at once if a client ends with an error."""

        def holds() -> bool:
            self._check_clients()
            return bool(true())

        wait_until(holds, what, seconds)

    def wait_step(self, step: int) -> None:
        """Waits until the chain settled so many rounds."""

        def there() -> bool:
            try:
                return self.facts().step >= step
            except PsycheError:  # a chain that is away for a moment
                return False

        self.wait(there, f"step {step} is reached")

    def wait_finished(self) -> None:
        """Waits until every client that runs ended well."""
        self.wait(lambda: not any(c.alive for c in self.clients.values()), "the clients end")
        self._check_clients()

    def pause(self) -> None:
        """The owner pauses the run; waits until its epoch is over."""

        async def ask() -> None:
            address = Pubkey.from_string(self.stage.run)
            async with Coordinator(self.stage.url, address, payer=self.stage.owner) as owner:
                await owner.pause()

        asyncio.run(ask())
        self.wait(lambda: self._phase() is Phase.PAUSED, "the run is paused")

    def _phase(self) -> Phase:
        return Phase(int(decode_run(self.snapshot().run.data).phase))

    def digests(self) -> list[str]:
        """The last word of each client about its parameters."""
        return [self.events(number, "stop")[-1]["digest"] for number in self.clients]

    def _check_clients(self) -> None:
        for client in self.clients.values():
            if client.process.poll() not in (None, 0, -9):
                pytest.fail(f"{client.name} ended: {client.last_words()}")


@contextmanager
def small_run(
    url: str, work: Path, *, wallets: int = 3, update: str = "", **changes: int
) -> Iterator[SmallRun]:
    """A run that waits for members; every client that is left is stopped at the end."""
    run = SmallRun(found_small(url, work, wallets=wallets, update=update, **changes))
    asyncio.run(_create(run.stage))
    try:
        yield run
    finally:
        stop_all(list(run.clients.values()))


def found_small(
    url: str, work: Path, *, wallets: int = 3, update: str = "", **changes: int
) -> Stage:
    """Corpus, model.json and wallets; nothing on chain yet."""
    config = files.parse(run_toml(update, **changes))
    manifest = prepare_corpus(config, work / "data", 0)
    stage = Stage(
        work=work,
        config=config,
        founding=found(config, manifest, model_uri=""),
        owner=Keypair(),
        wallets=tuple(Keypair() for _ in range(wallets)),
        url=url,
    )
    for number, wallet in enumerate(stage.wallets):
        home = stage.home(number)
        home.mkdir()
        write_key(home / "wallet.json", wallet)
        # In each home rather than behind a URI: a test's folder may have too long a name for one.
        write_durably(home / "model.json", stage.founding.document.encode())
    write_key(work / "owner.json", stage.owner)
    return stage


async def _create(stage: Stage) -> None:
    address = pda.run_address(stage.owner.pubkey(), stage.config.run.id)
    async with Coordinator(stage.url, address, payer=stage.owner) as coordinator:
        await coordinator.airdrop(10 * LAMPORTS)
        for wallet in stage.wallets:
            await coordinator.airdrop(LAMPORTS, wallet.pubkey())
        await coordinator.create_run(stage.founding.args)
        await coordinator.resume()


def assert_nothing_lost(facts: RunFacts) -> None:
    """Every sequence that was drawn is accounted for."""
    s = facts.sequences
    assert s["fresh"] + s["repeated"] == s["accepted"] + s["in_flight"] + s["backlog"]
    assert s["accepted"] > 0


def assert_equal_bits(run: SmallRun) -> None:
    """The run is over, and all clients that saw its end hold the same parameters."""
    digests = run.digests()
    assert len(set(digests)) == 1
    hashes = {run.events(number, "stop")[-1]["chain_hash"] for number in run.clients}
    assert hashes == {run.facts().chain_hash.hex()}
