"""Accounts as version 1 of the program left them: raw bytes, and worlds that stand on them."""

from __future__ import annotations

import json
from pathlib import Path

from solders.account import Account
from solders.pubkey import Pubkey

from psyche_sdk._generated._program import PROGRAM_ID
from support.actors import BOB, CAROL, DAVE, ERIN
from support.program import World
from support.program_chain import Moment

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "version-1"
NAMES: dict[str, dict[str, dict[str, int | str]]] = json.loads(
    (FOLDER / "accounts.json").read_text()
)


def old_accounts(which: str) -> dict[Pubkey, Account]:
    """The accounts of one of the two runs, `training` or `paused`."""
    found = {}
    for name, facts in NAMES[which].items():
        data = (FOLDER / f"{which}-{name}.bin").read_bytes()
        lamports = int(facts["lamports"])
        found[Pubkey.from_string(str(facts["address"]))] = Account(
            lamports, data, PROGRAM_ID, executable=False
        )
    return found


def old_world(which: str) -> World:
    """A world on a run of version 1, with the present program and the clock where it stood."""
    world = World((BOB, CAROL, DAVE, ERIN) if which == "training" else (BOB, CAROL, DAVE))
    world.name_run(which)
    for address, account in old_accounts(which).items():
        world.svm.set_account(address, account)
    return world


def set_clock(world: World) -> None:
    """The time of the run's last phase, and the capacity and configuration that it has."""
    run = world.run
    started = run.phase_started
    world.moment = Moment(started.time + 1, started.chain_slot + 3)
    world.capacity, world.config = run.capacity, run.config
    world.set_time()
