"""Back in step: an agreed state from this disk or from peers, then every settled round since.

Nothing that a peer says is believed: the manifest must have the digest on chain, each piece the
hash in the manifest, each settled round must continue the chain hash, each payload must have its
commitment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import numpy as np
import numpy.typing as npt

from psyche_client.events import EventLog
from psyche_client.fetching import Fetcher
from psyche_client.model.checkpoint import load as load_checkpoint
from psyche_client.model.digest import (
    Manifest,
    digest,
    empty_parameters,
    parse_manifest,
    verify_piece,
    write_piece,
)
from psyche_client.model.errors import ModelError
from psyche_client.momentum_file import momentum_path
from psyche_client.network import Exchange, FetchFailed, Kind
from psyche_client.payloads import PayloadKey, WantedPayload
from psyche_client.seen import AgreedState
from psyche_client.store import SettledRound, Store
from psyche_sdk.views import node_of

Parameters = dict[str, npt.NDArray[np.float32]]

MANIFEST_SECONDS = 10.0
PIECE_SECONDS = 120.0
HISTORY_SECONDS = 3.0
MANIFEST_BYTES_MAX = 64 << 20
HISTORY_BYTES_MAX = 1 << 20


def state_path(store: Store, state_digest: bytes) -> Path:
    """Where an agreed state lies."""
    return store.states / f"{state_digest.hex()}.safetensors"


def forget_state(store: Store, state_digest: bytes) -> None:
    """Deletes a state, and this client's momentum as of it."""
    state_path(store, state_digest).unlink(missing_ok=True)
    momentum_path(store, state_digest).unlink(missing_ok=True)


def local_state(
    store: Store, states: Iterable[AgreedState]
) -> tuple[AgreedState, Parameters] | None:
    """The newest agreed state that lies whole on this disk."""
    for state in sorted(states, key=lambda s: s.step, reverse=True):
        path = state_path(store, state.digest)
        if not path.exists():
            continue
        try:
            return state, dict(load_checkpoint(path, expected_digest=state.digest).parameters)
        except ModelError:
            forget_state(store, state.digest)  # damaged: peers have it
    return None


async def _all_or_none(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Waits for all of them; the first failure ends the others too, and is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Resync:
    """Rebuilds the parameters of a run from peers."""

    def __init__(
        self,
        exchange: Exchange,
        store: Store,
        fetcher: Fetcher,
        log: EventLog,
        shapes: dict[str, tuple[int, ...]],
    ) -> None:
        self._exchange, self._store, self._fetcher = exchange, store, fetcher
        self._log, self._shapes = log, shapes
        self.fetched_bytes = 0

    async def state(self, agreed: AgreedState) -> Parameters:
        """The parameters with this digest: from a file, or piece by piece from many peers.

        A file counts only if a kept checkpoint names it. Who published is asked first.

        Raises:
            FetchFailed: no peer gave all of it in time.
            ModelError: the digest is of another model than the run's.
        """
        found = await asyncio.to_thread(self._from_file, agreed)
        if found is not None:
            return found
        hints = [node for uri in agreed.sources if (node := node_of(uri)) is not None]
        raw = await self._exchange.fetch_blob(
            Kind.MANIFEST,
            agreed.digest,
            lambda data: digest(data) == agreed.digest,
            hints,
            timeout=MANIFEST_SECONDS,
            max_size=MANIFEST_BYTES_MAX,
        )
        manifest = parse_manifest(raw)
        manifest.check_shapes(self._shapes)
        parameters = empty_parameters(manifest)
        pieces = [(name, i) for name in self._shapes for i in range(len(manifest.pieces(name)))]
        await _all_or_none([self._piece(parameters, manifest, hints, *piece) for piece in pieces])
        self.fetched_bytes += len(raw)
        self._log.write("fetched", what="manifest", bytes=len(raw), seconds=0.0)
        return parameters

    def _from_file(self, agreed: AgreedState) -> Parameters | None:
        """The parameters from a file that a checkpoint names, if there is one on this machine."""
        for uri in agreed.sources:
            place = urlparse(uri)
            path = Path(unquote(place.path))
            if place.scheme != "file" or not path.is_file():
                continue
            try:
                found = dict(load_checkpoint(path, expected_digest=agreed.digest).parameters)
            except ModelError as error:
                self._log.write("error", message=str(error))
                continue
            if {name: values.shape for name, values in found.items()} == self._shapes:
                return found
        return None

    async def _piece(
        self,
        parameters: Parameters,
        manifest: Manifest,
        hints: list[bytes],
        name: str,
        index: int,
    ) -> None:
        def right(data: bytes) -> bool:
            verify_piece(manifest, name, index, data)
            return True

        size = manifest.entry(name).piece_bytes(index)
        key = manifest.pieces(name)[index]
        data = await self._exchange.fetch_blob(
            Kind.PIECE, key, right, hints, timeout=PIECE_SECONDS, max_size=size
        )
        write_piece(parameters, manifest, name, index, data)
        self.fetched_bytes += len(data)
        self._log.write("fetched", what="piece", bytes=len(data), seconds=0.0)

    async def next_round(self, chain_hash: bytes, *, doubts: bool = False) -> SettledRound | None:
        """The settled round after this history, from this disk or from a peer; with doubts in
        what lies on this disk, from a peer first.

        Its payloads are on this disk when it comes back. None: nobody has it, or not all of its
        payloads any more; only a newer agreed state leads on then.
        """
        settled = await self._ask(chain_hash) if doubts else None
        settled = settled or self._store.round_after(chain_hash)
        if settled is None and not doubts:
            settled = await self._ask(chain_hash)
        if settled is None:
            return None
        payloads = (self._payload(settled, *member) for member in settled.members)
        return settled if all(await asyncio.gather(*payloads)) else None

    async def _ask(self, chain_hash: bytes) -> SettledRound | None:
        def continues(data: bytes) -> bool:
            return SettledRound.from_json(data).follows(chain_hash)

        try:
            data = await self._exchange.fetch_blob(
                Kind.HISTORY,
                chain_hash,
                continues,
                timeout=HISTORY_SECONDS,
                max_size=HISTORY_BYTES_MAX,
            )
        except FetchFailed:
            return None
        self._log.write("fetched", what="record", bytes=len(data), seconds=0.0)
        return SettledRound.from_json(data)

    async def _payload(
        self, settled: SettledRound, slot: int, member: int, commitment: bytes
    ) -> bool:
        if self._store.holds(commitment):
            return True
        key = PayloadKey(
            epoch=settled.epoch,
            round=settled.round,
            slot=slot,
            member_id=member,
            step=settled.step,
        )
        wanted = WantedPayload(key=key, commitment=commitment)
        try:
            await self._fetcher.bring(wanted, PIECE_SECONDS)
        except FetchFailed:
            return False
        return self._store.holds(commitment)
