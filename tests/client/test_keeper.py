"""What a client gives to its peers: agreed states only, payloads once they may be seen, history."""

from pathlib import Path

import numpy as np
import pytest

from psyche_client.keeper import Keeper
from psyche_client.model.checkpoint import save
from psyche_client.model.digest import digest_of, manifest, parse_manifest
from psyche_client.model.errors import CheckpointError
from psyche_client.momentum_file import load_momentum, momentum_path
from psyche_client.network import Kind
from psyche_client.resync import state_path
from psyche_client.seen import AgreedState
from psyche_client.store import Store
from support.client import START, agreed, settled

Arrays = dict[str, np.ndarray]


def parameters(value: float = 1.0) -> Arrays:
    return {
        "b": np.full((3, 4), value, np.float32),
        "a": np.arange(5, dtype=np.float32) + np.float32(value),
    }


def state(step: int, value: float = 1.0) -> AgreedState:
    return agreed(step, digest_of(parameters(value), step))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


@pytest.fixture
def keeper(store: Store) -> Keeper:
    return Keeper(store)


def pieces(step: int, value: float = 1.0) -> list[bytes]:
    parsed = parse_manifest(manifest(parameters(value), step))
    return [piece for name in parsed.entries for piece in parsed.pieces(name)]


def test_a_state_is_served_only_once_the_chain_agreed_on_it(keeper: Keeper) -> None:
    found = keeper.candidate(parameters(), 3, START)
    assert found == state(3).digest
    assert keeper.load(Kind.MANIFEST, found) is None
    assert [keeper.load(Kind.PIECE, piece) for piece in pieces(3)] == [None, None]
    assert keeper.keep([state(3)]) == [state(3)]
    assert keeper.load(Kind.MANIFEST, found) == manifest(parameters(), 3)
    served = [keeper.load(Kind.PIECE, piece) for piece in pieces(3)]
    assert served == [parameters()[name].tobytes() for name in ("a", "b")]


def test_a_keeper_says_what_it_serves(keeper: Keeper) -> None:
    found = keeper.candidate(parameters(), 4, START)
    assert not keeper.serves(found)
    keeper.keep([state(4)])
    assert keeper.serves(found)


def test_an_agreed_state_is_told_once(keeper: Keeper) -> None:
    keeper.candidate(parameters(), 3, START)
    assert keeper.keep([state(3)]) == [state(3)]
    assert keeper.keep([state(3)]) == []


def test_an_agreed_state_lies_on_disk(keeper: Keeper, store: Store) -> None:
    keeper.candidate(parameters(), 3, START)
    keeper.keep([state(3)])
    assert state_path(store, state(3).digest).exists()


def test_a_state_that_was_voted_down_is_never_served(keeper: Keeper, store: Store) -> None:
    lost = keeper.candidate(parameters(), 3, START)
    assert keeper.keep([state(3, value=2.0)]) == []
    assert keeper.load(Kind.MANIFEST, lost) is None
    assert list(store.states.iterdir()) == []


def test_a_candidate_does_not_follow_the_parameters(keeper: Keeper) -> None:
    moving = parameters()
    found = keeper.candidate(moving, 3, START)
    moving["a"] += 1
    keeper.keep([state(3)])
    assert keeper.load(Kind.MANIFEST, found) == manifest(parameters(), 3)
    assert keeper.load(Kind.PIECE, pieces(3)[0]) == parameters()["a"].tobytes()


def test_states_that_are_no_longer_agreed_are_forgotten(keeper: Keeper, store: Store) -> None:
    keeper.candidate(parameters(), 3, START)
    keeper.keep([state(3)])
    keeper.candidate(parameters(2.0), 4, START)
    keeper.keep([state(4, value=2.0)])
    assert keeper.load(Kind.MANIFEST, state(3).digest) is None
    assert [path.stem for path in store.states.iterdir()] == [state(4, value=2.0).digest.hex()]


def test_a_new_process_serves_what_lies_on_disk(keeper: Keeper, store: Store) -> None:
    keeper.candidate(parameters(), 3, START)
    keeper.keep([state(3)])
    later = Keeper(Store(store.home))
    later.reopen([state(3)])
    assert later.load(Kind.MANIFEST, state(3).digest) == manifest(parameters(), 3)
    assert later.load(Kind.PIECE, pieces(3)[1]) == parameters()["b"].tobytes()


def test_a_damaged_state_is_deleted_and_not_served(keeper: Keeper, store: Store) -> None:
    path = state_path(store, state(3).digest)
    save(path, parameters(), step=3, chain_hash=START)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    keeper.reopen([state(3)])
    assert not path.exists()
    assert keeper.load(Kind.MANIFEST, state(3).digest) is None


def test_a_file_under_a_wrong_name_is_not_served(keeper: Keeper, store: Store) -> None:
    path = state_path(store, state(3).digest)
    save(path, parameters(9.0), step=3, chain_hash=START)
    keeper.reopen([state(3)])
    assert keeper.load(Kind.MANIFEST, state(3).digest) is None
    assert not path.exists()


def test_an_adopted_state_is_served_and_on_disk(keeper: Keeper, store: Store) -> None:
    keeper.adopt(state(3), parameters())
    assert keeper.load(Kind.MANIFEST, state(3).digest) == manifest(parameters(), 3)
    assert state_path(store, state(3).digest).exists()


def test_a_state_that_the_disk_refused_is_kept_at_the_next_try(
    keeper: Keeper, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> bytes:
        raise CheckpointError("the disk is full")

    keeper.candidate(parameters(), 3, START)
    with monkeypatch.context() as patch:
        patch.setattr("psyche_client.keeper.save", full)
        with pytest.raises(CheckpointError):
            keeper.keep([state(3)])
    assert keeper.keep([state(3)]) == [state(3)]
    assert state_path(store, state(3).digest).exists()


MOMENTUM = {"momentum": np.arange(6, dtype=np.float32), "rounds": np.zeros((0, 4), np.int64)}


def kept_with_momentum(keeper: Keeper) -> AgreedState:
    keeper.candidate(parameters(), 3, START, MOMENTUM)
    keeper.keep([state(3)])
    keeper.keep_momenta()
    return state(3)


def test_the_momentum_lies_beside_an_agreed_state(keeper: Keeper, store: Store) -> None:
    of = kept_with_momentum(keeper)
    found = load_momentum(store, of.digest, START)
    assert found is not None
    assert found.keys() == MOMENTUM.keys()
    assert all(np.array_equal(found[name], MOMENTUM[name]) for name in MOMENTUM)


def test_the_momentum_of_a_state_that_was_voted_down_is_not_written(
    keeper: Keeper, store: Store
) -> None:
    keeper.candidate(parameters(), 3, START, MOMENTUM)
    keeper.keep([state(3, value=2.0)])
    keeper.keep_momenta()
    assert list(store.states.iterdir()) == []


def test_a_momentum_is_kept_as_long_as_its_state(keeper: Keeper, store: Store) -> None:
    of = kept_with_momentum(keeper)
    keeper.keep([of])
    assert momentum_path(store, of.digest).exists()
    keeper.candidate(parameters(2.0), 4, START)
    keeper.keep([state(4, value=2.0)])
    assert [path.stem for path in store.states.iterdir()] == [state(4, value=2.0).digest.hex()]


def test_a_state_comes_to_disk_before_its_momentum(keeper: Keeper, store: Store) -> None:
    keeper.candidate(parameters(), 3, START, MOMENTUM)
    keeper.keep([state(3)])
    assert [path.name for path in store.states.iterdir()] == [
        f"{state(3).digest.hex()}.safetensors"
    ]


def test_a_momentum_that_the_disk_refused_is_let_go(
    keeper: Keeper, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise CheckpointError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("psyche_client.keeper.save_momentum", full)
        with pytest.raises(CheckpointError):
            kept_with_momentum(keeper)
    keeper.keep_momenta()
    assert state_path(store, state(3).digest).exists()
    assert not momentum_path(store, state(3).digest).exists()


def test_a_damaged_state_is_deleted_with_its_momentum(keeper: Keeper, store: Store) -> None:
    of = kept_with_momentum(keeper)
    state_path(store, of.digest).write_bytes(b"torn")
    Keeper(store).reopen([of])
    assert list(store.states.iterdir()) == []


def test_an_adopted_state_brings_no_momentum_of_an_earlier_life(
    keeper: Keeper, store: Store
) -> None:
    of = kept_with_momentum(keeper)
    keeper.adopt(of, parameters())
    assert not momentum_path(store, of.digest).exists()


def test_what_a_kill_left_half_written_is_cleared(keeper: Keeper, store: Store) -> None:
    torn = store.states / ".0123.safetensors.abcd"
    torn.write_bytes(b"half of it")
    keeper.reopen([])
    assert not torn.exists()


def test_ones_own_payload_is_not_served_before_train_closes(keeper: Keeper, store: Store) -> None:
    own = store.put_payload(0, 0, 1, b"own")
    other = store.put_payload(0, 0, 2, b"another's")
    keeper.hold_back(own)
    assert (keeper.may_serve(own), keeper.may_serve(other)) == (False, True)
    keeper.release()
    assert keeper.may_serve(own)
    assert keeper.load(Kind.PAYLOAD, own) == b"own"


def test_a_settled_round_is_served_by_the_history_that_it_continues(
    keeper: Keeper, store: Store
) -> None:
    first = settled(0, {1: b"a payload"})
    store.append_round(first)
    assert keeper.load(Kind.HISTORY, START) == first.to_json().encode()
    assert keeper.load(Kind.HISTORY, first.chain_hash) is None


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.name)
def test_what_is_not_here_is_none(keeper: Keeper, kind: Kind) -> None:
    assert keeper.load(kind, bytes(32)) is None
