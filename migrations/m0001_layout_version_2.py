"""0001: accounts of layout version 1 take on version 2, where they lie, at no cost but fees.

Version 2 uses room that version 1 had left free: a second witness draw's own entropy, finality and
custody roots of a round, slashed points of a slot, the instance of a participant. The program does
it with `migrate` (a run, its roster and its round records at once) and `migrate_participant`; it
refuses an account that is not blank there. Anybody may send them.

A run of version 1 stands still under the new program until it is migrated, in whatever phase it is:
its deadlines go by, so it is best paused before the program is upgraded.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from psyche_sdk import Coordinator, pda
from psyche_sdk._generated import accounts, layouts
from psyche_sdk._transport import Transport
from psyche_sdk.errors import RpcAnswerInvalid
from psyche_sdk.program_errors import AlreadyMigrated

BEFORE: Final = 1
DISCRIMINATOR_BYTES: Final = 8
RUN_AT: Final = DISCRIMINATOR_BYTES + layouts.PARTICIPANT.fields["run"][1]


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction to send.

    Attributes:
        run: whose accounts they are.
        participant: its account; None: the run, its roster and its round records.
    """

    run: Pubkey
    participant: Pubkey | None = None

    def __str__(self) -> str:
        """What is done to what."""
        if self.participant is None:
            return f"migrate run {self.run}"
        return f"migrate participant {self.participant} of run {self.run}"


async def plan(transport: Transport, runs: Sequence[Pubkey] = ()) -> list[Step]:
    """What is still of version 1: runs first, then participants.

    Args:
        runs: only these and their participants; none: all of the program.

    Raises:
        RpcError: the node did not answer, or not as it should.
    """
    found = await _old(transport, accounts.RUN_DISCRIMINATOR)
    steps = [Step(address) for address, _ in found if not runs or address in runs]
    for address, data in await _old(transport, accounts.PARTICIPANT_DISCRIMINATOR):
        run = Pubkey.from_bytes(data[RUN_AT : RUN_AT + 32])
        if not runs or run in runs:
            steps.append(Step(run, address))
    return steps


async def apply(
    transport: Transport, payer: Keypair, steps: Sequence[Step]
) -> AsyncIterator[tuple[Step, str]]:
    """Does the steps in order; yields each with the signature, or why none was needed.

    Raises:
        ProgramError: the program refuses one; those before it are done.
    """
    for step in steps:
        coordinator = Coordinator(transport, step.run, payer=payer)
        try:
            if step.participant is None:
                receipt = await coordinator.migrate()
            else:
                receipt = await coordinator.migrate_participant(step.participant)
        except AlreadyMigrated:
            yield step, "somebody else did it"
        else:
            yield step, str(receipt.signature)


async def verify(transport: Transport, runs: Sequence[Pubkey] = ()) -> list[str]:
    """What is wrong after the migration: nothing, if all went well."""
    return [f"still of version {BEFORE}: {step}" for step in await plan(transport, runs)]


async def _old(transport: Transport, discriminator: bytes) -> list[tuple[Pubkey, bytes]]:
    """The program's accounts of a kind that are of version 1, by address."""
    head = base64.b64encode(discriminator + bytes([BEFORE])).decode()
    filters = [{"memcmp": {"offset": 0, "bytes": head, "encoding": "base64"}}]
    config: dict[str, Any] = {
        "encoding": "base64",
        "filters": filters,
        "dataSlice": {"offset": 0, "length": RUN_AT + 32},
        "commitment": "confirmed",
    }
    answer = await transport.call("getProgramAccounts", [str(pda.PROGRAM_ID), config])
    try:
        found = [
            (Pubkey.from_string(one["pubkey"]), base64.b64decode(one["account"]["data"][0]))
            for one in answer
        ]
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise RpcAnswerInvalid("the list of the program's accounts cannot be read") from error
    return sorted(found, key=lambda pair: bytes(pair[0]))
