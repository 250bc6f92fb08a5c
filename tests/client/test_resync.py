"""Nothing that a peer says is believed: states and rounds count only as the chain names them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from psyche_client.events import EventLog
from psyche_client.fetching import Fetcher
from psyche_client.model.checkpoint import save
from psyche_client.model.digest import digest, manifest, parse_manifest
from psyche_client.model.errors import ManifestError
from psyche_client.network import FetchFailed, Kind
from psyche_client.optim.codec import PayloadHeader
from psyche_client.resync import Resync, _all_or_none, local_state, state_path
from psyche_client.store import SettledRound, Store
from psyche_sdk.views import node_uri
from support.client import PAYLOAD_BYTES_MAX, START, Peers, agreed, settled

SHAPES = {"a": (5,), "b": (3, 4)}
PARAMETERS = {
    "a": np.arange(5, dtype=np.float32),
    "b": np.full((3, 4), 0.5, np.float32),
}
MANIFEST = manifest(PARAMETERS, 7)
STATE = agreed(7, digest(MANIFEST))
PIECES = {name: parse_manifest(MANIFEST).pieces(name)[0] for name in PARAMETERS}
PAYLOAD = b"a payload"
COMMITMENT = sha256(PAYLOAD).digest()
FIRST = settled(0, {1: PAYLOAD})


class World:
    """A client that is behind, and its peers."""

    def __init__(self, home: Path) -> None:
        self.store, self.peers = Store(home), Peers()
        self.log = EventLog(home / "events.jsonl")
        self.fetcher = Fetcher(
            self.peers,  # type: ignore[arg-type]
            self.store,
            self.log,
            check=lambda data, _: data == PAYLOAD,
            changed=lambda: None,
            bytes_max=PAYLOAD_BYTES_MAX,
        )
        self.resync = Resync(
            self.peers,  # type: ignore[arg-type]
            self.store,
            self.fetcher,
            self.log,
            SHAPES,
        )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.fetcher.close()
    made.log.close()


async def test_a_state_comes_piece_by_piece_with_the_bits_of_the_agreed_one(world: World) -> None:
    world.peers.give(Kind.MANIFEST, STATE.digest, MANIFEST)
    for name, piece in PIECES.items():
        world.peers.give(Kind.PIECE, piece, PARAMETERS[name].tobytes())
    found = await world.resync.state(STATE)
    assert {name: values.tobytes() for name, values in found.items()} == {
        name: values.tobytes() for name, values in PARAMETERS.items()
    }


async def test_a_liar_is_passed_over_for_a_peer_with_the_right_bytes(world: World) -> None:
    lie = manifest({name: values + 1 for name, values in PARAMETERS.items()}, 7)
    world.peers.give(Kind.MANIFEST, STATE.digest, lie, b"", MANIFEST)
    for name, piece in PIECES.items():
        right = PARAMETERS[name].tobytes()
        world.peers.give(Kind.PIECE, piece, bytes(len(right)), right + b"\0", right[:-1], right)
    found = await world.resync.state(STATE)
    assert digest(manifest(found, 7)) == STATE.digest


async def test_who_published_a_state_is_asked_first(world: World) -> None:
    world.peers.give(Kind.MANIFEST, STATE.digest, MANIFEST)
    for name, piece in PIECES.items():
        world.peers.give(Kind.PIECE, piece, PARAMETERS[name].tobytes())
    sources = (node_uri(b"n" * 32), "https://example.org/model")

    await world.resync.state(replace(STATE, sources=sources))

    assert world.peers.hints == [b"n" * 32] * 3
    assert world.peers.only == [None] * 3


async def test_a_state_comes_from_the_file_that_a_checkpoint_names(
    world: World, tmp_path: Path
) -> None:
    path = tmp_path / "a model.safetensors"
    save(path, PARAMETERS, step=7, chain_hash=START)

    found = await world.resync.state(replace(STATE, sources=(path.as_uri(),)))

    assert digest(manifest(found, 7)) == STATE.digest
    assert world.peers.asked == []


@pytest.mark.parametrize("kept", ["nothing", "other parameters", "a torn file", "a folder"])
async def test_a_file_that_is_not_the_agreed_state_is_passed_over(
    world: World, tmp_path: Path, kept: str
) -> None:
    path = tmp_path / "model.safetensors"
    if kept == "other parameters":
        save(
            path,
            {name: values + 1 for name, values in PARAMETERS.items()},
            step=7,
            chain_hash=START,
        )
    elif kept == "a torn file":
        path.write_bytes(b"torn")
    elif kept == "a folder":
        path.mkdir()
    world.peers.give(Kind.MANIFEST, STATE.digest, MANIFEST)
    for name, piece in PIECES.items():
        world.peers.give(Kind.PIECE, piece, PARAMETERS[name].tobytes())

    found = await world.resync.state(replace(STATE, sources=(path.as_uri(),)))

    assert digest(manifest(found, 7)) == STATE.digest


async def test_a_manifest_with_another_digest_is_refused(world: World) -> None:
    world.peers.give(Kind.MANIFEST, STATE.digest, manifest(PARAMETERS, 8))
    with pytest.raises(FetchFailed):
        await world.resync.state(STATE)


async def test_a_piece_with_another_hash_is_refused(world: World) -> None:
    world.peers.give(Kind.MANIFEST, STATE.digest, MANIFEST)
    for piece in PIECES.values():
        world.peers.give(Kind.PIECE, piece, bytes(20), bytes(48))
    with pytest.raises(FetchFailed):
        await world.resync.state(STATE)


async def test_an_agreed_state_of_another_model_is_refused_before_it_takes_memory(
    world: World,
) -> None:
    huge = manifest({"a": np.zeros(6, np.float32), "b": np.zeros((3, 4), np.float32)}, 7)
    world.peers.give(Kind.MANIFEST, digest(huge), huge)
    with pytest.raises(ManifestError, match="another model"):
        await world.resync.state(agreed(7, digest(huge)))
    assert [kind for kind, _ in world.peers.asked] == [Kind.MANIFEST]


def believe(_: SettledRound) -> bool:
    return True


async def test_the_next_round_comes_from_a_peer_with_its_payloads(world: World) -> None:
    world.peers.give(Kind.HISTORY, START, FIRST.to_json().encode())
    world.peers.give_payload(PAYLOAD)
    assert await world.resync.next_round(START, believe) == FIRST
    assert world.store.payload(COMMITMENT) == PAYLOAD


async def test_the_next_round_on_this_disk_is_not_asked_for(world: World) -> None:
    world.store.append_round(FIRST)
    world.store.put_payload(0, 0, 1, PAYLOAD)
    assert await world.resync.next_round(START, believe) == FIRST
    assert world.peers.asked == []


LIES = {
    "of another history": settled(0, {1: PAYLOAD}, b"h" * 32).to_json().encode(),
    "with another accepted payload": FIRST.to_json()
    .replace(COMMITMENT.hex(), sha256(b"x").hexdigest())
    .encode(),
    "of another round number": FIRST.to_json().replace('"round": 0', '"round": 1').encode(),
    "no record": b'{"epoch": 0}',
    "no json": b"\xff\xfe",
    "deep": b"[" * 100_000,
    "empty": b"",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_a_round_that_does_not_continue_the_history_is_refused(
    world: World, lie: bytes
) -> None:
    world.peers.give(Kind.HISTORY, START, lie)
    world.peers.give_payload(PAYLOAD)
    assert await world.resync.next_round(START, believe) is None
    assert world.store.history() == []


async def test_a_record_with_a_false_step_gives_way_to_the_right_one(world: World) -> None:
    lie = replace(FIRST, step=9)
    assert lie.follows(START), "no hash binds the step"
    world.peers.give(Kind.HISTORY, START, lie.to_json().encode(), FIRST.to_json().encode())
    world.peers.give_payload(PAYLOAD)
    assert await world.resync.next_round(START, lambda record: record.step == 0) == FIRST


async def test_a_record_whose_step_cannot_be_known_is_not_believed(world: World) -> None:
    world.peers.give(Kind.HISTORY, START, FIRST.to_json().encode())
    assert await world.resync.next_round(START, lambda _: None) is None


@pytest.mark.parametrize("slot", [1, 3], ids=["its own", "another's"])
async def test_whose_a_payload_is_stands_in_its_header_and_not_in_a_peers_record(
    world: World, slot: int
) -> None:
    header = PayloadHeader(
        instance=bytes(32), epoch=0, round=0, slot=slot, member_id=2, layout_digest=bytes(32)
    )
    payload = header.pack()
    truth = settled(0, {1: payload})
    lie = replace(truth, members=tuple((at, 77, digest) for at, _, digest in truth.members))
    world.peers.give(Kind.HISTORY, START, lie.to_json().encode())
    world.peers.give_payload(payload)

    found = await world.resync.next_round(START, believe)

    assert found == (truth if slot == 1 else lie)


async def test_a_payload_with_another_hash_does_not_make_a_round(world: World) -> None:
    world.peers.give(Kind.HISTORY, START, FIRST.to_json().encode())
    world.peers.give(Kind.PAYLOAD, COMMITMENT, b"another payload")
    assert await world.resync.next_round(START, believe) is None
    assert world.store.payload(COMMITMENT) is None


async def test_a_round_that_nobody_has_is_none(world: World) -> None:
    assert await world.resync.next_round(START, believe) is None


def test_the_newest_whole_state_on_disk_is_taken(world: World) -> None:
    older = agreed(6, digest(manifest(PARAMETERS, 6)))
    for state in (older, STATE):
        path = state_path(world.store, state.digest)
        save(path, PARAMETERS, step=state.step, chain_hash=START)
    found = local_state(world.store, [older, STATE])
    assert found is not None
    assert found[0] == STATE


def test_a_damaged_state_gives_way_to_an_older_one_and_is_deleted(world: World) -> None:
    older = agreed(6, digest(manifest(PARAMETERS, 6)))
    save(state_path(world.store, older.digest), PARAMETERS, step=6, chain_hash=START)
    damaged = state_path(world.store, STATE.digest)
    damaged.write_bytes(b"torn")
    found = local_state(world.store, [older, STATE])
    assert found is not None
    assert found[0] == older
    assert not damaged.exists()


def test_a_state_that_is_not_agreed_is_not_taken(world: World) -> None:
    save(state_path(world.store, STATE.digest), PARAMETERS, step=7, chain_hash=START)
    assert local_state(world.store, []) is None


async def test_where_one_piece_fails_the_others_are_given_up() -> None:
    ended = asyncio.Event()

    async def fails() -> None:
        await asyncio.sleep(0)
        raise FetchFailed("piece", {})

    async def goes_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(FetchFailed):
        await _all_or_none([goes_on(), fails()])
    assert ended.is_set()
