"""Worlds in which an instruction succeeds, by what can be done in them."""

from __future__ import annotations

from solders.pubkey import Pubkey

from psyche_sdk import instructions as build
from psyche_sdk.views import Phase
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN, OLIVIA, TRIO
from support.program import World, sha, world_at
from support.program_checkpoints import publish

#: What the members agree on, where they do.
DIGEST_AFTER = sha(b"after")


def created() -> World:
    """A run that is not complete yet."""
    world = World()
    world.do("create_run", ALICE, world.create_args())
    return world


def paused() -> World:
    """A complete run without members."""
    return world_at(Phase.PAUSED)


def closable() -> World:
    """The same, a slot after its creation."""
    world = paused()
    world.pass_time(slots=1)
    return world


def permitting() -> World:
    """A run that erin needs a pass of olivia's for; dave paid for it."""
    world = World()
    world.given_run(join_authority=OLIVIA.wallet)
    args = build.IssuePassArgs(wallet=ERIN.wallet, expiry=world.moment.time + 1_000)
    issue = world.instruction("issue_pass", OLIVIA, args, payer=DAVE.wallet)
    world.send(issue, signers=[DAVE, OLIVIA])
    return world


def returning() -> World:
    """Erin was a member once, with a pass that is good still."""
    world = permitting()
    world.join(ERIN)
    world.leave(ERIN)
    world.members.remove(ERIN)
    return world


def permitted_not_yet() -> World:
    """A run that wallets need passes of olivia's for."""
    world = World()
    world.given_run(join_authority=OLIVIA.wallet)
    return world


def owing() -> World:
    """Bob paid a bond and left; no record names its slot."""
    world = World()
    world.given_run(bond_lamports=2_000_000)
    world.join_all()
    world.leave(BOB)
    return world


def clear() -> World:
    """Bob was a member once, and nothing is left on the roster."""
    world = owing()
    world.collect(0, BOB)
    return world


def hanging() -> World:
    """A round in which nobody did anything for very long."""
    world = world_at(Phase.TRAIN)
    world.pass_seconds(11 * world.config.train_seconds)
    return world


def attestable() -> World:
    """Everybody committed, and the witnesses are drawn."""
    world = world_at(Phase.WITNESS)
    world.store_entropy()
    return world


def withholding() -> World:
    """A round has settled, and the next one trains."""
    world = world_at(Phase.WITNESS)
    while world.run.round == 0:
        world.step()
    return world


def voting() -> World:
    """Everybody may seal a word."""
    return world_at(Phase.COOLDOWN, total_steps=1)


def revealing() -> World:
    """Everybody sealed one."""
    world = voting()
    for actor in TRIO:
        world.seal(actor, DIGEST_AFTER)
    return world


def publishable() -> World:
    """Everybody said the same, and half of Cooldown went by: each of them may publish."""
    world = voting()
    world.vote_all(DIGEST_AFTER)
    world.pass_seconds(world.config.cooldown_seconds // 2)
    world.tick()
    return world


def confirmable() -> World:
    """Carol published."""
    world = publishable()
    publish(world, CAROL)
    return world


def enterable() -> World:
    """Warmup, with the entropy due."""
    world = world_at(Phase.WARMUP)
    world.pass_time(slots=3)
    return world


def proposed() -> World:
    """A run of alice's whose next owner shall be erin."""
    world = paused()
    world.do("set_authority", ALICE, build.SetAuthorityArgs(proposed=ERIN.wallet))
    return world


def training() -> World:
    return world_at(Phase.TRAIN)


def older(world: World, *keys: Pubkey) -> World:
    """The same world with accounts of the layout version before."""
    for key in keys:
        data = bytearray(world.data(key))
        data[8] = 1
        world.poke(key, bytes(data))
    return world


def old_run() -> World:
    """A training run whose three accounts are of the layout version before."""
    world = training()
    return older(world, world.run_key, world.roster_key, world.rounds_key)


def old_participant() -> World:
    """A training run in which bob's own account was not migrated yet."""
    world = training()
    return older(world, world.participant_key(BOB))
