"""A simulation: many clients, an owner and bad weather, from a seed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from typing import Any

from psyche_sdk.views import MemberState, Phase
from support.actors import crowd
from support.simulator import clients, liveness, missing, odd, owner, verifiers
from support.simulator.chain import SimulatedChain
from support.simulator.clients import Client
from support.simulator.past import must
from support.simulator.plan import Plan, first_settings

#: Transactions between two looks whether the run can get stuck; of large runs, so many a slot.
ALONE_EVERY, A_SLOT = 400, 20
#: Of so many of those looks one tries whether newcomers can take the run over.
TAKEN_OVER_EVERY = 3


class Sweep:
    """One simulated run."""

    def __init__(self, plan: Plan, **changes: Any) -> None:
        self.plan = plan
        self.until = time.monotonic() + plan.seconds
        self.rng = random.Random(plan.seed)
        actors = crowd(plan.members)
        self.world = SimulatedChain(actors, self.rng)
        self.clients = [Client(one, clients.draw_habits(self.rng)) for one in actors]
        self.copy = liveness.Copy()
        self.looks = self.next_look = 0
        self.phases: set[Phase] = set()
        self.world.given_run(capacity=plan.capacity, **(first_settings(plan, self.rng) | changes))
        self.world.watch()

    def run(self) -> Sweep:
        """Goes on until enough rounds have settled.

        Raises:
            BrokenError: an invariant does not hold; notes give the seed and the last messages.
        """
        try:
            while self.goes_on():
                self.turn()
        except Exception as error:
            error.add_note(
                f"{self.plan}, transaction {self.world.transactions}; the last messages:"
            )
            for said in self.world.messages:
                error.add_note(f"  {said}")
            raise
        return self

    def goes_on(self) -> bool:
        """Whether rounds are wanted still."""
        enough = self.world.past.rounds_settled >= self.plan.rounds
        return not enough and time.monotonic() < self.until

    def turn(self) -> None:
        """What a phase asks of everybody, some of which they do."""
        phase = self.world.now.phase
        self.phases.add(phase)
        turns: dict[Phase, Callable[[], None]] = {
            Phase.PAUSED: self.rest,
            Phase.FINISHED: self.rest,
            Phase.WAITING_FOR_MEMBERS: self.gather,
            Phase.WARMUP: self.warm_up,
            Phase.TRAIN: self.train,
            Phase.WITNESS: self.witness,
            Phase.COOLDOWN: self.cool_down,
        }
        turns[phase]()
        self.world.deliver_late()
        self.come_and_go()
        self.look_for_an_end()

    # Phases

    def rest(self) -> None:
        """Time goes by until the owner goes on."""
        self.maybe_odd()
        self.wait(self.rng.choice([1, 10, 700]))
        self.world.try_tick()
        if self.rng.random() < 0.7:
            owner.start_again(self.world)

    def gather(self) -> None:
        """Who is not there joins; if nobody can, the owner may see to it."""
        if self.world.now.run["join_authority"].any() and self.rng.random() < 0.3:
            owner.ask_for_passes(self.world)
        for client in self.some(lambda one: not one.is_member(self.world.now), 0.5):
            clients.join(self.world, client)
        self.wait(self.world.config.waiting_seconds // 2)
        self.world.try_tick()

    def warm_up(self) -> None:
        """Who is there gets ready; votes that failed are held again."""
        self.wait(1)
        self.tick()
        self.vote()
        for client in self.some(self.is_unready, 0.9):
            clients.ready(self.world, client)
        self.wait(self.world.config.warmup_seconds // 2)
        self.tick()

    def train(self) -> None:
        """Trainers commit, and with overlap witnesses attest."""
        record = self.world.now.record(self.world.now.number("round"))
        must(10, record, "a round that trains has a record")
        if record is not None:
            trainers = set(record.order().tolist())
            for client in self.some(lambda one: self.holds(one, trainers), 1):
                if self.does(client.habits.trains, "commit"):
                    clients.commit(self.world, client)
        self.attest()
        self.miss()
        self.verify()
        self.vote()
        self.wait(self.rng.choice([1, 5, self.world.config.train_seconds]))
        self.tick()

    def witness(self) -> None:
        """Entropy comes, and witnesses attest."""
        self.world.pass_time(slots=self.rng.choice([1, 2, 3, 3, 3, 3, 9, 9, 9, 600]))
        self.world.try_tick()
        self.attest()
        self.verify()
        self.tick()
        if self.world.now.phase is Phase.WITNESS:
            self.wait(self.world.config.witness_seconds // 2)
            self.tick()

    def attest(self) -> None:
        """The target's witnesses attest, if they are known."""
        target = self.world.now.target
        elected = {slot for slot, _ in target.witnesses()} if target else set()
        for client in self.some(lambda one: self.holds(one, elected), 1):
            if self.does(client.habits.attests, "attest"):
                clients.attest(self.world, client)

    def cool_down(self) -> None:
        """Who may vote votes, and the time goes by."""
        self.vote()
        self.tick()
        self.share_checkpoint()
        self.miss()
        self.verify()
        self.wait(3)
        self.world.try_tick()
        self.verify()
        self.wait(self.world.config.cooldown_seconds // 2)
        self.vote()
        self.verify()
        self.tick()
        self.share_checkpoint()
        self.tick()

    def share_checkpoint(self) -> None:
        """Who was drawn publishes, sometimes others too; others confirm, some too often."""
        drawn = set(self.world.now.run["publisher_slots"].tolist())
        for client in self.some(lambda one: one.slot in drawn, 0.8):
            clients.publish(self.world, client)
        for client in self.some(lambda one: self.stage(one) > 1, 0.3):
            clients.publish(self.world, client)
        for client in self.some(lambda one: self.stage(one) > 1, 0.7):
            clients.confirm(self.world, client)

    def verify(self) -> None:
        """Auditors and committees say what they have to say."""
        if not self.world.config.verification_percent:
            return
        for client in self.some(lambda one: one.is_member(self.world.now), 0.9):
            verifiers.speak(self.world, client)

    def miss(self) -> None:
        """Members say which accepted payloads are nowhere."""
        for client in self.some(lambda one: one.state(self.world.now) is MemberState.ACTIVE, 0.9):
            missing.speak(self.world, client)

    def vote(self) -> None:
        """Words are sealed, and opened."""
        if not self.world.now.run["vote"]["opened_slot"]:
            return
        for client in self.some(lambda one: self.stage(one) == 1, 0.9):
            if self.does(client.habits.votes, "vote"):
                clients.seal(self.world, client)
        for client in self.some(lambda one: self.stage(one) == 2, 0.9):
            if self.does(client.habits.votes, "vote"):
                clients.reveal(self.world, client)

    # What goes on all the time

    def stage(self, client: Client) -> int:
        """Where a member stands in the vote."""
        return int(self.world.now.entries[client.slot]["vote_stage"])

    def does(self, likely: float, what: str) -> bool:
        """Whether a client does this time what it should."""
        done = self.rng.random() < likely
        self.world.met[f"silent: {what}"] += not done
        return done

    def holds(self, client: Client, slots: set[int]) -> bool:
        """Whether a member's slot is one of these."""
        return client.slot in slots and client.is_member(self.world.now)

    def is_unready(self, client: Client) -> bool:
        """Whether a client holds a slot and is not ready."""
        return client.state(self.world.now) in clients.UNREADY

    def some(self, wanted: Callable[[Client], bool], part: float) -> Iterable[Client]:
        """About that part of the wanted clients, in any order, with odd things in between."""
        chosen = [one for one in self.clients if wanted(one) and self.rng.random() < part]
        self.rng.shuffle(chosen)
        for client in chosen:
            self.maybe_odd()
            yield client

    def come_and_go(self) -> None:
        """Some leave or fall behind, some come back, some change their ways."""
        for client in self.clients:
            if not client.is_member(self.world.now):
                if self.rng.random() < 0.15:
                    clients.collect(self.world, client)
                    clients.join(self.world, client)
            elif self.is_unready(client):
                if self.rng.random() < 0.5 and client.habits.stays < 1:
                    clients.ready(self.world, client)
            elif self.rng.random() > client.habits.stays:
                clients.go(self.world, client)
            if self.rng.random() < 0.01:
                client.habits = clients.draw_habits(self.rng)

    def tick(self) -> None:
        """Somebody ticks, mostly until nothing is due."""
        while self.world.try_tick() and self.rng.random() < 0.95:
            self.maybe_odd()

    def wait(self, seconds: int) -> None:
        """Time goes by as on a healthy chain."""
        self.world.pass_seconds(max(seconds, 0))

    def maybe_odd(self) -> None:
        """Now and then something that nobody expects."""
        if self.rng.random() < self.plan.wild:
            odd.happen(self.world, self.clients, self.rng)

    def look_for_an_end(self) -> None:
        """Now and then: could the run get stuck from here?"""
        if self.world.transactions < self.next_look:
            return
        every = max(ALONE_EVERY, A_SLOT * self.plan.capacity)
        self.next_look = self.world.transactions + every
        self.looks += 1
        ways = [self.copy.leave_alone, self.copy.abort]
        if self.looks % TAKEN_OVER_EVERY == 0:
            ways.append(self.copy.recover)
        for way in ways:
            self.copy.take(self.world, self.world.now)
            way()
