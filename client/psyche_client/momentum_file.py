"""A client's own momentum as of an agreed state, on disk beside the parameters.

It is this client's alone: no digest covers it, no peer gives or gets it, no parameter depends on
it. Without it a client goes on with a momentum of zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from psyche_client.model.checkpoint import load_tensors, save_tensors
from psyche_client.model.errors import CheckpointError
from psyche_client.store import Store

Arrays = Mapping[str, npt.NDArray[Any]]
"""A momentum and what was in flight, as `Trainer.momentum_state` gives them."""


def momentum_path(store: Store, state_digest: bytes) -> Path:
    """Where the momentum as of an agreed state lies."""
    return store.states / f"{state_digest.hex()}.momentum.safetensors"


def save_momentum(store: Store, state_digest: bytes, chain_hash: bytes, momentum: Arrays) -> None:
    """Writes the momentum as of an agreed state, atomically and durably.

    Raises:
        CheckpointError: the disk refuses it.
    """
    path = momentum_path(store, state_digest)
    save_tensors(path, momentum, _metadata(state_digest, chain_hash, momentum))


def load_momentum(
    store: Store, state_digest: bytes, chain_hash: bytes
) -> dict[str, npt.NDArray[Any]] | None:
    """The momentum as of this state and history; None if there is none on this disk.

    Raises:
        CheckpointError: it is damaged, or of another state.
    """
    path = momentum_path(store, state_digest)
    if not path.exists():
        return None
    momentum, found = load_tensors(path)
    if found != _metadata(state_digest, chain_hash, momentum):
        raise CheckpointError(f"{path}: damaged, or saved with another state; expected its sha256")
    return momentum


def _metadata(state_digest: bytes, chain_hash: bytes, momentum: Arrays) -> dict[str, str]:
    # safetensors has no checksum of its own. The chain hash tells runs apart whose parameters are
    # the same, as all are that start from one seed.
    total = sha256()
    for name, values in sorted(momentum.items()):
        total.update(f"{name} {values.dtype.str} {values.shape};".encode())
        total.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return {
        "state": state_digest.hex(),
        "chain_hash": chain_hash.hex(),
        "sha256": total.hexdigest(),
    }
