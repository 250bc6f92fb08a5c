"""`psyche run rates|authority|join-authority`: what is paid, who owns a run, who lets others in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from psyche_client.cli.errors import CommandError
from psyche_client.cli.opened import public_key, tell, with_run
from psyche_client.cli.output import say
from psyche_client.cli.run import RunName
from psyche_client.cli.settings import Json, Url, WalletFile, wallet_path

if TYPE_CHECKING:
    from psyche_sdk.coordinator import Coordinator

U32_MAX = 2**32 - 1
NOBODY = "none"
KINDS = ("sequence", "attestation", "verdict")
Points = Annotated[int | None, typer.Option(metavar="POINTS", min=0, max=U32_MAX)]
Somebody = Annotated[
    str, typer.Argument(metavar="WALLET|none", help="A wallet's public key, or none.")
]


def rates(
    run: RunName,
    *,
    sequence: Points = None,
    attestation: Points = None,
    verdict: Points = None,
    url: Url = None,
    wallet: WalletFile = None,
    json: Json = False,
) -> None:
    """Print the points that are paid, or set them from the next epoch on."""
    given = (sequence, attestation, verdict)
    changes = any(one is not None for one in given)

    async def work(coordinator: Coordinator) -> None:
        from psyche_sdk.instructions import SetRatesArgs  # noqa: PLC0415 - a page of help needs none
        from psyche_sdk.views import decode_run  # noqa: PLC0415 - it imports numpy

        state = decode_run((await coordinator.run()).data)
        config = state.config
        now = (
            config.points_per_sequence,
            config.points_per_attestation,
            config.points_per_verdict,
        )
        if not changes:
            facts = {"now": dict(zip(KINDS, now, strict=True)), "next_epoch": None}
            if state.next_rates is not None:
                facts["next_epoch"] = dict(zip(KINDS, state.next_rates, strict=True))
            lines = [f"{name:<12} {points}" for name, points in zip(KINDS, now, strict=True)]
            if state.next_rates is not None:
                lines += [f"next epoch: {', '.join(map(str, state.next_rates))}"]
            tell(facts, lines, json=json)
            return
        old = state.next_rates or now
        new = [before if one is None else one for one, before in zip(given, old, strict=True)]
        await coordinator.set_rates(
            SetRatesArgs(
                points_per_sequence=new[0],
                points_per_attestation=new[1],
                points_per_verdict=new[2],
            )
        )
        said = ", ".join(f"{points} a {name}" for name, points in zip(KINDS, new, strict=True))
        say(f"from the next epoch on: {said}")

    with_run(run, work, url=url, wallet=wallet_path(wallet) if changes else None)


def authority(
    run: RunName,
    to: Annotated[
        str | None, typer.Argument(metavar="[WALLET|none]", help="Who shall own the run.")
    ] = None,
    *,
    accept: Annotated[
        bool, typer.Option("--accept", help="Take the run over, as who was proposed.")
    ] = False,
    url: Url = None,
    wallet: WalletFile = None,
) -> None:
    """Hand a run over: its owner proposes a wallet, which then accepts; none withdraws."""
    if accept == (to is not None):
        raise CommandError(
            "either a wallet is proposed, or the run is taken over",
            hint="`psyche run authority RUN WALLET`, then that wallet's `... RUN --accept`",
        )
    proposed = None if to in (None, NOBODY) else public_key(to or "")

    async def work(coordinator: Coordinator) -> None:
        if accept:
            await coordinator.accept_authority()
            say(f"{coordinator.address} is yours")
            return
        await coordinator.set_authority(proposed)
        words = "nobody is proposed any more" if proposed is None else f"{proposed} may accept"
        say(f"{words}; the run is yours until then")

    with_run(run, work, url=url, wallet=wallet_path(wallet))


def join_authority(
    run: RunName, to: Somebody, *, url: Url = None, wallet: WalletFile = None
) -> None:
    """Say whose passes joining needs; none: everybody may join."""
    named = None if to == NOBODY else public_key(to)

    async def work(coordinator: Coordinator) -> None:
        await coordinator.set_join_authority(named)
        say("everybody may join" if named is None else f"joining needs a pass by {named}")

    with_run(run, work, url=url, wallet=wallet_path(wallet))
