"""Can a run get stuck? Copies of it are left alone, aborted, and taken over by honest newcomers."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from solders.account import Account
from solders.pubkey import Pubkey

from psyche_sdk import instructions as build
from psyche_sdk._generated._program import PROGRAM_ID
from psyche_sdk._generated.pdas import participant_address
from psyche_sdk.errors import ProgramError
from psyche_sdk.program_errors import TooEarly
from psyche_sdk.views import MemberState, Moment, Phase
from support.actors import FAUCET, Actor, crowd
from support.program import World
from support.simulator.chain import PURSE, SimulatedChain
from support.simulator.past import must
from support.simulator.snapshot import Snapshot

#: Ticks after which a run that everybody left alone must rest, and steps to the next round.
TICKS_MAX, STEPS_MAX = 600, 120
#: Waits between two ticks before a year goes by at once.
WAITS_MAX, YEAR = 50, 365 * 86_400
RESTING = (Phase.PAUSED, Phase.FINISHED)


class Copy(World):
    """A run as it stands somewhere else, on a chain of its own in fair weather."""

    def __init__(self) -> None:
        super().__init__([])

    def take(self, original: SimulatedChain, now: Snapshot) -> None:
        """Becomes a copy of a run."""
        self.owner = original.owner
        self.capacity, self.config = original.capacity, original.config
        keys = (original.run_key, original.roster_key, original.rounds_key)
        for key, data, lamports in zip(keys, now.data, now.lamports, strict=True):
            self.svm.set_account(key, Account(lamports, data, PROGRAM_ID, executable=False))
        for wallet in {entry["wallet"].tobytes() for entry in now.entries}:
            key = participant_address(run=self.run_key, wallet=Pubkey(wallet))
            account = original.svm.get_account(key)
            if account is not None:
                self.svm.set_account(key, account)
        self.moment = Moment(now.moment.time, now.moment.chain_slot)
        self.set_time()

    def check_positions(self) -> None:
        """The original is checked."""

    def ticked(self) -> bool:
        """Ticks; says whether anything was due."""
        try:
            self.tick()
        except TooEarly:
            return False
        return True

    def leave_alone(self) -> int:
        """Nobody but who ticks does anything; says how many ticks it took until the run rests."""
        for count in range(TICKS_MAX):
            run = self.run
            if run.phase in RESTING or (
                run.phase is Phase.WAITING_FOR_MEMBERS and run.waiting_since is None
            ):
                return count
            self.wait_for_a_tick()
        must(22, holds=False, text=f"left alone it still runs: {self.run}")
        return TICKS_MAX

    def wait_for_a_tick(self) -> None:
        """Time goes by until a tick does something, or the run waits for members."""
        for _ in range(WAITS_MAX):
            if self.ticked() or self.run.phase in RESTING:
                return
            if self.run.phase is Phase.WAITING_FOR_MEMBERS and self.run.waiting_since is None:
                return
            self.pass_seconds(self.config.train_seconds)
        # The clock may have stood far ahead when the phase began.
        self.pass_seconds(YEAR)
        must(22, self.ticked(), f"nothing is ever due: {self.run}")

    def abort(self) -> None:
        """The owner aborts after ten lengths of the phase, wherever the run hangs."""
        if self.run.phase in (*RESTING, Phase.WAITING_FOR_MEMBERS):
            return
        self.pass_seconds(YEAR)
        self.do("abort", self.owner)
        must(22, self.run.phase is Phase.PAUSED, "abort did not pause the run")

    def recover(self) -> None:
        """Honest newcomers take free slots, and bring the run to a round that settles."""
        self.members = list(crowd_of(self.capacity))
        anybody = build.SetJoinAuthorityArgs(join_authority=None)
        self.do("set_join_authority", self.owner, anybody)
        for actor in self.members:
            if self.svm.get_balance(actor.wallet) is None:
                self.svm.airdrop(actor.wallet, PURSE)
        started = self.run.accepted
        for _ in range(STEPS_MAX):
            if self.run.accepted > started:
                return
            self.enter()
            self.move()
        must(22, holds=False, text=f"honest newcomers got nothing accepted: {self.run}")

    def enter(self) -> None:
        """Newcomers take what slots are free and are ready."""
        held = {bytes(one.wallet) for one in self.roster.members()}
        free = iter([one for one in self.members if bytes(one.wallet) not in held])
        room = self.roster.slots(
            MemberState.EMPTY, MemberState.LEFT, MemberState.DROPPED, MemberState.EJECTED
        )
        for slot in room:
            self.clear(slot)
            self.attempt("join", next(free), slot)
        mine = {bytes(one.wallet): one for one in self.members}
        for member in self.roster.members():
            unready = member.state in (MemberState.JOINED, MemberState.BEHIND)
            if unready and member.wallet in mine:
                self.attempt("ready", mine[member.wallet], member.slot)

    def clear(self, slot: int) -> None:
        """What a former holder has on a slot is collected, if that is possible yet."""
        wallet = Pubkey(self.roster.member(slot).wallet)
        holder = participant_address(run=self.run_key, wallet=wallet)
        with contextlib.suppress(ProgramError):
            if self.data(holder):
                args = build.CollectArgs(slot=slot)
                self.do("collect", FAUCET, args, participant=holder, payee=wallet)

    def attempt(self, name: str, actor: Actor, slot: int) -> None:
        """A newcomer joins or is ready; a slot that a record names still is not free."""
        try:
            if name == "join":
                self.join(actor, slot=slot)
            else:
                self.ready(actor, transition=False)
        except ProgramError:
            return

    def move(self) -> None:
        """The newcomers do their part in a phase; then it is made what is due."""
        run = self.run
        mine = {bytes(one.wallet): one for one in self.members}
        present = {
            one.slot: mine[one.wallet] for one in self.roster.members() if one.wallet in mine
        }
        if run.phase is Phase.FINISHED:
            self.do("pause", self.owner)
            self.extend()
        if run.phase in RESTING:
            self.do("resume", self.owner)
        if run.phase is Phase.TRAIN:
            self.play("commit", present)
        if run.phase is Phase.WITNESS:
            self.pass_time(slots=3)
            self.ticked()
            if self.run.phase is Phase.WITNESS:  # the tick may have settled the round
                self.play("attest", present)
        self.wait_for_a_tick()

    def extend(self) -> None:
        """The owner wants more steps than the run has made."""
        self.config = replace(self.config, total_steps=self.run.step + STEPS_MAX)
        args = build.UpdateConfigArgs(config=self.config, reset_positions=False)
        self.do("update_config", self.owner, args)

    def play(self, name: str, present: dict[int, Actor]) -> None:
        """The newcomers among this round's trainers or witnesses do their part."""
        if name == "attest" and self.target < 0:
            return
        for actor in present.values():
            try:
                getattr(self, name)(actor, transition=False)
            except ProgramError:
                continue


def crowd_of(count: int) -> tuple[Actor, ...]:
    """Newcomers, twice as many as there are slots."""
    return tuple(Actor(f"newcomer {one.name}") for one in crowd(2 * count))
