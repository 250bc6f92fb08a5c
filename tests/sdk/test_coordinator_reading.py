"""What is read is checked, belongs together, and never goes back in time."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from psyche_sdk import Coordinator, SendOptions, pda
from psyche_sdk._accounts import CLOCK_ADDRESS
from psyche_sdk._generated import accounts, layouts
from psyche_sdk.errors import (
    AccountMissing,
    ConfigError,
    RpcAnswerInvalid,
    RpcUnreachable,
    WrongDiscriminator,
    WrongLength,
    WrongOwner,
    WrongVersion,
)
from support.fake_cluster import FakeCluster, account_json, run_bytes

ALICE = Keypair.from_seed(bytes([1]) * 32)
RUN = pda.run_address(ALICE.pubkey(), "tiny")
MALLORY = Pubkey(bytes([66]) * 32)
QUICK = SendOptions(poll_seconds=0.001)
GOOD = run_bytes(16)


def coordinator(cluster: FakeCluster) -> Coordinator:
    return Coordinator(cluster, RUN, options=QUICK)


def world() -> FakeCluster:
    cluster = FakeCluster()
    cluster.add_run(RUN)
    return cluster


@pytest.mark.parametrize(
    ("owner", "data", "error"),
    [
        (MALLORY, b"", WrongOwner),
        (pda.PROGRAM_ID, b"", WrongDiscriminator),
        (pda.PROGRAM_ID, accounts.ROSTER_DISCRIMINATOR + GOOD[8:], WrongDiscriminator),
        (pda.PROGRAM_ID, GOOD[:8], WrongLength),
        (pda.PROGRAM_ID, GOOD[:8] + b"\x09", WrongVersion),
        (pda.PROGRAM_ID, GOOD[:-1], WrongLength),
    ],
    ids=["owner", "empty", "kind", "head alone", "version", "cut short"],
)
async def test_the_first_thing_that_is_wrong_is_named(
    owner: Pubkey, data: bytes, error: type[Exception]
) -> None:
    cluster = world()
    cluster.accounts[RUN] = (owner, data)
    with pytest.raises(error, match=str(RUN)):
        await coordinator(cluster).run()


async def test_a_run_that_is_not_there_is_missing() -> None:
    with pytest.raises(AccountMissing):
        await coordinator(FakeCluster()).run()


async def test_a_snapshot_is_one_read_and_carries_its_slot_and_time() -> None:
    cluster = world()
    clock = bytes(32) + (1234).to_bytes(8, "little")
    cluster.accounts[CLOCK_ADDRESS] = (MALLORY, clock)
    reader = coordinator(cluster)
    snapshot = await reader.snapshot()
    assert cluster.count("getMultipleAccounts") == 1
    assert (snapshot.chain_slot, snapshot.unix_seconds, snapshot.lamports) == (100, 1234, 21)
    assert snapshot.run.data == GOOD
    assert reader.capacity == 16 == layouts.decode_run(snapshot.run.data)["capacity"]


ROW = account_json(pda.PROGRAM_ID, GOOD)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {"context": {"slot": "1"}, "value": [ROW]},
        {"context": {"slot": 1}, "value": []},
        {"context": {"slot": 1}, "value": [5]},
        {"context": {"slot": 1}, "value": [ROW | {"data": ["!!", "base64"]}]},
        {"context": {"slot": 1}, "value": [ROW | {"data": ["", "base58"]}]},
        {"context": {"slot": 1}, "value": [ROW | {"owner": "nobody"}]},
    ],
    ids=str,
)
async def test_a_hostile_answer_is_a_typed_error(answer: Any) -> None:
    cluster = world()
    cluster.answers["getMultipleAccounts"] = lambda _: answer
    with pytest.raises(RpcAnswerInvalid):
        await coordinator(cluster).run()


async def test_everybody_who_joined_is_listed_by_address_at_the_readers_commitment() -> None:
    cluster, asked = world(), []
    rows = [{"pubkey": str(key), "account": ROW} for key in sorted([MALLORY, RUN], reverse=True)]

    def answer(params: Any) -> Any:
        asked.append(params)
        return {"context": {"slot": 7}, "value": rows}

    cluster.answers["getProgramAccounts"] = answer
    found = await coordinator(cluster).participants()

    assert [account.address for account in found] == sorted([MALLORY, RUN])
    assert {(account.owner, account.data, account.chain_slot) for account in found} == {
        (pda.PROGRAM_ID, GOOD, 7)
    }
    ((program, config),) = asked
    assert (program, config["commitment"]) == (str(pda.PROGRAM_ID), QUICK.commitment)
    wanted = {f["memcmp"]["offset"]: b64decode(f["memcmp"]["bytes"]) for f in config["filters"]}
    run_at = 8 + layouts.PARTICIPANT.fields["run"][1]
    assert wanted == {0: accounts.PARTICIPANT_DISCRIMINATOR, run_at: bytes(RUN)}
    assert run_at == 8 + layouts.PASS.fields["run"][1]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [{"pubkey": str(RUN), "account": ROW}],
        {"context": {"slot": 1}, "value": {}},
        {"context": {"slot": 1}, "value": [{"account": ROW}]},
        {"context": {"slot": 1}, "value": [{"pubkey": "nobody", "account": ROW}]},
        {"context": {"slot": 1}, "value": [{"pubkey": str(RUN), "account": None}]},
    ],
    ids=str,
)
async def test_a_hostile_list_is_a_typed_error(answer: Any) -> None:
    cluster = world()
    cluster.answers["getProgramAccounts"] = lambda _: answer
    with pytest.raises(RpcAnswerInvalid):
        await coordinator(cluster).passes()


async def test_watching_yields_each_change_once() -> None:
    cluster = world()
    cluster.sockets.append(socket := asyncio.Queue())
    watch = coordinator(cluster).watch(poll_seconds=60, blind_poll_seconds=60)
    first = await anext(watch)
    cluster.add_run(RUN, marker=1)
    cluster.slot += 1
    socket.put_nowait({})
    second = await anext(watch)
    assert (first.run.data[-1], second.run.data[-1]) == (0, 1)
    await watch.aclose()


async def test_watching_works_by_polling_where_no_websocket_can_be_had() -> None:
    cluster = world()
    watch = coordinator(cluster).watch(blind_poll_seconds=0.001)
    await anext(watch)
    cluster.add_run(RUN, marker=1)
    assert (await anext(watch)).run.data[-1] == 1
    await watch.aclose()


async def test_watching_never_goes_back_in_time() -> None:
    cluster = world()
    cluster.add_run(RUN, marker=2)
    watch = coordinator(cluster).watch(blind_poll_seconds=0.001)
    await anext(watch)
    cluster.slot, later = 50, cluster.slot + 1
    cluster.add_run(RUN, marker=1)
    waiting = asyncio.ensure_future(anext(watch))
    while cluster.count("getMultipleAccounts") < 4:
        await asyncio.sleep(0)
    cluster.slot = later
    cluster.add_run(RUN, marker=3)
    assert (await waiting).run.data[-1] == 3
    await watch.aclose()


async def test_watching_survives_nodes_that_are_away_and_sockets_that_break() -> None:
    cluster = world()
    cluster.sockets.append(socket := asyncio.Queue())
    answer = cluster.answers["getMultipleAccounts"]
    watch = coordinator(cluster).watch(poll_seconds=60, blind_poll_seconds=0.001)
    await anext(watch)
    cluster.answers["getMultipleAccounts"] = [
        RpcUnreachable("away"),
        RpcUnreachable("away"),
        answer,
    ]
    cluster.add_run(RUN, marker=1)
    socket.put_nowait(RpcUnreachable("broken"))
    socket.put_nowait({})
    cluster.sockets.append(asyncio.Queue())
    assert (await anext(watch)).run.data[-1] == 1
    await watch.aclose()


async def test_watching_a_run_that_was_closed_ends_in_its_absence() -> None:
    cluster = world()
    watch = coordinator(cluster).watch(blind_poll_seconds=0.001)
    await anext(watch)
    cluster.accounts.clear()
    with pytest.raises(AccountMissing):
        await anext(watch)


async def test_stopping_to_watch_ends_the_subscription() -> None:
    cluster = world()
    cluster.sockets.append(asyncio.Queue())
    watch = coordinator(cluster).watch()
    await anext(watch)
    await watch.aclose()
    assert len(asyncio.all_tasks()) == 1


def test_a_run_is_written_as_its_address_or_as_creator_and_id() -> None:
    assert pda.parse_run(str(RUN)) == pda.parse_run(f"{ALICE.pubkey()}/tiny") == RUN


@pytest.mark.parametrize("text", ["", "tiny", "x/tiny", f"{MALLORY}/", f"{MALLORY}/Tiny", "1" * 99])
def test_what_names_no_run_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        pda.parse_run(text)
    assert caught.value.hint
