"""A client's network in a process of its own: `SEED PARENT_KEY PARENT_ADDRESS BYTES RATE`.

Prints its address, holds one payload of so many bytes, and ends when its input does.
"""

import asyncio
import hashlib
import sys
from dataclasses import replace

from psyche_client.network import Member
from support.network import QUICK, start_peer


def payload_of(size: int) -> bytes:
    return hashlib.shake_128(b"payload").digest(size)


async def main(seed: int, key: bytes, address: str, size: int, rate: int) -> None:
    settings = replace(QUICK, upload_bytes_per_second=rate or None)
    peer = await start_peer(seed, settings=settings)
    peer.exchange.announce([peer.shelf.put(payload_of(size))])
    peer.exchange.set_members({key: Member(0, 0, address)})
    sys.stdout.write(peer.endpoint.address_text() + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await peer.stop()


if __name__ == "__main__":
    seed, key, address, size, rate = sys.argv[1:]
    asyncio.run(main(int(seed), bytes.fromhex(key), address, int(size), int(rate)))
