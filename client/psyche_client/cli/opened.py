"""Opens a run for one command and closes it again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psyche_client.cli.errors import CommandError
from psyche_client.cli.keys import load_key
from psyche_client.cli.output import put, put_json
from psyche_client.cli.settings import endpoint

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

    from psyche_sdk.coordinator import Coordinator


def with_run(
    run: str,
    work: Callable[[Coordinator], Awaitable[None]],
    *,
    url: str | None,
    wallet: Path | None = None,
) -> None:
    """Opens a run, does one thing with it, closes the connections."""
    from psyche_sdk import Coordinator, pda  # noqa: PLC0415 - a page of help needs no chain

    payer = load_key(wallet) if wallet is not None else None

    async def opened() -> None:
        async with Coordinator(endpoint(url), pda.parse_run(run), payer=payer) as coordinator:
            await work(coordinator)

    asyncio.run(opened())


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
