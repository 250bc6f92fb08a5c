"""The real program for a simulation: every transaction is followed by all invariants."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from psyche_sdk.errors import AnchorError, ProgramError, PsycheError
from psyche_sdk.program_errors import TooEarly
from psyche_sdk.views import Moment, decode_rounds, due_transition
from support.actors import ALICE, FAUCET, Actor
from support.program import World
from support.program_chain import Sent
from support.simulator import invariants
from support.simulator.past import Past, must
from support.simulator.snapshot import Snapshot
from support.simulator.weather import Weather

#: Members' messages that may be held up on their way.
HELD_UP = (
    *("ready", "behind", "leave", "commit", "attest", "attest_state", "reveal_state", "set_weight"),
    *("verdict", "seal_verdict", "open_verdict", "publish_checkpoint", "confirm_checkpoint"),
    "missing",
)
#: Part of them that is.
LATE = 0.02
#: Errors that say that the program broke its own rules.
BROKEN = ("InvariantMembers", "InvariantPositions", "Overflow", "IndexOutOfRange", "LayoutMismatch")
PURSE = 10**10
MESSAGES_KEPT = 40


class SimulatedChain(World):
    """A run whose every change is checked, and whose last messages are kept.

    Attributes:
        now: what stands on the chain.
        messages: the last ones, with what became of them.
        outcomes: how often each instruction had which outcome.
        recent: what was sent last, to be sent again.
        held_up: what is sent later.
        met: how often what happened that no outcome tells.
        owner: who owns the run at present.
    """

    def __init__(self, members: Sequence[Actor], rng: random.Random) -> None:
        self.watching = False
        self.weather: Weather | None = None
        super().__init__(members)
        self.rng = rng
        self.outcomes: Counter[str] = Counter()
        self.messages: deque[str] = deque(maxlen=MESSAGES_KEPT)
        self.recent: deque[tuple[str, Actor, Any, dict[str, Any]]] = deque(maxlen=MESSAGES_KEPT)
        self.held_up: list[tuple[str, Actor, Any, dict[str, Any]]] = []
        self.met: Counter[str] = Counter()
        self.owner = ALICE
        self.transactions = 0
        for actor in self.members:
            self.svm.airdrop(actor.wallet, PURSE)

    def watch(self) -> None:
        """From now on the weather is bad and everything is checked."""
        self.weather = Weather(self.rng, self.moment)
        self.set_time()
        self.past = Past(self.weather.hash_at)
        self.now = self.look()
        self.past.begin(self.now)
        self.watching = True

    def set_time(self) -> None:
        """Tells the chain what the weather is like."""
        if self.weather is None:
            super().set_time()
            return
        clock = self.svm.get_clock()
        clock.slot, clock.unix_timestamp = self.moment.chain_slot, self.moment.time
        self.svm.set_clock(clock)
        self.svm.set_slot_hashes(list(self.weather.newest()))

    def pass_time(self, *, seconds: int = 0, slots: int = 0) -> None:
        """Lets the clock and the slots move."""
        if self.weather is None:
            super().pass_time(seconds=seconds, slots=slots)
            return
        self.weather.pass_time(seconds, slots)
        self.moment = self.weather.moment
        self.messages.append(f"time {seconds:+} s, {slots:+} slots: {self.moment}")
        self.set_time()

    def look(self) -> Snapshot:
        """What stands on the chain."""
        data, lamports = [], []
        for key in (self.run_key, self.roster_key, self.rounds_key):
            account = self.svm.get_account(key)
            assert account is not None
            data.append(bytes(account.data))
            lamports.append(account.lamports)
        moment = Moment(self.moment.time, self.moment.chain_slot)
        return Snapshot(
            moment, (data[0], data[1], data[2]), (lamports[0], lamports[1], lamports[2])
        )

    def check_positions(self) -> None:
        """Called after each transaction that succeeded: all invariants."""
        if not self.watching:
            return
        before, self.now = self.now, self.look()
        invariants.every(before, self.now, self.past)

    def attempt(self, name: str, actor: Actor, args: Any = None, **more: Any) -> Sent | None:
        """Somebody tries something, which may come late.

        Raises:
            BrokenError: an invariant does not hold.
        """
        if name in HELD_UP and self.rng.random() < LATE:
            self.held_up.append((name, actor, args, more))
            return None
        return self.deliver(name, actor, args, **more)

    def deliver_late(self) -> None:
        """Half of what was held up comes now, in any order."""
        self.rng.shuffle(self.held_up)
        for _ in range((len(self.held_up) + 1) // 2):
            name, actor, args, more = self.held_up.pop()
            self.met["late"] += 1
            self.deliver(name, actor, args, **more)

    def deliver(self, name: str, actor: Actor, args: Any = None, **more: Any) -> Sent | None:
        """A message comes; the program may refuse it, but not because it is broken.

        Raises:
            BrokenError: an invariant does not hold.
        """
        self.transactions += 1
        self.recent.append((name, actor, args, more))
        said = f"{name} by {actor.name} {args or ''} {more or ''}"
        try:
            sent = self.do(name, actor, args, **more)
        except PsycheError as error:
            outcome = error.name if isinstance(error, ProgramError) else str(error)
            self.note(name, said, outcome)
            known = isinstance(error, ProgramError | AnchorError)
            must(25, known and outcome not in BROKEN, f"{name}: {outcome}")
            return None
        except AssertionError:
            self.note(name, said, "an invariant broke")
            raise
        self.note(name, said, "ok")
        return sent

    def note(self, name: str, said: str, outcome: str) -> None:
        """Keeps what was said and what became of it."""
        self.outcomes[f"{name}: {outcome}"] += 1
        self.messages.append(f"{said} -> {outcome}")

    @property
    def happened(self) -> Counter[str]:
        """How often each instruction had which outcome, and what else there was."""
        assert self.weather is not None
        return self.outcomes + self.met + self.weather.met + self.past.met

    def due(self) -> object:
        """What `tick` would do now, by the views; None: nothing."""
        run, roster = self.run, self.roster
        return due_transition(run, roster, decode_rounds(self.now.data[2]), self.moment)

    def try_tick(self, actor: Actor = FAUCET) -> bool:
        """Somebody ticks, and it does something exactly if the views say so."""
        due, resting = self.due(), self.now.number("phase") in (0, 6)
        sent = self.attempt("tick", actor)
        last = self.messages[-1].rpartition("-> ")[2]
        must(21, sent or last == TooEarly.__name__, f"tick says {last}")
        must(21, sent or due is None, f"{due} is due, but tick says TooEarly")
        late = not sent and invariants.overdue(self.now, self.moment)
        must(21, not late, "a deadline passed, and nothing is due")
        must(21, not sent or due is not None or resting, "tick did what is not due")
        return sent is not None
