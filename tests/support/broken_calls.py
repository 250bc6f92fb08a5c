"""Calls with one thing wrong: a signature that is missing, an account that is another."""

from __future__ import annotations

from collections.abc import Iterator

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from support.actors import BOB, CAROL, ERIN, MALLORY, OLIVIA, TRIO
from support.instruction_table import Call
from support.program import World, sha

CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
NOBODY = Pubkey(sha(b"an address without an account"))


def with_account(instruction: Instruction, place: int, meta: AccountMeta) -> Instruction:
    """The instruction with another account in a place."""
    metas = list(instruction.accounts)
    metas[place] = meta
    return Instruction(instruction.program_id, instruction.data, metas)


def without_each_signer(call: Call, world: World) -> Iterator[tuple[str, Instruction]]:
    """The call with one signature missing, by the name of the account."""
    instruction = call.instruction(world)
    for place, meta in enumerate(instruction.accounts):
        if meta.is_signer:
            unsigned = AccountMeta(meta.pubkey, is_signer=False, is_writable=meta.is_writable)
            yield call.accounts[place], with_account(instruction, place, unsigned)


def without_each_write(call: Call, world: World) -> Iterator[tuple[str, Instruction]]:
    """The call with one account that cannot be written, by its name."""
    instruction = call.instruction(world)
    keys = [meta.pubkey for meta in instruction.accounts]
    for place, meta in enumerate(instruction.accounts):
        # What stands in two places can be written if it can in one of them.
        if meta.is_writable and keys.count(meta.pubkey) == 1:
            fixed = AccountMeta(meta.pubkey, is_signer=meta.is_signer, is_writable=False)
            yield call.accounts[place], with_account(instruction, place, fixed)


def with_each_account_swapped(
    call: Call, world: World, *, free: bool = False
) -> Iterator[tuple[str, Instruction]]:
    """The call with one account replaced by another, by the names of both.

    Without those that are as good, or with `free` those alone.
    """
    others = _other_run(world)
    instruction = call.instruction(world)
    for place, meta in enumerate(instruction.accounts):
        name = call.accounts[place]
        substitutes = {"a wallet": MALLORY.wallet, "nothing": NOBODY, "a sysvar": CLOCK}
        if not meta.is_signer:
            siblings = {"run": world.run_key, "roster": world.roster_key}
            siblings |= {"rounds": world.rounds_key, "participant": world.participant_key(CAROL)}
            siblings["pass"] = world.pass_key(CAROL)
            substitutes |= siblings | {f"other {key}": value for key, value in others.items()}
        for kind, key in substitutes.items():
            same_kind = kind == ("a wallet" if meta.is_signer else f"other {name}")
            if key == meta.pubkey or (name in call.free and same_kind) is not free:
                continue
            signs = meta.is_signer and kind == "a wallet"
            swapped = AccountMeta(key, is_signer=signs, is_writable=meta.is_writable)
            yield f"{name} by {kind}", with_account(instruction, place, swapped)


def _other_run(world: World) -> dict[str, Pubkey]:
    """The accounts of another run of alice's, with the same actors in it."""
    own, capacity, settings = world.run_id, world.capacity, world.config
    world.name_run("other")
    world.given_run(join_authority=OLIVIA.wallet)
    for actor in dict.fromkeys((*TRIO, ERIN, *world.members)):
        world.issue_pass(actor, OLIVIA)
    world.join_all()
    keys = {"run": world.run_key, "roster": world.roster_key, "rounds": world.rounds_key}
    keys["participant"] = world.participant_key(BOB)
    keys["pass"] = world.pass_key(ERIN)
    world.name_run(own)
    world.capacity, world.config = capacity, settings
    return keys
