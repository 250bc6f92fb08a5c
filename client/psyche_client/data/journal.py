"""`prepare.json` beside the shards: what a folder is made from, and how far that came.

A preparation that was ended at any moment goes on behind its last whole shard.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from psyche_client.store import write_durably

from .errors import DataError
from .manifest import (
    BLOCK_BYTES,
    MANIFEST_NAME,
    TOKENIZER_NAME,
    Shard,
    shard_from_json,
    shard_to_json,
)
from .sources import Source
from .survey import Survey

JOURNAL_NAME: Final = "prepare.json"
_VERSION: Final = 1
_HINT: Final = "repeat the arguments to go on, name another folder, or delete this one"

Arguments = Mapping[str, str | int | float | None]


@dataclass(slots=True)
class Written:
    """What of a split lies in whole shards.

    Attributes:
        document: the document in which the next shard begins, counted over both splits.
        tokens: how many tokens of that document lie in the shards already.
    """

    shards: list[Shard] = field(default_factory=list)
    document: int = 0
    tokens: int = 0


@dataclass(slots=True)
class Journal:
    """One preparation, from its first reading to its last shard."""

    arguments: Arguments
    survey: Survey
    tokenizer_sha256: bytes
    dtype: str
    train: Written = field(default_factory=Written)
    val: Written = field(default_factory=Written)

    @classmethod
    def read(cls, folder: Path, arguments: Arguments) -> Self | None:
        """What lies in a folder, None if nothing does; DataError if it has other arguments."""
        path = folder / JOURNAL_NAME
        if not path.exists():
            if (folder / MANIFEST_NAME).exists():
                raise DataError(f"{folder} holds other data already", hint=_HINT)
            return None
        try:
            body = json.loads(path.read_text(encoding="ascii"))
            if body["version"] != _VERSION:
                raise DataError(f"{path} has another version", hint=_HINT)
            _check_arguments(folder, body["arguments"], arguments)
            return cls._from_json(body)
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"{path} is damaged", hint=f"delete {folder} and begin again"
            ) from error

    def is_right(self, folder: Path) -> bool:
        """Whether the folder still holds all that was written."""
        try:
            if sha256((folder / TOKENIZER_NAME).read_bytes()).digest() != self.tokenizer_sha256:
                return False
            for shard in (*self.train.shards, *self.val.shards):
                with (folder / shard.name).open("rb") as file:
                    blocks = iter(partial(file.read, BLOCK_BYTES), b"")
                    if tuple(sha256(block).digest() for block in blocks) != shard.blocks:
                        return False
        except FileNotFoundError:
            return False
        return True

    @classmethod
    def _from_json(cls, body: Mapping[str, Any]) -> Self:
        survey, held_out = body["survey"], body["survey"]["held_out"]
        return cls(
            body["arguments"],
            Survey(
                int(survey["characters"]),
                None if held_out is None else (int(held_out[0]), int(held_out[1])),
                tuple(survey["sources"]),
            ),
            bytes.fromhex(body["tokenizer_sha256"]),
            body["dtype"],
            _written(body["train"], body["dtype"]),
            _written(body["val"], body["dtype"]),
        )

    def write(self, folder: Path) -> None:
        """Keeps it, whole or not at all."""
        body = {
            "arguments": dict(self.arguments),
            "dtype": self.dtype,
            "survey": {
                "characters": self.survey.characters,
                "held_out": self.survey.held_out,
                "sources": self.survey.sources,
            },
            "tokenizer_sha256": self.tokenizer_sha256.hex(),
            "train": _written_to_json(self.train),
            "val": _written_to_json(self.val),
            "version": _VERSION,
        }
        text = json.dumps(body, sort_keys=True, indent=1) + "\n"
        write_durably(folder / JOURNAL_NAME, text.encode("ascii"))


def fingerprint(sources: Iterable[Source]) -> str:
    """Changes with the names, sizes and times of the files; DataError if one cannot be read."""
    digest = sha256()
    for source in sources:
        try:
            about = source.path.stat()
        except OSError as error:
            raise DataError(f"{source.path}: cannot read it ({error.strerror})") from error
        digest.update(f"{source.name}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _check_arguments(folder: Path, old: Arguments, new: Arguments) -> None:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) == new.get(name):
            continue
        if name == "sources":
            raise DataError(
                f"{folder} is made from other files, or one of them changed since", hint=_HINT
            )
        raise DataError(
            f"{folder} is made with {name} {old.get(name)}, not {new.get(name)}", hint=_HINT
        )


def _written(body: Mapping[str, Any], dtype: str) -> Written:
    shards = [shard_from_json(item, np.dtype(dtype).itemsize) for item in body["shards"]]
    return Written(shards, int(body["document"]), int(body["tokens"]))


def _written_to_json(written: Written) -> dict[str, object]:
    return {
        "document": written.document,
        "shards": [shard_to_json(shard) for shard in written.shards],
        "tokens": written.tokens,
    }
