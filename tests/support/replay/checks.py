"""Compares a replay with what clients and chain say of the same run."""

import json
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import demand
from .folder import State, read_folder, read_safetensors
from .run import Replayed, replay_rounds

PIECE_BYTES = 4 << 20


@dataclass(frozen=True)
class Report:
    """What was compared.

    Attributes:
        accepted: payloads that were applied; `refused`: accepted ones that broke the format.
        states: steps at which the members agreed on the digest that the replay has too.
        clients: whose files equal the replay bit for bit.
    """

    rounds: int
    step: int
    digest: str
    chain_hash: str
    accepted: int
    refused: int
    states: tuple[int, ...]
    clients: tuple[str, ...]


def digest(parameters: Mapping[str, NDArray[np.float32]], step: int) -> bytes:
    """sha256 of the manifest: step, then name, shape and sha256 of each 4 MiB piece."""
    text = struct.pack("<4sIQI", b"PSYM", 1, step, len(parameters))
    for name in sorted(parameters, key=str.encode):
        value, encoded = parameters[name], name.encode()
        data = value.astype("<f4").tobytes()
        pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
        text += struct.pack("<H", len(encoded)) + encoded
        text += struct.pack(f"<B{value.ndim}Q", value.ndim, *value.shape)
        text += struct.pack("<I", len(pieces)) + b"".join(sha256(p).digest() for p in pieces)
    return sha256(text).digest()


def check_folder(path: Path, result: Mapping[str, Any] | None = None) -> Report:
    """Replays the folder and holds clients and chain to it.

    Args:
        path: the folder that `psyche demo --out` wrote.
        result: the object that `psyche demo --json` printed, if it is at hand.

    Raises:
        ReplayError: something differs; the message says what.
    """
    folder = read_folder(path)
    waiting, agreed, accepted, refused = folder.states, [], 0, 0
    for now in replay_rounds(folder):
        accepted, refused = accepted + now.accepted, refused + now.refused
        here = [state for state in waiting if state.chain_hash == now.chain_hash]
        agreed += [_agree(now, state) for state in here]
        waiting = [state for state in waiting if state not in here]
    demand(not waiting, "the chain keeps an agreed state that no replayed round leads to")
    demand(now.chain_hash == folder.run.raw("chain_hash"), "the run account has another chain hash")
    step = folder.run.whole("step")
    final = digest(now.parameters, step).hex()
    clients = _check_clients(path, now, final)
    if result is not None:
        _check_result(result, now, final, clients)
    return Report(
        rounds=len(folder.rounds),
        step=step,
        digest=final,
        chain_hash=now.chain_hash.hex(),
        accepted=accepted,
        refused=refused,
        states=tuple(sorted(agreed)),
        clients=clients,
    )


def _agree(now: Replayed, state: State) -> int:
    found = digest(now.parameters, state.step)
    demand(found == state.digest, f"the members agreed on another digest at step {state.step}")
    return state.step


def _check_clients(path: Path, now: Replayed, final: str) -> tuple[str, ...]:
    """Compares each client that came to its end; a killed one has no last word."""
    ended = []
    for home in sorted(path.glob("client-*")):
        stop = _last_word(home / "events.jsonl")
        if stop is None:
            continue
        demand(stop["digest"] == final, f"{home.name} ended with another digest")
        _same_bits(home.name, read_safetensors(home / "model.safetensors"), now.parameters)
        ended.append(home.name)
    demand(bool(ended), "no client came to its end")
    return tuple(ended)


def _last_word(events: Path) -> dict[str, Any] | None:
    """The event with which a client ends; a line that a kill tore is no event."""
    last = None
    for line in events.read_text().splitlines():
        with suppress(ValueError):
            event = json.loads(line)
            last = event if event["event"] == "stop" else last
    return last


def _same_bits(
    client: str,
    found: Mapping[str, NDArray[np.float32]],
    wanted: Mapping[str, NDArray[np.float32]],
) -> None:
    demand(found.keys() == wanted.keys(), f"{client} has other parameters")
    for name, value in wanted.items():
        same = found[name].shape == value.shape and found[name].tobytes() == value.tobytes()
        demand(same, f"{client} has other bits in {name}")


def _check_result(
    result: Mapping[str, Any], now: Replayed, final: str, clients: tuple[str, ...]
) -> None:
    demand(result["chain_hash"] == now.chain_hash.hex(), "the result names another chain hash")
    demand(set(result["digests"]) == set(clients), "the result names other clients")
    demand(set(result["digests"].values()) == {final}, "the result names another digest")
