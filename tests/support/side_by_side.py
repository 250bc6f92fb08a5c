"""The program on LiteSVM and the model of the protocol, doing the same and compared after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from solders.clock import Clock
from solders.pubkey import Pubkey

from psyche_sdk._generated.pdas import participant_address
from psyche_sdk.errors import ProgramError
from support.actors import ALICE, FAUCET, Actor
from support.model import Model, Moment, State, acts, machine
from support.model import owner as owner_acts
from support.model.agreed import Agreed
from support.model.expected import expect_roster, expect_rounds, expect_run
from support.model.money import expect_holder
from support.model.observed import observe_holder, observe_roster, observe_rounds, observe_run
from support.model.state import Entry
from support.model.words import sha
from support.program import DIGEST, MODEL_URI, World
from support.program_chain import slot_hash


class DiffersError(AssertionError):
    """The program and the model are not of one opinion."""


#: Slot hashes that the chain keeps.
WINDOW = 512


class SkippingWorld(World):
    """A chain on which the blocks of some slots are missing."""

    def __init__(self, members: Sequence[Actor]) -> None:
        self.skipped: set[int] = set()
        self.hashes: dict[int, bytes] = {}
        super().__init__(members)

    def set_time(self) -> None:
        """Tells the chain its slot, its time, and the hashes of the slots before."""
        time, chain_slot = self.moment
        old = self.svm.get_clock()
        self.svm.set_clock(Clock(chain_slot, time, old.epoch, old.leader_schedule_epoch, time))
        blocks = (slot for slot in range(chain_slot - 1, 0, -1) if slot not in self.skipped)
        kept = [(slot, slot_hash(slot)) for slot in islice(blocks, WINDOW)]
        self.svm.set_slot_hashes(kept)
        self.hashes = {slot: bytes(found) for slot, found in kept}


class Pair:
    """A run on the chain, and the model of it."""

    def __init__(self, members: Sequence[Actor], *, capacity: int = 8, **config: Any) -> None:
        self.world = SkippingWorld(members)
        self.world.given_run(capacity=capacity, **config)
        self.model = Model(self._new_state())
        self.met: Counter[str] = Counter()
        self.compare("creation")

    def _new_state(self) -> State:
        """A new run (PROTOCOL.md sections 2, 4, 11)."""
        world = self.world
        slot = world.moment.chain_slot
        instance = sha(bytes(world.run_key), slot.to_bytes(8, "little"))
        first = sha(b"psyche", instance)
        entries = [Entry() for _ in range(world.capacity)]
        owner_key = bytes(ALICE.wallet)
        agreed = Agreed(0, 0, 0, DIGEST, first)
        return State(
            world.capacity, world.config, owner_key, instance, first, agreed, entries,
            (sha(b"model"), MODEL_URI), began=Moment(*world.moment),
        )  # fmt: skip

    @property
    def state(self) -> State:
        """The model's state."""
        return self.model.state

    @property
    def now(self) -> Moment:
        """The chain's clock and slot."""
        return Moment(*self.world.moment)

    @property
    def hashes(self) -> dict[int, bytes]:
        """The hashes that the chain keeps, by slot."""
        return self.world.hashes

    def pass_time(self, *, seconds: int = 0, slots: int = 0, skipped: int = 0) -> None:
        """The clock goes (also backwards), slots go by, the last ones without a block."""
        end = self.world.moment.chain_slot + slots
        self.world.skipped |= set(range(end - min(skipped, slots), end))
        self.world.pass_time(seconds=seconds, slots=slots)

    def act(
        self,
        name: str,
        actor: Actor,
        args: Any,
        change: Callable[..., None],
        *given: Any,
        **more: Any,
    ) -> bool:
        """The same on both sides; whether it succeeded."""
        reasons = self.model.act(change, *given)
        try:
            self.world.do(name, actor, args, **more)
            refusal = None
        except ProgramError as error:
            refusal = error.name
        if (refusal is not None or reasons) and refusal not in reasons:
            where = f"{self.state.phase.name} {self.state.epoch}.{self.state.round} at {self.now}"
            raise DiffersError(
                f"{name} by {actor.name}: program {refusal}, model {set(reasons)}; {where}"
            )
        self.met[f"{name}: {refusal or 'ok'}"] += 1
        self.compare(name)
        return refusal is None

    def close(self, owner: Actor) -> None:
        """The run is closed on both sides, and nothing of it stays on the chain."""
        reasons = self.model.act(owner_acts.close_run, bytes(owner.wallet), self.now)
        assert not reasons, reasons
        self.world.do("close_run", owner)
        keys = (self.world.run_key, self.world.roster_key, self.world.rounds_key)
        assert not any(map(self.world.data, keys))
        self.met["close_run: ok"] += 1

    def compare(self, what: str) -> None:
        """Every field that both know is the same."""
        world, state = self.world, self.state
        pairs: dict[str, tuple[Any, Any]] = {
            "run": (observe_run(world.data(world.run_key)), expect_run(state)),
            "roster": (observe_roster(world.data(world.roster_key)), expect_roster(state)),
            "rounds": (
                observe_rounds(world.data(world.rounds_key), world.capacity),
                expect_rounds(state),
            ),
        }
        for wallet, holder in state.holders.items():
            data = world.data(participant_address(run=world.run_key, wallet=Pubkey(wallet)))
            pairs[f"holder {wallet.hex()[:8]}"] = observe_holder(data), expect_holder(holder)
        found = [line for name, both in pairs.items() for line in differences(name, *both)]
        if found:
            where = f"{self.state.phase.name} {self.state.epoch}.{self.state.round} at {self.now}"
            raise DiffersError("\n".join([f"after {what}: {where}", *found]))

    # What actors do

    def member(
        self,
        name: str,
        actor: Actor,
        args: Any,
        change: Callable[..., None],
        *given: Any,
        transition: bool | None = None,
    ) -> bool:
        """An instruction of a member."""
        wallet = bytes(actor.wallet)
        if transition is None:
            return self.act(name, actor, args, change, wallet, args, *given)
        more = {"transition": transition}
        given = (args, *given, acts.Call(wallet, transition, self.hashes, self.now))
        return self.act(name, actor, args, change, *given, **more)

    def tick(self) -> bool:
        """Anybody makes what is due."""
        return self.act("tick", FAUCET, None, machine.tick, self.hashes, self.now)


def differences(path: str, seen: Any, expected: Any) -> list[str]:
    """One line for each thing that differs."""
    if seen == expected:
        return []
    if isinstance(seen, dict) and isinstance(expected, dict):
        keys = [*seen, *(key for key in expected if key not in seen)]
        parts = [(f"{path}.{key}", seen.get(key), expected.get(key)) for key in keys]
    elif isinstance(seen, list) and isinstance(expected, list) and len(seen) == len(expected):
        parts = [(f"{path}[{i}]", *both) for i, both in enumerate(zip(seen, expected, strict=True))]
    else:
        return [f"{path}: program {seen!r}, model {expected!r}"]
    return [line for part in parts for line in differences(*part)]
