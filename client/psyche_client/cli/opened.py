"""Opens a run for one command and closes it again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psyche_client.cli.errors import Code, CommandError
from psyche_client.cli.keys import load_key
from psyche_client.cli.output import put, put_json
from psyche_client.cli.settings import endpoint

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from psyche_sdk.coordinator import Coordinator


WAYS_OUT = {
    "paused": "`psyche run resume` lets it wait for members",
    "waiting for members": "`psyche run pause` pauses it at once",
    "warmup": "`psyche run pause` pauses it at once",
    "finished": "`psyche run pause` pauses it, so that its owner can extend it; or close it",
}
"""By a run's phase, what its owner can do there."""
WAY_OUT_OF_AN_EPOCH = "`psyche run pause` pauses it after its epoch; `psyche run abort` if it hangs"


def with_run(
    run: str,
    work: Callable[[Coordinator], Awaitable[None]],
    *,
    url: str | None,
    wallet: Path | None = None,
) -> None:
    """Opens a run, does one thing with it, closes the connections."""
    from psyche_sdk import Coordinator, pda  # noqa: PLC0415 - a page of help needs no chain
    from psyche_sdk.program_errors import WrongPhase  # noqa: PLC0415 - as above

    payer = load_key(wallet) if wallet is not None else None

    async def opened() -> None:
        async with Coordinator(endpoint(url), pda.parse_run(run), payer=payer) as coordinator:
            try:
                await work(coordinator)
            except WrongPhase as error:
                raise _not_now((await coordinator.run()).data) from error

    asyncio.run(opened())


def _not_now(data: bytes) -> CommandError:
    """What is told where a run is in a phase in which a command can do nothing."""
    from psyche_client.cli.runs import phase_words  # noqa: PLC0415 - it imports numpy
    from psyche_sdk.views import decode_run  # noqa: PLC0415 - as above

    phase = phase_words(decode_run(data))
    return CommandError(
        f"this cannot be done now: the run's phase is `{phase}`",
        hint=WAYS_OUT.get(phase, WAY_OUT_OF_AN_EPOCH),
        code=Code.REFUSED,
    )


def tell(facts: Any, lines: list[str], *, json: bool) -> None:
    """Prints facts as one JSON document, or as lines."""
    if json:
        put_json(facts)
    for line in [] if json else lines:
        put(line)


def public_key(text: str) -> Pubkey:
    """The key that a text names.

    Raises:
        CommandError: it names none.
    """
    from solders.pubkey import Pubkey  # noqa: PLC0415 - a page of help needs no keys

    try:
        return Pubkey.from_string(text)
    except ValueError:
        raise CommandError(
            f"`{text}` is no address of a wallet", hint="`psyche wallet show` prints a wallet's"
        ) from None
