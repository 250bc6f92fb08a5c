"""What a client gives to others: payloads, agreed parameters piece by piece, settled rounds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psyche_client.model.checkpoint import load, save
from psyche_client.model.digest import (
    Manifest,
    Parameters,
    digest,
    manifest,
    parse_manifest,
    read_piece,
)
from psyche_client.model.errors import ModelError
from psyche_client.momentum_file import Arrays, momentum_path, save_momentum
from psyche_client.network import Kind
from psyche_client.resync import forget_state, state_path
from psyche_client.seen import AgreedState
from psyche_client.store import Store


@dataclass(frozen=True, slots=True)
class _Served:
    manifest: bytes
    parameters: Parameters
    places: dict[bytes, tuple[str, int]]
    """sha256 of a piece -> (parameter, number of the piece)."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    step: int
    chain_hash: bytes
    served: _Served
    momentum: Arrays | None


class Keeper:
    """The store seen by peers (`BlobSource`): agreed states beside payloads and history.

    A state is held as a candidate from the vote on, and kept on disk once the chain has agreed.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held_back: bytes | None = None
        self._candidates: dict[bytes, _Candidate] = {}
        self._momenta: dict[bytes, tuple[bytes, Arrays]] = {}
        self._served: dict[bytes, _Served] = {}

    def candidate(
        self,
        parameters: Parameters,
        step: int,
        chain_hash: bytes,
        momentum: Arrays | None = None,
    ) -> bytes:
        """Takes a copy of parameters under vote; returns their digest.

        Args:
            momentum: this client's own at the same moment. It is kept as it is, not copied.
        """
        copy = {name: values.copy() for name, values in parameters.items()}
        served = _serve(copy, step)
        found = digest(served.manifest)
        self._candidates = {
            kept: value for kept, value in self._candidates.items() if value.step + 1 >= step
        }
        self._candidates[found] = _Candidate(step, chain_hash, served, momentum)
        return found

    def keep(self, states: Iterable[AgreedState]) -> list[AgreedState]:
        """Keeps the agreed states that are at hand and forgets all others; returns new ones.

        Raises:
            CheckpointError: the disk refuses one.
        """
        agreed = {state.digest: state for state in states}
        new = []
        for found, state in agreed.items():
            if found in self._served or found not in self._candidates:
                continue
            held = self._candidates[found]
            path = state_path(self._store, found)
            save(path, held.served.parameters, step=held.step, chain_hash=held.chain_hash)
            del self._candidates[found]  # only now: what the disk refused is tried again
            self._served[found] = held.served
            if held.momentum is not None:
                self._momenta[found] = held.chain_hash, held.momentum
            new.append(state)
        self._forget(agreed)
        return new

    def keep_momenta(self) -> None:
        """Writes this client's momentum as of the states that were kept last.

        It is a call of its own, so that a state is served whatever becomes of the momentum.

        Raises:
            CheckpointError: the disk refuses one. It is let go, not tried again.
        """
        while self._momenta:
            found, (chain_hash, momentum) = self._momenta.popitem()
            save_momentum(self._store, found, chain_hash, momentum)

    def serves(self, found: bytes) -> bool:
        """Whether peers can fetch the state with this digest here."""
        return found in self._served

    def adopt(self, state: AgreedState, parameters: Parameters) -> None:
        """Keeps and serves a state that was made from the seed or came from peers.

        Raises:
            CheckpointError: the disk refuses it.
        """
        path = state_path(self._store, state.digest)
        # Whoever begins anew has no momentum, and none after a restart, whatever is left here.
        momentum_path(self._store, state.digest).unlink(missing_ok=True)
        if not path.exists():
            save(path, parameters, step=state.step, chain_hash=state.chain_hash)
        copy = {name: values.copy() for name, values in parameters.items()}
        self._served[state.digest] = _serve(copy, state.step)

    def reopen(self, states: Iterable[AgreedState]) -> None:
        """Serves again what an earlier process left on disk, and clears what it left torn."""
        for torn in self._store.states.glob(".*"):
            torn.unlink(missing_ok=True)  # it was killed while it wrote
        for state in states:
            path = state_path(self._store, state.digest)
            if state.digest in self._served or not path.exists():
                continue
            try:
                loaded = load(path, expected_digest=state.digest)
            except ModelError:
                forget_state(self._store, state.digest)
                continue
            self._served[state.digest] = _serve(loaded.parameters, state.step)

    def load(self, kind: Kind, key: bytes) -> bytes | None:
        """A blob for a peer; called in a worker thread."""
        if kind is Kind.PAYLOAD:
            return self._store.payload(key)
        if kind is Kind.HISTORY:
            settled = self._store.round_after(key)
            return settled.to_json().encode() if settled is not None else None
        if kind is Kind.MANIFEST:
            served = self._served.get(key)
            return served.manifest if served is not None else None
        for served in list(self._served.values()):
            if key in served.places:
                return read_piece(served.parameters, *served.places[key])
        return None

    def may_serve(self, commitment: bytes) -> bool:
        """Whether Train of this payload's round has closed, as far as is known here."""
        return commitment != self._held_back

    def hold_back(self, commitment: bytes) -> None:
        """This client's own payload is kept to itself, so that nobody copies before committing."""
        self._held_back = commitment

    def release(self) -> None:
        """Train of the own payload's round has closed: whoever wants it may have it."""
        self._held_back = None

    def _forget(self, agreed: Iterable[bytes]) -> None:
        wanted = set(agreed)
        for found in [d for d in self._served if d not in wanted]:
            del self._served[found]
        self._momenta = {d: momentum for d, momentum in self._momenta.items() if d in wanted}
        names = {d.hex() for d in wanted}
        for path in self._store.states.glob("*.safetensors"):
            if path.name.partition(".")[0] not in names:
                path.unlink(missing_ok=True)


def _serve(parameters: Parameters, step: int) -> _Served:
    raw = manifest(parameters, step)
    return _Served(raw, parameters, _places(parse_manifest(raw), parameters))


def _places(of: Manifest, parameters: Parameters) -> dict[bytes, tuple[str, int]]:
    return {
        piece: (name, index) for name in parameters for index, piece in enumerate(of.pieces(name))
    }
