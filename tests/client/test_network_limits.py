import asyncio

import pytest

from psyche_client.network._limits import Allowance, BusyError, UploadGate

ALICE, BOB, CAROL = b"a" * 32, b"b" * 32, b"c" * 32


def test_an_allowance_gives_its_burst_and_then_its_rate() -> None:
    allowance = Allowance(per_second=2.0, burst=3.0)
    assert [allowance.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert allowance.wait(10.0, 1.0) == 0.5
    assert [allowance.take(11.0) for _ in range(3)] == [True, True, False]


def test_a_clock_that_stands_or_goes_back_gains_nothing() -> None:
    allowance = Allowance(per_second=1.0, burst=1.0)
    assert [allowance.take(now) for now in (5.0, 5.0, 4.0)] == [True, False, False]


def test_more_than_the_burst_may_be_taken_and_is_paid_for_later() -> None:
    allowance = Allowance(per_second=10.0, burst=5.0)
    assert allowance.take(0.0, 20.0)
    assert allowance.wait(0.0, 5.0) == 2.0


def gate(slots: int = 1, per_peer: int = 1, queue: float = 20.0) -> UploadGate:
    return UploadGate(slots, per_peer, queue, None)


async def test_without_a_free_slot_a_request_is_told_busy() -> None:
    uploads = gate(queue=0.01)
    async with uploads.slot(ALICE):
        with pytest.raises(BusyError):
            async with uploads.slot(BOB):
                pass


async def test_a_peer_cannot_take_more_than_its_slots() -> None:
    uploads = gate(slots=4, per_peer=2, queue=0.01)
    async with uploads.slot(ALICE), uploads.slot(ALICE):
        with pytest.raises(BusyError):
            async with uploads.slot(ALICE):
                pass
        async with uploads.slot(BOB):
            pass


async def queue_up(uploads: UploadGate, order: list[bytes], node: bytes) -> None:
    async with uploads.slot(node):
        order.append(node)


async def test_a_free_slot_goes_to_the_peer_that_was_given_least() -> None:
    uploads = gate()
    await uploads.pace(ALICE, 5000)
    await uploads.pace(BOB, 100)
    order: list[bytes] = []
    async with asyncio.TaskGroup() as group, uploads.slot(ALICE):
        for node in (ALICE, BOB, CAROL):
            group.create_task(queue_up(uploads, order, node))
        await asyncio.sleep(0)
    assert order == [CAROL, BOB, ALICE]


async def test_a_slot_given_to_a_cancelled_request_is_passed_on() -> None:
    uploads = gate()
    order: list[bytes] = []
    async with uploads.slot(ALICE):
        bob = asyncio.create_task(queue_up(uploads, order, BOB))
        carol = asyncio.create_task(queue_up(uploads, order, CAROL))
        await asyncio.sleep(0)
    bob.cancel()
    async with asyncio.timeout(20):
        await carol
    assert order == [CAROL]


async def test_the_upload_rate_is_kept() -> None:
    uploads = UploadGate(4, 4, 1.0, 1 << 20)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(4):
        await uploads.pace(ALICE, 1 << 18)
    assert loop.time() - began >= 0.5
