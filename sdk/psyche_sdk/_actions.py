"""What can be done to a run: one method an instruction, each over a pure builder.

The builders are the functions of psyche_sdk.instructions. A method adds the run's addresses, asks
for compute units, signs, sends, and returns once the instruction took effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypedDict

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from psyche_sdk import _budget, pda
from psyche_sdk._generated import instructions as _ix
from psyche_sdk._generated import types as _t
from psyche_sdk._send import Receipt, Sender
from psyche_sdk.errors import ConfigError

#: Instructions that need nobody's signature but the payer's.
UNSIGNED: Final = ("allocate", "migrate", "migrate_participant", "tick")

#: `allocate`s of one transaction: more would not fit into 1,232 bytes.
ALLOCATES_MAX = 32


class _Accounts(TypedDict):
    run: Pubkey
    roster: Pubkey
    rounds: Pubkey


class _Member(_Accounts):
    wallet: Pubkey


class _Owner(_Accounts):
    authority: Pubkey


class Actions:
    """The instructions of one run, sent by one signer; each raises what `Sender.send` raises.

    With `transition` a method asks for the compute units of a transition as well: use it when what
    you see makes one due. `units` asks for exactly so many.
    """

    def __init__(self, address: Pubkey, *, signer: Keypair | None, sender: Sender | None) -> None:
        self.address = address
        self.roster_address = pda.roster_address(address)
        self.rounds_address = pda.rounds_address(address)
        #: Slots of the roster, once the run was read or created; 0 before.
        self.capacity = 0
        self._signer = signer
        self._sender = sender

    # Owner

    async def create_run(self, args: _t.CreateRunArgs) -> list[Receipt]:
        """Create the run, its creator the signer, with accounts of their full size."""
        creator, payer = self._wallet(), self._payer()
        if pda.run_address(creator, args.run_id) != self.address:
            raise ConfigError(f"{self.address} is not the run {creator}/{args.run_id}")
        self.capacity = args.capacity
        create = _ix.create_run(
            payer=payer,
            creator=creator,
            run=self.address,
            roster=self.roster_address,
            rounds=self.rounds_address,
            args=args,
        )
        receipts = [await self._send("create_run", [create])]
        for count in _batches(_budget.allocations(args.capacity)):
            receipts.append(await self.allocate(count))
        return receipts

    async def allocate(self, count: int = 1) -> Receipt:
        """Let the accounts grow by `count` pieces, paid by who paid for the creation."""
        grow = _ix.allocate(
            rent_payer=self._payer(),
            run=self.address,
            roster=self.roster_address,
            rounds=self.rounds_address,
        )
        return await self._send("allocate", [grow] * count)

    async def update_config(self, args: _t.UpdateConfigArgs) -> Receipt:
        """Replace the configuration of a paused run."""
        built = _ix.update_config(authority=self._wallet(), run=self.address, args=args)
        return await self._send("update_config", [built])

    async def update_model(self, args: _t.UpdateModelArgs) -> Receipt:
        """Replace hash and URI of a paused run's model.json."""
        built = _ix.update_model(authority=self._wallet(), run=self.address, args=args)
        return await self._send("update_model", [built])

    async def resume(self) -> Receipt:
        """Let a paused run wait for members."""
        return await self._send("resume", [_ix.resume(**self._owner())])

    async def pause(self) -> Receipt:
        """Pause the run, at once or after draining."""
        return await self._send("pause", [_ix.pause(**self._owner())])

    async def abort(self) -> Receipt:
        """Pause a run that hangs."""
        return await self._send("abort", [_ix.abort(**self._owner())])

    async def close_run(self, rent_payer: Pubkey | None = None) -> Receipt:
        """Close the accounts; the rent goes back to who paid it, by default the payer."""
        payer = rent_payer or self._payer()
        built = _ix.close_run(**self._owner(), rent_payer=payer)
        return await self._send("close_run", [built])

    # Member

    async def join(self, args: _t.JoinArgs) -> Receipt:
        """Take a free slot; where the run has a join authority the signer needs its pass."""
        built = _ix.join(
            payer=self._payer(),
            wallet=self._wallet(),
            run=self.address,
            roster=self.roster_address,
            rounds=self.rounds_address,
            participant=self.participant_address(),
            args=args,
        )
        return await self._send("join", [built])

    async def set_endpoint(self, args: _t.SetEndpointArgs) -> Receipt:
        """Change the node's key and address."""
        built = _ix.set_endpoint(
            wallet=self._wallet(),
            run=self.address,
            roster=self.roster_address,
            participant=self.participant_address(),
            args=args,
        )
        return await self._send("set_endpoint", [built])

    async def set_weight(self, args: _t.SetWeightArgs) -> Receipt:
        """Change the declared weight."""
        built = _ix.set_weight(
            wallet=self._wallet(), run=self.address, roster=self.roster_address, args=args
        )
        return await self._send("set_weight", [built])

    async def ready(
        self, args: _t.ReadyArgs, *, transition: bool = False, units: int | None = None
    ) -> Receipt:
        """Say that the member holds the parameters."""
        built = _ix.ready(**self._member(), args=args, transition=transition)
        return await self._send("ready", [built], transition=transition, units=units)

    async def behind(
        self, args: _t.MemberArgs, *, transition: bool = False, units: int | None = None
    ) -> Receipt:
        """Say that the member cannot follow."""
        built = _ix.behind(**self._member(), args=args, transition=transition)
        return await self._send("behind", [built], transition=transition, units=units)

    async def leave(
        self, args: _t.MemberArgs, *, transition: bool = False, units: int | None = None
    ) -> Receipt:
        """Give the slot up."""
        built = _ix.leave(**self._member(), args=args, transition=transition)
        return await self._send("leave", [built], transition=transition, units=units)

    async def commit(
        self, args: _t.CommitArgs, *, transition: bool = False, units: int | None = None
    ) -> Receipt:
        """Commit to the round's payload."""
        built = _ix.commit(**self._member(), args=args, transition=transition)
        return await self._send("commit", [built], transition=transition, units=units)

    async def attest(
        self, args: _t.AttestArgs, *, transition: bool = False, units: int | None = None
    ) -> Receipt:
        """Say which payloads the witness holds and checked, by slot or with a filter."""
        if units is None and len(args.bits) != self.capacity // 8:
            units = _budget.filter_units(self.capacity, transition=transition)
        built = _ix.attest(**self._member(), args=args, transition=transition)
        return await self._send("attest", [built], transition=transition, units=units)

    async def attest_state(self, args: _t.AttestStateArgs) -> Receipt:
        """Seal a vote on the parameters."""
        return await self._send("attest_state", [_ix.attest_state(**self._member(), args=args)])

    async def reveal_state(self, args: _t.RevealStateArgs) -> Receipt:
        """Open the sealed vote."""
        return await self._send("reveal_state", [_ix.reveal_state(**self._member(), args=args)])

    # Anyone

    async def tick(self, *, units: int | None = None) -> Receipt:
        """Make what is due; `program_errors.TooEarly` if nothing is."""
        built = _ix.tick(run=self.address, roster=self.roster_address, rounds=self.rounds_address)
        return await self._send("tick", [built], units=units)

    async def migrate(self) -> Receipt:
        """Take the run's accounts from the layout version before to the present one."""
        built = _ix.migrate(
            run=self.address, roster=self.roster_address, rounds=self.rounds_address
        )
        return await self._send("migrate", [built])

    async def migrate_participant(self, participant: Pubkey) -> Receipt:
        """Take a participant's account to the present layout version, after the run's."""
        built = _ix.migrate_participant(
            run=self.address, roster=self.roster_address, participant=participant
        )
        return await self._send("migrate_participant", [built])

    async def send(
        self,
        name: str,
        instructions: Sequence[Instruction],
        *,
        signers: Sequence[Keypair] = (),
        units: int,
    ) -> Receipt:
        """Send instructions of any kind in one transaction, costs counted under `name`."""
        return await self._sending().send(name, instructions, signers=signers, units=units)

    def participant_address(self, wallet: Pubkey | None = None) -> Pubkey:
        """Return where the run keeps what it knows about a wallet, by default the signer's."""
        return pda.participant_address(self.address, wallet or self._wallet())

    def pass_address(self, wallet: Pubkey | None = None) -> Pubkey:
        """Return where a wallet's pass for the run lies, by default the signer's."""
        return pda.pass_address(self.address, wallet or self._wallet())

    async def _send(
        self,
        name: str,
        instructions: Sequence[Instruction],
        *,
        signers: Sequence[Keypair] = (),
        transition: bool = False,
        units: int | None = None,
    ) -> Receipt:
        if units is None:
            units = _budget.units_for(name, capacity=self.capacity, transition=transition)
        keys = [key for key in (self._signer,) if key and name not in UNSIGNED]
        return await self.send(name, instructions, signers=[*keys, *signers], units=units)

    def _member(self) -> _Member:
        return {"wallet": self._wallet(), **self._accounts()}

    def _owner(self) -> _Owner:
        return {"authority": self._wallet(), **self._accounts()}

    def _accounts(self) -> _Accounts:
        return {
            "run": self.address,
            "roster": self.roster_address,
            "rounds": self.rounds_address,
        }

    def _payer(self) -> Pubkey:
        return self._sending().payer.pubkey()

    def _wallet(self) -> Pubkey:
        return self._signer.pubkey() if self._signer else self._payer()

    def _sending(self) -> Sender:
        if self._sender is None:
            hint = "pass `payer=` to the Coordinator"
            raise ConfigError("this Coordinator has no payer, so it can only read", hint=hint)
        return self._sender


def _batches(count: int) -> Iterator[int]:
    """Split a number of `allocate`s over transactions."""
    while count > 0:
        yield min(count, ALLOCATES_MAX)
        count -= ALLOCATES_MAX
