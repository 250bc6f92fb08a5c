"""Checkpoints: safetensors files that are whole or absent, and are checked by digest when read.

The file's metadata holds step, digest and chain hash, so a file tells what it claims to be, and
`load` recomputes the digest before anything trusts it.
"""

import contextlib
import errno
import json
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .config import ModelConfig
from .digest import Parameters, digest_of
from .errors import CheckpointError
from .hf import config_from_hf, config_to_hf

_HASH_HEX: Final = 64
#: A header with the names of tens of thousands of tensors fits.
_HEADER_BYTES_MAX: Final = 16 << 20
_STEP_MAX: Final = 1 << 64
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Parameters and what they are: the step, their digest, the chain hash they stand for."""

    parameters: dict[str, npt.NDArray[np.float32]]
    step: int
    digest: bytes
    chain_hash: bytes


def save(path: Path, parameters: Parameters, *, step: int, chain_hash: bytes) -> bytes:
    """Write a checkpoint atomically and return its digest. CheckpointError if the disk is full."""
    found = digest_of(parameters, step)
    metadata = {
        "format": "pt",  # transformers opens no other
        "step": str(step),
        "digest": found.hex(),
        "chain_hash": chain_hash.hex(),
    }
    save_tensors(path, parameters, metadata)
    return found


def load(path: Path, *, expected_digest: bytes | None = None) -> Checkpoint:
    """Read a checkpoint; CheckpointError if damaged or, where given, of another digest."""
    tensors, metadata = load_tensors(path)
    step, claimed, chain_hash = _read_metadata(path, metadata)
    for name, array in tensors.items():
        if array.dtype != np.float32:
            raise CheckpointError(f"{path}: {name} is {array.dtype}, not float32")
    found = digest_of(tensors, step)
    if found != claimed or (expected_digest is not None and found != expected_digest):
        raise CheckpointError(
            f"{path}: the parameters have another digest than they should",
            hint="delete the file; a peer or the run's init seed gives them again",
        )
    return Checkpoint(tensors, step, found, chain_hash)


def save_tensors(
    path: Path, tensors: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, str]
) -> None:
    """Write any tensors and text metadata as one safetensors file, atomically and durably.

    The same tensors and metadata give the same bytes, always.
    """
    from safetensors.numpy import save_file  # noqa: PLC0415  # 50 ms that many commands do not need

    whole = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    with _atomic(path) as temporary:
        save_file(whole, temporary, metadata=dict(metadata))
        _sort_metadata(temporary)


def load_tensors(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Tensors by name and text metadata of a safetensors file; CheckpointError if damaged."""
    from safetensors import SafetensorError  # noqa: PLC0415  # as above
    from safetensors.numpy import load_file  # noqa: PLC0415

    try:
        metadata = _metadata(path)
        tensors = load_file(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such checkpoint") from error
    except (OSError, SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: not a whole safetensors file ({error})",
            hint="delete the file; a peer or the run's init seed gives its content again",
        ) from error
    return dict(sorted(tensors.items())), metadata


def export_hf(
    folder: Path, config: ModelConfig, parameters: Parameters, *, tokenizer: Path | None = None
) -> None:
    """Write config.json, model.safetensors and tokenizer.json, as transformers opens them."""
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(folder / "model.safetensors", parameters, {"format": "pt"})
    text = json.dumps(config_to_hf(config), indent=2, sort_keys=True)
    with _atomic(folder / "config.json") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    if tokenizer is not None:
        with _atomic(folder / "tokenizer.json") as temporary:
            shutil.copyfile(tokenizer, temporary)


def import_hf(folder: Path) -> tuple[ModelConfig, dict[str, npt.NDArray[np.float32]]]:
    """Configuration and parameters of a folder that transformers saved, in any type of float.

    Raises:
        ConfigError: `config.json` is another kind of model's.
        CheckpointError: a file is missing or damaged, or its tensors are not the model's.
    """
    from safetensors import SafetensorError  # noqa: PLC0415  # as above
    from safetensors.torch import load_file  # noqa: PLC0415  # numpy has no bfloat16

    files = sorted(folder.glob("*.safetensors"))
    found = {}
    try:
        config = config_from_hf(json.loads((folder / "config.json").read_text(encoding="utf-8")))
        for file in files:
            found.update({name: t.float().numpy() for name, t in load_file(file).items()})
    except (OSError, SafetensorError, AttributeError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{folder}: cannot be read as a folder of transformers ({error})",
            hint="it needs config.json and *.safetensors, as save_pretrained writes them",
        ) from error
    shapes = config.parameter_shapes()
    for name in sorted(found.keys() | shapes.keys()):
        shape = found[name].shape if name in found else None
        if shape != shapes.get(name):
            raise CheckpointError(
                f"{folder}: {name} is {shape}, not {shapes.get(name)}",
                hint="config.json and the tensors must be of one model",
            )
    return config, dict(sorted(found.items()))


@contextlib.contextmanager
def _atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that becomes it, on disk, when the block ends well."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except Exception as error:
        if isinstance(error, CheckpointError):
            raise
        raise _write_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _write_error(path: Path, error: Exception) -> CheckpointError:
    # safetensors reports the disk's errors as text, not as OSError.
    code = getattr(error, "errno", None)
    if code is None and (found := re.search(r"os error (\d+)", str(error))):
        code = int(found[1])
    if code in _FULL:
        return CheckpointError(
            f"{path}: the disk is full, the checkpoint was not written",
            hint="free some space; the checkpoint before this one is untouched",
        )
    return CheckpointError(f"{path}: cannot write the checkpoint ({error})")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sort_metadata(path: Path) -> None:
    """Put the metadata's keys in order: safetensors writes them in another one each time."""
    with path.open("r+b") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) <= length:  # always: the same keys and values, as compact as before
            file.seek(8)
            file.write(text.ljust(length))


def _metadata(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\xff"))
        if length > _HEADER_BYTES_MAX:
            raise ValueError("its header is cut or too long")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is not a table")
    found = header.get("__metadata__", {})
    if not isinstance(found, dict):
        raise ValueError("its metadata is not a table")
    return {str(key): str(value) for key, value in found.items()}


def _read_metadata(path: Path, metadata: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    try:
        step = int(metadata["step"])
        digest = bytes.fromhex(metadata["digest"])
        chain_hash = bytes.fromhex(metadata["chain_hash"])
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: lacks step, digest or chain hash") from error
    if (
        not 0 <= step < _STEP_MAX
        or len(digest) != _HASH_HEX // 2
        or len(chain_hash) != _HASH_HEX // 2
    ):
        raise CheckpointError(f"{path}: step, digest or chain hash is out of range")
    return step, digest, chain_hash
