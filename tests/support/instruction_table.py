"""Each instruction's valid call, in a world where it succeeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from psyche_sdk import instructions as build
from psyche_sdk.errors import ProgramError
from psyche_sdk.program_errors import NoOpenVote, WrongPhase
from psyche_sdk.views import Phase
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN, FAUCET, MALLORY, OLIVIA, TRIO, Actor
from support.program import World, config, sha, world_at
from support.program_chain import Sent
from support.program_checkpoints import confirm_args, publish, publish_args
from support.verifying import auditing, bobs_opening, bobs_seal, bobs_verdict, judging, opening

IDL: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "idl/coordinator.json").read_text()
)
ACCOUNTS: dict[str, list[str]] = {
    one["name"]: [account["name"] for account in one["accounts"]] for one in IDL["instructions"]
}
EVERY_PHASE = frozenset(Phase)
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
NOBODY = Pubkey(sha(b"an address without an account"))
EVERYBODY = (ALICE, BOB, CAROL, DAVE, ERIN, FAUCET, MALLORY, OLIVIA)


@dataclass(frozen=True)
class Call:
    """A valid call of an instruction.

    Attributes:
        given: a new world in which it succeeds.
        args: what it is given, as the run stands.
        phases: where it is allowed; elsewhere it is refused with `refusal`.
        free: accounts in whose place another of the same kind is as good.
        payer: who pays, where the instruction names it apart from who acts.
        more: accounts that do not follow from who acts.
    """

    name: str
    given: Callable[[], World]
    actor: Actor
    args: Callable[[World], Any] = lambda _: None
    phases: frozenset[Phase] = EVERY_PHASE
    refusal: type[ProgramError] = WrongPhase
    free: frozenset[str] = field(default_factory=frozenset)
    payer: Actor | None = None
    more: Callable[[World], dict[str, Pubkey]] = lambda _: {}

    @property
    def accounts(self) -> list[str]:
        """The names of its accounts, in order."""
        return ACCOUNTS[self.name]

    def instruction(self, world: World, args: Any = None) -> Instruction:
        """The instruction as the run stands, or with other arguments."""
        given = self.args(world) if args is None else args
        more = self.more(world)
        if self.payer is not None:
            more["payer"] = self.payer.wallet
        return world.instruction(self.name, self.actor, given, **more)

    def send(self, world: World, args: Any = None) -> Sent:
        """Sends it, signed by all who must; somebody else pays the fee."""
        return send_as_named(world, self.instruction(world, args))


def send_as_named(world: World, instruction: Instruction) -> Sent:
    """Sends an instruction, signed by those whose signature its accounts ask for."""
    named = {meta.pubkey for meta in instruction.accounts if meta.is_signer}
    signers = [actor for actor in EVERYBODY if actor.wallet in named and actor != FAUCET]
    return world.send(instruction, signers=[FAUCET, *signers])


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


def with_each_account_swapped(call: Call, world: World) -> Iterator[tuple[str, Instruction]]:
    """The call with one account replaced by another, by the names of both."""
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
            same_kind = kind in ("a wallet", f"other {name}")
            if key == meta.pubkey or (name in call.free and same_kind):
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


# Worlds


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


DIGEST_AFTER = sha(b"after")


# Arguments


def _seal_args(world: World) -> build.AttestStateArgs:
    vote = world.run.vote
    epoch, number = (vote.epoch, vote.round) if vote else (world.run.epoch, world.run.round)
    word = sha(DIGEST_AFTER, bytes(BOB.wallet))
    return build.AttestStateArgs(epoch=epoch, round=number, slot=world.member(BOB).slot, vote=word)


def _reveal_args(world: World) -> build.RevealStateArgs:
    seal = _seal_args(world)
    return build.RevealStateArgs(
        epoch=seal.epoch, round=seal.round, slot=seal.slot, digest=DIGEST_AFTER
    )


def _join_args(_: World) -> build.JoinArgs:
    return build.JoinArgs(
        slot=7, weight=100, node_key=ERIN.node_key, address="host:1", bond_lamports_max=10**9
    )


def _endpoint_args(world: World) -> build.SetEndpointArgs:
    slot = world.member(BOB).slot
    return build.SetEndpointArgs(slot=slot, node_key=sha(b"new node"), address="host:2")


def _weight_args(world: World) -> build.SetWeightArgs:
    return build.SetWeightArgs(slot=world.member(BOB).slot, weight=50)


def _config_args(_: World) -> build.UpdateConfigArgs:
    return build.UpdateConfigArgs(config=config(total_steps=99), reset_positions=False)


def _model_args(_: World) -> build.UpdateModelArgs:
    return build.UpdateModelArgs(model_hash=sha(b"other model"), model_uri="")


def _payee_args(_: World) -> build.SetPayeeArgs:
    return build.SetPayeeArgs(payee=OLIVIA.wallet)


def _pass_args(world: World) -> build.IssuePassArgs:
    return build.IssuePassArgs(wallet=ERIN.wallet, expiry=world.moment.time + 2_000)


def _collect_args(_: World) -> build.CollectArgs:
    return build.CollectArgs(slot=0)


def _holder(world: World) -> dict[str, Pubkey]:
    return {"participant": world.participant_key(BOB), "payee": BOB.wallet}


def _rates_args(_: World) -> build.SetRatesArgs:
    return build.SetRatesArgs(
        points_per_sequence=1, points_per_attestation=2, points_per_verdict=2**32 - 1
    )


def _checkpoint_args(_: World) -> build.SetCheckpointArgs:
    return build.SetCheckpointArgs(digest=DIGEST_AFTER, uri="")


def proposed() -> World:
    """A run of alice's whose next owner shall be erin."""
    world = paused()
    world.do("set_authority", ALICE, build.SetAuthorityArgs(proposed=ERIN.wallet))
    return world


def _training() -> World:
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
    world = _training()
    return older(world, world.run_key, world.roster_key, world.rounds_key)


def old_participant() -> World:
    """A training run in which bob's own account was not migrated yet."""
    world = _training()
    return older(world, world.participant_key(BOB))


P = Phase
RUN, PAYER = frozenset({"run"}), frozenset({"payer"})
VERIFIED = frozenset({P.TRAIN, P.WITNESS, P.COOLDOWN})
RUNNING = frozenset({P.WARMUP, P.TRAIN, P.WITNESS, P.COOLDOWN})
CALLS = (
    Call("create_run", World, ALICE, World.create_args, free=PAYER, payer=DAVE),
    Call("allocate", created, ALICE),
    # Alice owns the other run, too: there she may do the same.
    Call("update_config", paused, ALICE, _config_args, frozenset({P.PAUSED}), free=RUN),
    Call("update_model", paused, ALICE, _model_args, frozenset({P.PAUSED}), free=RUN),
    Call(
        "update_metadata",
        _training,
        ALICE,
        lambda _: build.UpdateMetadataArgs(metadata="a" * 256),
        free=RUN,
    ),
    Call("set_rates", _training, ALICE, _rates_args, free=RUN),
    Call(
        "set_authority",
        _training,
        ALICE,
        lambda _: build.SetAuthorityArgs(proposed=ERIN.wallet),
        free=RUN,
    ),
    Call("accept_authority", proposed, ERIN),
    Call(
        "set_join_authority",
        _training,
        ALICE,
        lambda _: build.SetJoinAuthorityArgs(join_authority=OLIVIA.wallet),
        free=RUN,
    ),
    Call("set_payee", _training, BOB, _payee_args, free=frozenset({"participant"})),
    Call("set_checkpoint", paused, ALICE, _checkpoint_args, frozenset({P.PAUSED})),
    Call("resume", paused, ALICE, phases=frozenset({P.PAUSED})),
    Call("pause", _training, ALICE, phases=EVERY_PHASE - {P.PAUSED}),
    Call("abort", hanging, ALICE, phases=RUNNING),
    Call("close_run", closable, ALICE, phases=frozenset({P.PAUSED, P.FINISHED})),
    Call("join", paused, ERIN, _join_args, free=PAYER, payer=DAVE),
    Call("join", permitting, ERIN, _join_args, free=PAYER, payer=DAVE),
    Call("issue_pass", permitted_not_yet, OLIVIA, _pass_args, free=PAYER, payer=DAVE),
    Call("issue_pass", permitting, OLIVIA, _pass_args, free=PAYER, payer=DAVE),
    Call(
        "revoke_pass",
        permitting,
        OLIVIA,
        more=lambda w: {"rent_payer": DAVE.wallet, "pass_": w.pass_key(ERIN)},
    ),
    Call("collect", owing, FAUCET, _collect_args, more=_holder),
    Call(
        "close_participant",
        clear,
        BOB,
        more=lambda _: {"payee": BOB.wallet},
    ),
    Call("set_endpoint", _training, BOB, _endpoint_args),
    Call("set_weight", _training, BOB, _weight_args),
    Call("ready", lambda: world_at(P.WARMUP), BOB, lambda w: w.ready_args(BOB)),
    Call("behind", _training, BOB, lambda w: w.here(BOB)),
    Call("leave", _training, BOB, lambda w: w.here(BOB)),
    Call("tick", enterable, FAUCET),
    Call("migrate", old_run, FAUCET),
    Call("migrate_participant", old_participant, FAUCET),
    Call("commit", _training, BOB, lambda w: w.commit_args(BOB), frozenset({P.TRAIN})),
    Call("attest", attestable, BOB, lambda w: w.attest_args(BOB, []), frozenset({P.WITNESS})),
    Call("attest_state", voting, BOB, _seal_args, frozenset({P.COOLDOWN}), NoOpenVote),
    Call("reveal_state", revealing, BOB, _reveal_args, frozenset({P.COOLDOWN}), NoOpenVote),
    Call("verdict", auditing, BOB, bobs_verdict, VERIFIED),
    Call("seal_verdict", judging, BOB, bobs_seal, VERIFIED),
    Call("open_verdict", opening, BOB, bobs_opening, VERIFIED),
    Call(
        "publish_checkpoint",
        publishable,
        BOB,
        lambda w: publish_args(w, BOB),
        frozenset({P.COOLDOWN}),
    ),
    Call(
        "confirm_checkpoint",
        confirmable,
        BOB,
        lambda w: confirm_args(w, BOB),
        frozenset({P.COOLDOWN}),
    ),
)
