"""Sets the stage: a chain, a corpus, a run on the chain, and wallets with money for fees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from solders.keypair import Keypair

from psyche_client import config as files
from psyche_client.data.manifest import Manifest
from psyche_client.data.prepare import prepare
from psyche_client.data.sources import stdlib_sources
from psyche_client.demo.processes import ClientProcess
from psyche_client.founding import Founding, found
from psyche_client.model.checkpoint import save
from psyche_client.options import DemoOptions
from psyche_client.store import write_durably
from psyche_sdk import pda
from psyche_sdk.coordinator import Coordinator

LAMPORTS = 1_000_000_000
CLIENT_LAMPORTS = LAMPORTS
OWNER_LAMPORTS = 10 * LAMPORTS
PERCENT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What stands when the first client starts.

    Attributes:
        work: folder of everything that the demo writes.
        owner: creator and authority of the run.
        wallets: of the clients, by number; the last one joins on the way.
    """

    work: Path
    config: files.Config
    founding: Founding
    owner: Keypair
    wallets: tuple[Keypair, ...]
    url: str

    @property
    def run(self) -> str:
        """Address of the run."""
        return str(pda.run_address(self.owner.pubkey(), self.config.run.id))

    def home(self, number: int) -> Path:
        """Folder of a client."""
        return self.work / f"client-{number}"

    def start_client(
        self,
        number: int,
        *,
        parent: int,
        module: str = "psyche_client.cli",
        more: Sequence[str] = (),
    ) -> ClientProcess:
        """Starts a client with its own wallet and folder.

        Args:
            number: which one.
            parent: the process that it ends with.
            module: is run as `psyche` is.
            more: options of `psyche join`.
        """
        home = self.home(number)
        home.mkdir(parents=True, exist_ok=True)
        wallet = home / "wallet.json"
        if not wallet.exists():
            write_key(wallet, self.wallets[number])
        arguments = [
            "join", self.run, "--url", self.url, "--wallet", str(wallet), "--home", str(home),
            "--data", str(self.work / "data"), "--network", "direct",
            "--name", f"client-{number}", "--parent", str(parent), "--keep-all", *more,
        ]  # fmt: skip
        bond = self.config.rewards.bond_lamports
        if bond:
            arguments += ["--bond-max", f"{bond / 10**9:.9f}"]
        if number == 0:
            arguments.append("--validate")
        return ClientProcess.start(f"client-{number}", home, arguments, module=module)


def demo_config(options: DemoOptions) -> files.Config:
    """The demo's run.toml with what the command line changes.

    Raises:
        ConfigError: the numbers do not fit together.
    """
    text = resources.files("psyche_client.demo").joinpath("run.toml").read_text()
    config = files.parse(text, source="the demo's run.toml")
    steps = options.rounds if options.rounds is not None else config.rounds.total_steps
    rounds = replace(
        config.rounds,
        total_steps=steps,
        epoch_rounds=max(1, -(-2 * steps // 3)),
        snapshot_rounds=min(config.rounds.snapshot_rounds, max(3, steps // 6)),
        overlap=options.overlap,
    )
    schedule = replace(
        config.training.schedule,
        warmup_steps=min(config.training.schedule.warmup_steps, max(0, steps - 1)),
    )
    training = replace(
        config.training,
        model=replace(config.training.model, init_seed=options.seed),
        schedule=schedule,
    )
    changed = replace(
        config,
        run=replace(
            config.run,
            # One of them will be killed, and the next epoch must start without it.
            init_min_members=max(1, options.clients - int(options.faults)),
            min_members=max(1, min(config.run.min_members, options.clients - int(options.faults))),
            capacity=max(config.run.capacity, -(-(options.clients + 1) // 8) * 8),
        ),
        rounds=rounds,
        training=training,
        data=replace(config.data, order_seed=options.seed),
    )
    return files.parse(files.dump(changed), source="the demo's options")


def prepare_corpus(config: files.Config, folder: Path, seed: int) -> Manifest:
    """Tokenised text of Python's own standard library; whole files are held out."""
    return prepare(
        stdlib_sources(),
        folder,
        vocab_size=config.data.vocabulary_tokens,
        bytes_max=config.data.text_bytes_max,
        held_out_fraction=config.data.held_out_percent / PERCENT,
        seed=seed,
        sequence_tokens=config.training.sequence_tokens,
    )


def set_stage(options: DemoOptions, work: Path, url: str) -> Stage:
    """Prepares data and model, and draws the wallets; nothing is on the chain yet."""
    config = demo_config(options)
    manifest = prepare_corpus(config, work / "data", options.seed)
    founding = found(config, manifest, model_uri=(work / "model.json").as_uri())
    write_durably(work / "model.json", founding.document.encode())
    save(work / "initial.safetensors", founding.initial, step=0, chain_hash=bytes(32))
    return Stage(
        work=work,
        config=config,
        founding=founding,
        owner=Keypair(),
        wallets=tuple(Keypair() for _ in range(options.clients + 1)),
        url=url,
    )


async def create_run(stage: Stage) -> None:
    """Fills the wallets, creates the run on chain and lets it wait for members."""
    address = pda.run_address(stage.owner.pubkey(), stage.config.run.id)
    async with Coordinator(stage.url, address, payer=stage.owner) as coordinator:
        await coordinator.airdrop(OWNER_LAMPORTS)
        for wallet in stage.wallets:
            await coordinator.airdrop(CLIENT_LAMPORTS, wallet.pubkey())
        await coordinator.create_run(stage.founding.args)
        await coordinator.resume()


def write_key(path: Path, key: Keypair) -> None:
    """Writes a wallet that only its owner may read, in the Solana CLI's form."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(list(bytes(key))))
