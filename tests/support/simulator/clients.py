"""Virtual clients: what each of them does of what it should, and what it should not."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import numpy as np
from solders.pubkey import Pubkey

from psyche_sdk import instructions as build
from psyche_sdk._generated.pdas import participant_address
from psyche_sdk._rules.hashing import bit_field
from psyche_sdk.views import MemberState, decode_participant, node_uri
from support.actors import ALICE, Actor
from support.program import sha
from support.simulator import filters
from support.simulator.chain import SimulatedChain
from support.simulator.snapshot import Snapshot

GONE = (MemberState.EMPTY, MemberState.LEFT, MemberState.DROPPED, MemberState.EJECTED)
NOBODY = Pubkey.default()
#: An address without an account: a small bond would leave it below its rent.
NOWHERE = Pubkey(sha(b"nowhere"))
UNREADY = (MemberState.JOINED, MemberState.BEHIND)


@dataclass(frozen=True)
class Habits:
    """How likely a client does what it should, each time.

    Attributes:
        holds: the part of the payloads that it gets.
        honest: how likely it attests what it holds, and says the digest that it has.
    """

    trains: float = 0.99
    attests: float = 0.99
    votes: float = 0.95
    holds: float = 0.98
    honest: float = 1.0
    stays: float = 0.998


HABITS = {
    "honest": Habits(),
    "dead": Habits(trains=0, attests=0, votes=0, stays=1),
    "silent trainer": Habits(trains=0.1),
    "silent witness": Habits(attests=0.1, votes=0.5),
    "liar": Habits(honest=0.2),
    "flaky": Habits(trains=0.6, attests=0.6, votes=0.6, holds=0.5, stays=0.9),
}
#: Of a hundred clients so many are of a kind.
MIX = {"honest": 74, "dead": 4, "silent trainer": 5, "silent witness": 6, "liar": 5, "flaky": 6}


@dataclass
class Client:
    """Somebody with a wallet, and what it believes about its slot."""

    actor: Actor
    habits: Habits
    slot: int = 0

    def state(self, now: Snapshot) -> MemberState:
        """Its state in the run, `EMPTY` if it holds no slot."""
        entry = now.entries[self.slot]
        mine = entry["wallet"].tobytes() == bytes(self.actor.wallet)
        return MemberState(entry["state"]) if mine else MemberState.EMPTY

    def is_member(self, now: Snapshot) -> bool:
        """Whether it holds a slot."""
        return self.state(now) not in GONE


def draw_habits(rng: random.Random) -> Habits:
    """Those of one more client."""
    return HABITS[rng.choices(list(MIX), list(MIX.values()))[0]]


def lies(world: SimulatedChain, client: Client, about: str) -> bool:
    """Whether a client says something false this time."""
    false = world.rng.random() > client.habits.honest
    world.met[f"lie: {about}"] += false
    return false


def flag(world: SimulatedChain) -> bool:
    """Whether a message also makes what is due."""
    return world.rng.random() < 0.3


def join(world: SimulatedChain, client: Client) -> None:
    """Takes a free slot, or tries one that may not be free."""
    rng, now = world.rng, world.now
    free = now.slots(*GONE)
    slot = rng.choice(free) if free and rng.random() < 0.95 else rng.randrange(now.capacity)
    args = build.JoinArgs(
        slot=slot,
        weight=rng.choice([1, 10, 100, 100, 300, 1_000]),
        node_key=client.actor.node_key,
        address="a" * rng.choice([0, 20, 96]),
        bond_lamports_max=rng.choice([2**64 - 1, 2**64 - 1, world.config.bond_lamports, 1_000]),
    )
    if world.attempt("join", client.actor, args):
        client.slot = slot


def collect(world: SimulatedChain, client: Client) -> None:
    """Collects from a slot, of itself or of whoever has it, perhaps into a wrong account."""
    rng, now = world.rng, world.now
    slot = client.slot if rng.random() < 0.3 else rng.randrange(now.capacity)
    wallet = Pubkey(now.entries[slot]["wallet"].tobytes())
    if wallet == NOBODY or rng.random() < 0.05:
        wallet = client.actor.wallet
    holder = participant_address(run=world.run_key, wallet=wallet)
    if not world.data(holder):
        return
    named = Pubkey(decode_participant(world.data(holder)).payee)
    payee = rng.choice([named, named, named, None, client.actor.wallet])
    args = build.CollectArgs(slot=slot)
    world.attempt("collect", client.actor, args, participant=holder, payee=payee)


def name_payee(world: SimulatedChain, client: Client) -> None:
    """Its bond goes elsewhere: also to what cannot take it."""
    mine = world.participant_key(client.actor)
    if not world.data(mine):
        return
    to = [client.actor.wallet, ALICE.wallet, world.run_key, world.roster_key, mine, NOWHERE]
    world.attempt("set_payee", client.actor, build.SetPayeeArgs(payee=world.rng.choice(to)))


def close(world: SimulatedChain, client: Client) -> None:
    """Closes its account, if nothing is left on the roster."""
    if world.data(world.participant_key(client.actor)):
        held = decode_participant(world.data(world.participant_key(client.actor)))
        world.attempt("close_participant", client.actor, payee=Pubkey(held.payee))


def place(world: SimulatedChain, client: Client) -> build.MemberArgs:
    """(epoch, round, slot) as the client believes."""
    epoch, round_ = world.now.key
    return build.MemberArgs(epoch=epoch, round=round_, slot=client.slot)


def ready(world: SimulatedChain, client: Client) -> None:
    """Has followed: from the agreed state or a snapshot."""
    now, here = world.now, place(world, client)
    states = [now.run["agreed"], *now.run["snapshots"]]
    base = world.rng.choice([one for one in states if one["valid"]])
    told = {"digest": base["digest"].tobytes(), "chain_hash": now.hash("chain_hash")}
    if lies(world, client, "chain hash"):
        told["chain_hash"] = sha(b"another history")
    numbers = {"digest_epoch": int(base["epoch"]), "digest_round": int(base["round"])}
    args = build.ReadyArgs(epoch=here.epoch, round=here.round, slot=here.slot, **numbers, **told)
    world.attempt("ready", client.actor, args, transition=flag(world))


def go(world: SimulatedChain, client: Client) -> None:
    """Leaves, or says that it is behind."""
    name = world.rng.choice(["leave", "behind"])
    world.attempt(name, client.actor, place(world, client), transition=flag(world))


def set_weight(world: SimulatedChain, client: Client) -> None:
    """Says that it is faster or slower than it said."""
    args = build.SetWeightArgs(slot=client.slot, weight=world.rng.choice([0, 1, 7, 500, 1_001]))
    world.attempt("set_weight", client.actor, args)


def commit(world: SimulatedChain, client: Client) -> None:
    """Commits to a payload, mostly a good one."""
    rng, here = world.rng, place(world, client)
    payload = sha(bytes(client.actor.wallet), bytes(f"{here.epoch}/{here.round}", "ascii"))
    args = build.CommitArgs(
        epoch=here.epoch,
        round=here.round,
        slot=here.slot,
        commitment=payload,
        bytes=1_000,
        loss_micronats=rng.randrange(2**32),
        tokens=rng.randrange(2**32),
        train_milliseconds=rng.randrange(2**32),
    )
    if lies(world, client, "payload"):
        odd = [{"commitment": bytes(32)}, {"commitment": sha(b"copied")}, {"bytes": 2**32 - 1}]
        args = replace(args, **rng.choice(odd))
    world.attempt("commit", client.actor, args, transition=flag(world))


def attest(world: SimulatedChain, client: Client, *, surely_lies: bool = False) -> None:
    """Says which committed payloads it holds; a liar says anything."""
    rng, target = world.rng, world.now.target
    if target is None:
        return
    done = np.flatnonzero(target.bits("committed")).tolist()
    held = [slot for slot in done if rng.random() < client.habits.holds]
    lying = lies(world, client, "bits") or surely_lies
    if world.config.attestation_kind:
        bits = filters.filter_of(world, target, client.slot, held, lying=lying)
    else:
        others = [done, [], done[: len(done) // 2], [rng.randrange(world.capacity)]]
        bits = bit_field(rng.choice(others) if lying else held, world.capacity)
    epoch, round_ = target.key
    args = build.AttestArgs(
        epoch=epoch, round=round_, slot=client.slot, bits=bits, custody_root=bytes(32)
    )
    world.attempt("attest", client.actor, args, transition=flag(world))


def digest(world: SimulatedChain, client: Client) -> bytes:
    """The digest of the parameters that it has."""
    vote = world.now.run["vote"]
    right = sha(b"parameters", vote["chain_hash"].tobytes())
    return sha(b"others") if lies(world, client, "digest") else right


def seal(world: SimulatedChain, client: Client) -> None:
    """Seals its word in the open vote."""
    vote = world.now.run["vote"]
    word = sha(digest(world, client), bytes(client.actor.wallet))
    where = {"epoch": int(vote["epoch"]), "round": int(vote["round"])}
    args = build.AttestStateArgs(slot=client.slot, vote=word, **where)
    world.attempt("attest_state", client.actor, args)


def publish(world: SimulatedChain, client: Client) -> None:
    """Says where the agreed parameters lie, mostly at its own node."""
    uri = world.rng.choice([node_uri(client.actor.node_key)] * 8 + ["", "a b", "a" * 97])
    epoch = world.now.number("epoch")
    args = build.PublishCheckpointArgs(epoch=epoch, slot=client.slot, uri=uri)
    world.attempt("publish_checkpoint", client.actor, args)


def confirm(world: SimulatedChain, client: Client) -> None:
    """Says that it fetched what was published."""
    place, epoch = world.rng.choice([0, 0, 0, 1, 1, 2]), world.now.number("epoch")
    args = build.ConfirmCheckpointArgs(epoch=epoch, slot=client.slot, place=place)
    world.attempt("confirm_checkpoint", client.actor, args)


def reveal(world: SimulatedChain, client: Client) -> None:
    """Opens its word."""
    vote = world.now.run["vote"]
    where = {"epoch": int(vote["epoch"]), "round": int(vote["round"])}
    args = build.RevealStateArgs(slot=client.slot, digest=digest(world, client), **where)
    world.attempt("reveal_state", client.actor, args)
