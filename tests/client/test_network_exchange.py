import os

from psyche_client.network import EventKind
from support.network import PATIENCE_SECONDS, peers


async def test_a_payload_is_fetched_from_the_peer_that_announced_it() -> None:
    async with peers(2) as (alice, bob):
        payload = os.urandom(20_000)
        commitment = alice.shelf.put(payload)
        alice.exchange.announce([commitment])

        await bob.events.wait(EventKind.ANNOUNCED, alice.key)
        got = await bob.exchange.fetch(commitment, len(payload), timeout=PATIENCE_SECONDS)

        assert got == payload
