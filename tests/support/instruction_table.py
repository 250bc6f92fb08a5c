"""Each instruction's valid call, in a world where it succeeds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from psyche_sdk import instructions as build
from psyche_sdk.errors import ProgramError
from psyche_sdk.program_errors import NoOpenVote, WrongPhase, WrongRound
from psyche_sdk.views import Phase
from support.actors import ALICE, BOB, CAROL, DAVE, ERIN, FAUCET, MALLORY, OLIVIA, Actor
from support.call_args import (
    checkpoint_args,
    collect_args,
    config_args,
    endpoint_args,
    holder,
    join_args,
    missing_args,
    model_args,
    pass_args,
    payee_args,
    rates_args,
    reveal_args,
    seal_args,
    weight_args,
)
from support.call_worlds import (
    attestable,
    clear,
    closable,
    confirmable,
    created,
    enterable,
    hanging,
    old_participant,
    old_run,
    owing,
    paused,
    permitted_not_yet,
    permitting,
    proposed,
    publishable,
    returning,
    revealing,
    training,
    voting,
    withholding,
)
from support.program import World, world_at
from support.program_chain import Sent
from support.program_checkpoints import confirm_args, publish_args
from support.verifying import auditing, bobs_opening, bobs_seal, bobs_verdict, judging, opening

IDL: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "idl/coordinator.json").read_text()
)
ACCOUNTS: dict[str, list[str]] = {
    one["name"]: [account["name"] for account in one["accounts"]] for one in IDL["instructions"]
}
EVERY_PHASE = frozenset(Phase)
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

    def instruction(self, world: World, args: Any = None, **more: Any) -> Instruction:
        """The instruction as the run stands, or with other arguments or accounts."""
        given = self.args(world) if args is None else args
        more = self.more(world) | more
        if self.payer is not None:
            more["payer"] = self.payer.wallet
        return world.instruction(self.name, self.actor, given, **more)

    def send(self, world: World, args: Any = None, *, only_try: bool = False) -> Sent:
        """Sends it, signed by all who must; somebody else pays the fee."""
        return send_as_named(world, self.instruction(world, args), only_try=only_try)


def send_as_named(world: World, instruction: Instruction, *, only_try: bool = False) -> Sent:
    """Sends an instruction, signed by those whose signature its accounts ask for."""
    named = {meta.pubkey for meta in instruction.accounts if meta.is_signer}
    signers = [actor for actor in EVERYBODY if actor.wallet in named and actor != FAUCET]
    return world.send(instruction, signers=[FAUCET, *signers], only_try=only_try)


def arguments(name: str) -> list[str]:
    """The names of an instruction's arguments, in order; of a struct's fields with a dot."""
    (found,) = [one for one in IDL["instructions"] if one["name"] == name]
    return [path for one in found["args"] for path in _paths(one["type"], one["name"])]


def _paths(ty: Any, path: str) -> list[str]:
    """A configuration is one argument: it has tests of its own."""
    if not isinstance(ty, dict) or ty.get("defined", {}).get("name") in (None, "RunConfig"):
        return [path]
    (struct,) = [one for one in IDL["types"] if one["name"] == ty["defined"]["name"]]
    above = "" if path == "args" else f"{path}."
    fields = struct["type"]["fields"]
    return [found for one in fields for found in _paths(one["type"], above + one["name"])]


P = Phase
RUN, PAYER = frozenset({"run"}), frozenset({"payer"})
VERIFIED = frozenset({P.TRAIN, P.WITNESS, P.COOLDOWN})
RUNNING = frozenset({P.WARMUP, P.TRAIN, P.WITNESS, P.COOLDOWN})
CALLS = (
    Call("create_run", World, ALICE, World.create_args, free=PAYER, payer=DAVE),
    Call("allocate", created, ALICE),
    # Alice owns the other run, too: there she may do the same.
    Call("update_config", paused, ALICE, config_args, frozenset({P.PAUSED}), free=RUN),
    Call("update_model", paused, ALICE, model_args, frozenset({P.PAUSED}), free=RUN),
    Call(
        "update_metadata",
        training,
        ALICE,
        lambda _: build.UpdateMetadataArgs(metadata="a" * 256),
        free=RUN,
    ),
    Call("set_rates", training, ALICE, rates_args, free=RUN),
    Call(
        "set_authority",
        training,
        ALICE,
        lambda _: build.SetAuthorityArgs(proposed=ERIN.wallet),
        free=RUN,
    ),
    Call("accept_authority", proposed, ERIN),
    Call(
        "set_join_authority",
        training,
        ALICE,
        lambda _: build.SetJoinAuthorityArgs(join_authority=OLIVIA.wallet),
        free=RUN,
    ),
    Call("set_payee", training, BOB, payee_args, free=frozenset({"participant"})),
    Call("set_checkpoint", paused, ALICE, checkpoint_args, frozenset({P.PAUSED})),
    Call("resume", paused, ALICE, phases=frozenset({P.PAUSED})),
    Call("pause", training, ALICE, phases=EVERY_PHASE - {P.PAUSED}),
    Call("abort", hanging, ALICE, phases=RUNNING),
    Call("close_run", closable, ALICE, phases=frozenset({P.PAUSED, P.FINISHED})),
    Call("join", paused, ERIN, join_args, free=PAYER, payer=DAVE),
    Call("join", permitting, ERIN, join_args, free=PAYER, payer=DAVE),
    Call("join", returning, ERIN, join_args, free=PAYER, payer=DAVE),
    Call("issue_pass", permitted_not_yet, OLIVIA, pass_args, free=PAYER, payer=DAVE),
    Call("issue_pass", permitting, OLIVIA, pass_args, free=PAYER, payer=DAVE),
    Call(
        "revoke_pass",
        permitting,
        OLIVIA,
        more=lambda w: {"rent_payer": DAVE.wallet, "pass_": w.pass_key(ERIN)},
    ),
    Call("collect", owing, FAUCET, collect_args, more=holder),
    Call(
        "close_participant",
        clear,
        BOB,
        more=lambda _: {"payee": BOB.wallet},
    ),
    Call("set_endpoint", training, BOB, endpoint_args),
    Call("set_weight", training, BOB, weight_args),
    Call("ready", lambda: world_at(P.WARMUP), BOB, lambda w: w.ready_args(BOB)),
    Call("behind", training, BOB, lambda w: w.here(BOB)),
    Call("leave", training, BOB, lambda w: w.here(BOB)),
    Call("tick", enterable, FAUCET),
    Call("migrate", old_run, FAUCET),
    Call("migrate_participant", old_participant, FAUCET),
    Call("commit", training, BOB, lambda w: w.commit_args(BOB), frozenset({P.TRAIN})),
    Call("attest", attestable, BOB, lambda w: w.attest_args(BOB, []), frozenset({P.WITNESS})),
    Call("attest_state", voting, BOB, seal_args, frozenset({P.COOLDOWN}), NoOpenVote),
    Call("reveal_state", revealing, BOB, reveal_args, frozenset({P.COOLDOWN}), NoOpenVote),
    Call("missing", withholding, BOB, missing_args, VERIFIED, WrongRound),
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
