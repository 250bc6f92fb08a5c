"""Tokens of documents, one after the other, into shards of equal length."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from psyche_client.store import write_durably

from .journal import Written
from .manifest import BLOCK_BYTES, Shard

#: 128 MiB of uint16; a multiple of a block.
SHARD_TOKENS: Final = 64 << 20

Tokens = npt.NDArray[np.unsignedinteger[Any]]


class SplitWriter:
    """The shards of one split; `keep` is called when one more is whole."""

    def __init__(
        self,
        folder: Path,
        split: str,
        written: Written,
        keep: Callable[[], None],
        *,
        shard_tokens: int = SHARD_TOKENS,
    ) -> None:
        """Go on behind what is `written`, which is kept up to date."""
        self._folder, self._split, self._written, self._keep = folder, split, written, keep
        self._shard_tokens = shard_tokens
        self._buffer: list[Tokens] = []
        self._size = 0

    def add(self, document: int, tokens: Tokens) -> None:
        """Takes the documents in order, without those that earlier shards hold whole."""
        whole = len(tokens)
        if document == self._written.document:
            tokens = tokens[self._written.tokens :]
        self._buffer.append(tokens)
        self._size += len(tokens)
        while self._size >= self._shard_tokens:
            flat = np.concatenate(self._buffer)
            self._buffer = [flat[self._shard_tokens :]]
            self._size -= self._shard_tokens
            name = f"{self._split}-{len(self._written.shards):05}.bin"
            self._write(name, flat[: self._shard_tokens], document, whole - self._size)

    def finish(self, documents: int) -> None:
        """Writes what is left; `documents` are all that there were."""
        if self._size:
            number = len(self._written.shards)
            alone = self._split == "val" and not number
            name = "val.bin" if alone else f"{self._split}-{number:05}.bin"
            self._write(name, np.concatenate(self._buffer), documents, 0)
            self._buffer, self._size = [], 0

    def _write(self, name: str, tokens: Tokens, document: int, position: int) -> None:
        raw = tokens.tobytes()
        blocks = (raw[at : at + BLOCK_BYTES] for at in range(0, len(raw), BLOCK_BYTES))
        write_durably(self._folder / name, raw)
        digests = tuple(hashlib.sha256(block).digest() for block in blocks)
        self._written.shards.append(Shard(name, len(tokens), digests))
        self._written.document, self._written.tokens = document, position
        self._keep()
