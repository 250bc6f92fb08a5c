"""The real program on LiteSVM: time, transactions, and what stands in a run's accounts.

Every transaction that succeeds is followed by a check that no position got lost.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from solders.account import Account
from solders.clock import Clock
from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import Instruction
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

from psyche_sdk import instructions as build
from psyche_sdk import program_errors
from psyche_sdk._generated._program import PROGRAM_ID
from psyche_sdk._generated.events import Event, events_in
from psyche_sdk._generated.pdas import (
    participant_address,
    pass_address,
    roster_address,
    rounds_address,
    run_address,
)
from psyche_sdk.errors import AnchorError, PsycheError
from psyche_sdk.views import (
    Member,
    Moment,
    Roster,
    RoundRecord,
    Run,
    StateVote,
    decode_roster,
    decode_rounds,
    decode_run,
    record_of,
    share_of,
    witnesses,
)
from support import money
from support.actors import ALICE, BOB, ERIN, TRIO, Actor
from support.program_config import config, sha

PROGRAM_FILE = Path(__file__).resolve().parents[2] / "sdk/psyche_sdk/_program/coordinator.so"
START = Moment(1_700_000_000, 1_000)
#: Units that a compute budget instruction takes itself.
BUDGET_UNITS = 150
#: Instructions that end in a flag: whether to make the transitions that are due.
ADVANCING = ("commit", "attest", "ready", "behind", "leave")


def slot_hash(chain_slot: int) -> Hash:
    """The invented hash of a chain slot."""
    return Hash(sha(b"slot", struct.pack("<Q", chain_slot)))


class RefusedError(PsycheError):
    """The chain refused a transaction, and neither the program nor Anchor says why."""


@dataclass(frozen=True)
class Sent:
    """A transaction that succeeded: its units, its size in bytes, its events."""

    units: int
    size: int
    events: tuple[Event, ...]


class Chain:
    """A chain with the program, and the addresses of one run of alice's."""

    def __init__(self, members: Sequence[Actor] = TRIO) -> None:
        # `send` looks who must sign; the time for each signature goes to more tests.
        self.svm = LiteSVM().with_sigverify(False).with_transaction_history(0)
        self.svm.add_program_from_file(PROGRAM_ID, PROGRAM_FILE)
        self.members = list(members)
        self.moment = START
        self.set_time()
        self.run_id, self.capacity = "demo", 8
        self.config = config()
        self._name_accounts()
        self.units: dict[str, int] = {}

    def _name_accounts(self) -> None:
        self.run_key = run_address(creator=ALICE.wallet, run_id=self.run_id)
        self.roster_key = roster_address(run=self.run_key)
        self.rounds_key = rounds_address(run=self.run_key)

    # Time

    def set_time(self) -> None:
        """Tells the chain its slot, its time, and the hashes of the 512 slots before."""
        time, chain_slot = self.moment
        old = self.svm.get_clock()
        self.svm.set_clock(Clock(chain_slot, time, old.epoch, old.leader_schedule_epoch, time))
        newest = range(chain_slot - 1, max(chain_slot - 513, 0), -1)
        self.svm.set_slot_hashes([(one, slot_hash(one)) for one in newest])

    def pass_time(self, *, seconds: int = 0, slots: int = 0) -> None:
        """Lets the clock and the slots move, each by so much."""
        self.moment = Moment(self.moment.time + seconds, self.moment.chain_slot + slots)
        self.set_time()

    def pass_seconds(self, seconds: int) -> None:
        """Lets time go by as on a healthy chain: 2.5 slots a second."""
        self.pass_time(seconds=seconds, slots=seconds * 5 // 2)

    # Transactions

    def send(
        self,
        *instructions: Instruction,
        signers: Sequence[Actor],
        units: int = 1_400_000,
        only_try: bool = False,
    ) -> Sent:
        """Sends a transaction that the first signer pays; if it is only tried, nothing stays of it.

        Raises:
            PsycheError: by the name of the program's error, of Anchor's, or `RefusedError`.
        """
        for actor in signers:
            if self.svm.get_balance(actor.wallet) is None:
                self.svm.airdrop(actor.wallet, 10**12)
        every = [set_compute_unit_limit(units), *instructions]
        payer, blockhash = signers[0].wallet, self.svm.latest_blockhash()
        message = Message.new_with_blockhash(every, payer, blockhash)
        wanted = message.account_keys[: message.header.num_required_signatures]
        assert set(wanted) == {actor.wallet for actor in signers}, "others must sign"
        transaction = Transaction.populate(message, [Signature.default()] * len(wanted))
        if only_try:
            tried = self.svm.simulate_transaction(transaction)
            result = tried if isinstance(tried, FailedTransactionMetadata) else tried.meta()
        else:
            result = self.svm.send_transaction(transaction)
        if isinstance(result, FailedTransactionMetadata):
            raise _error(result)
        self.check_positions()
        used = result.compute_units_consumed() - BUDGET_UNITS
        return Sent(used, len(bytes(transaction)), events_in(result.logs()))

    def do(
        self, name: str, actor: Actor, args: Any = None, *, units: int = 1_400_000, **more: Any
    ) -> Sent:
        """Lets an actor send an instruction, and keeps the dearest call of each kind."""
        sent = self.send(self.instruction(name, actor, args, **more), signers=[actor], units=units)
        self.units[name] = max(self.units.get(name, 0), sent.units)
        return sent

    def instruction(self, name: str, actor: Actor, args: Any = None, **more: Any) -> Instruction:
        """An instruction of an actor; `more` replaces what the builder is given."""
        builder: Callable[..., Instruction] = getattr(build, name)
        given = self.accounts_of(name, actor)
        if name in ADVANCING:
            given["transition"] = True
        if args is not None:
            given["args"] = args
        return builder(**(given | more))

    def accounts_of(self, name: str, actor: Actor) -> dict[str, Any]:
        """The accounts that an instruction of an actor names."""
        me = actor.wallet
        found = money.accounts_of(self, name, me)
        if found is not None:
            return found
        trio = {"run": self.run_key, "roster": self.roster_key, "rounds": self.rounds_key}
        match name:
            case "create_run":
                return {"payer": me, "creator": me}
            case "allocate":
                return {"rent_payer": me, **trio}
            case (
                "update_config"
                | "update_model"
                | "update_metadata"
                | "set_rates"
                | "set_authority"
                | "set_join_authority"
            ):
                return {"authority": me, "run": self.run_key}
            case "resume" | "pause" | "abort" | "set_checkpoint":
                return {"authority": me, **trio}
            case "close_run":
                return {"authority": me, "rent_payer": ALICE.wallet, **trio}
            case "join":
                return {"payer": me, "wallet": me, **trio}
            case "set_endpoint":
                two = {"run": self.run_key, "roster": self.roster_key}
                return {"wallet": me, **two, "participant": self.participant_key(actor)}
            case "set_weight":
                return {"wallet": me, "run": self.run_key, "roster": self.roster_key}
            case "tick" | "migrate":
                return trio
            case "migrate_participant":
                two = {"run": self.run_key, "roster": self.roster_key}
                return {**two, "participant": self.participant_key(BOB)}
        return {"wallet": me, **trio}

    def participant_key(self, actor: Actor) -> Pubkey:
        """The address of an actor's account in the run."""
        return participant_address(run=self.run_key, wallet=actor.wallet)

    def pass_key(self, actor: Actor) -> Pubkey:
        """The address of an actor's pass for the run."""
        return pass_address(run=self.run_key, wallet=actor.wallet)

    # What stands on the chain

    def data(self, key: Pubkey) -> bytes:
        """The bytes of an account; none if there is none."""
        account = self.svm.get_account(key)
        return b"" if account is None else bytes(account.data)

    def poke(self, key: Pubkey, data: bytes) -> None:
        """Overwrites the bytes of an account."""
        old = self.svm.get_account(key)
        assert old is not None
        self.svm.set_account(key, Account(old.lamports, data, old.owner, executable=False))

    def state(self) -> tuple[bytes, ...]:
        """The bytes of the run and its two accounts, then of its participants and passes."""
        run = tuple(self.data(key) for key in (self.run_key, self.roster_key, self.rounds_key))
        kept = [self.data(self.participant_key(actor)) for actor in (*TRIO, ERIN)]
        kept += [self.data(self.pass_key(actor)) for actor in (*TRIO, ERIN)]
        return (*run, *filter(None, kept))

    @property
    def run(self) -> Run:
        """The run."""
        return _run(self.data(self.run_key))

    @property
    def roster(self) -> Roster:
        """Its members."""
        return decode_roster(self.data(self.roster_key), owner=PROGRAM_ID)

    @property
    def rounds(self) -> list[RoundRecord]:
        """Its round records."""
        return decode_rounds(self.data(self.rounds_key), owner=PROGRAM_ID)

    def record(self, number: int | None = None) -> RoundRecord:
        """The record of a round of this epoch; by default the present one."""
        run = self.run
        record = record_of(self.rounds, run.epoch, run.round if number is None else number)
        assert record is not None, "no record of that round"
        return record

    @property
    def target(self) -> int:
        """The round whose payloads are attested and settled now; below 0: none."""
        return self.run.round - self.config.overlap

    @property
    def vote(self) -> StateVote:
        """The open vote on the parameters."""
        vote = self.run.vote
        assert vote is not None, "no vote is open"
        return vote

    def member(self, actor: Actor) -> Member:
        """An actor's slot, held or held last."""
        found = self.roster.find(bytes(actor.wallet))
        if found is not None:
            return found
        entries = [self.roster.member(slot) for slot in range(self.capacity)]
        return next(one for one in entries if one.wallet == bytes(actor.wallet))

    def actors(self, slots: Sequence[int]) -> list[Actor]:
        """Who holds, or held, these slots."""
        by_wallet = {bytes(actor.wallet): actor for actor in self.members}
        roster = self.roster
        return [by_wallet[roster.member(slot).wallet] for slot in slots]

    def trainers(self, number: int | None = None) -> list[Actor]:
        """Who trains in a round and has something to train, in drawn order."""
        record = self.record(number)
        shares = {slot: share_of(record, slot) for slot in record.order.tolist()}
        waited = [slot for slot, share in shares.items() if share and share[0] < share[1]]
        return self.actors(waited)

    def witnesses(self, number: int | None = None) -> list[Actor]:
        """Who was elected to witness a round's payloads, in drawn order."""
        return self.actors(witnesses(self.record(self.target if number is None else number)))

    def check_positions(self) -> None:
        """No position is lost, none is in two places."""
        data = self.data(self.run_key)
        if not data:
            return
        run = _run(data)
        drawn = run.fresh_cursor + run.repeated
        assert drawn == run.accepted + run.in_flight + run.backlog_positions


@lru_cache(maxsize=1)  # it is looked at between two transactions again and again
def _run(data: bytes) -> Run:
    return decode_run(data, owner=PROGRAM_ID)


def _error(result: FailedTransactionMetadata) -> PsycheError:
    code = getattr(getattr(result.err(), "err", None), "code", None)
    if code in program_errors.BY_CODE:
        return program_errors.BY_CODE[code]()
    if isinstance(code, int) and code >= 100:
        return AnchorError(code, f"{code}")
    return RefusedError(f"{result.err()}: {result.meta().logs()[-3:]}")
