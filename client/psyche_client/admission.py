"""What a run asks of a wallet before it may join: looked at once, before anything is paid."""

from __future__ import annotations

import time

from solders.pubkey import Pubkey

from psyche_client.lamports import sol
from psyche_sdk.coordinator import Coordinator
from psyche_sdk.errors import AccountError
from psyche_sdk.views import Run, decode_pass, decode_roster, decode_run


class AdmissionError(Exception):
    """The wallet cannot join the run as things stand."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


async def check_admission(
    coordinator: Coordinator, wallet: Pubkey, *, bond_lamports_max: int = 0
) -> int:
    """Looks whether the wallet may join; who is a member already may.

    Returns:
        The bond that joining will deposit, in lamports.

    Raises:
        AdmissionError: what is missing: a pass, or a word that the bond is accepted.
        PsycheError: the run could not be read.
    """
    snapshot = await coordinator.snapshot()
    run = decode_run(snapshot.run.data)
    refuse_verification(run)
    if decode_roster(snapshot.roster.data).find(bytes(wallet)) is not None:
        return 0
    now = time.time() if snapshot.unix_seconds is None else snapshot.unix_seconds
    if run.join_authority is not None:
        await _check_pass(coordinator, run, wallet, int(now))
    bond = run.config.bond_lamports
    if bond > bond_lamports_max:
        raise AdmissionError(
            f"this run asks for a bond of {sol(bond)}, and "
            + (
                f"{sol(bond_lamports_max)} is accepted" if bond_lamports_max else "none is accepted"
            ),
            hint="it comes back to the payee after leaving, and is lost by cheating; to accept it: "
            f"--bond-max {sol(bond).partition(' ')[0]}",
        )
    return bond


def refuse_verification(run: Run) -> None:
    """This version trains and witnesses; it cannot verify, and would let its audits lapse.

    Raises:
        AdmissionError: the run asks for verifiers.
    """
    percent = run.config.verification_percent
    if percent:
        raise AdmissionError(
            f"this run lets {percent} of 100 members verify payloads, which this client cannot do",
            hint="join a run whose verification_percent is 0",
        )


async def _check_pass(coordinator: Coordinator, run: Run, wallet: Pubkey, now: int) -> None:
    assert run.join_authority is not None
    authority = Pubkey(run.join_authority)
    hint = f"{authority} issues it: `psyche pass issue {coordinator.address} {wallet}`"
    try:
        found = decode_pass((await coordinator.join_pass(wallet)).data)
    except AccountError:
        raise AdmissionError(
            f"this run asks for a pass, and the wallet {wallet} has none", hint=hint
        ) from None
    if found.admits(run, now):
        return
    known = (found.issuer, found.instance) == (run.join_authority, run.instance)
    why = "is over" if known else "is not by the run's present join authority"
    raise AdmissionError(f"the pass of the wallet {wallet} {why}", hint=hint)
