"""Sequences from shards on this machine, memory-mapped, each block checked before its first use."""

import hashlib
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from .errors import DataError
from .manifest import BLOCK_BYTES, TOKENIZER_NAME, Manifest, Shard
from .tokenizer import Tokenizer

_REPAIR: Final = "prepare the data again, or fetch it again from where it came"


class LocalShards:
    """A prepared corpus in a folder.

    Example:
        shards = LocalShards(folder, merkle_root=document.data.merkle_root)
        batch = shards.sequences(np.array([3, 1, 4]))  # [3, sequence_tokens + 1]
    """

    def __init__(
        self,
        folder: Path,
        *,
        split: Literal["train", "val"] = "train",
        sequence_tokens: int | None = None,
        tokenizer_sha256: bytes | None = None,
        merkle_root: bytes | None = None,
    ) -> None:
        """Open and check counts, sizes, and the hashes that the run names (DataError)."""
        self.folder = folder
        self.manifest = Manifest.read(folder)
        _check_against_run(self.manifest, folder, tokenizer_sha256, merkle_root)
        self.sequence_tokens = sequence_tokens or self.manifest.sequence_tokens
        self._files = [
            _File(folder, s, self.manifest) for s in getattr(self.manifest, split).shards
        ]
        counts = [file.shard.tokens for file in self._files]
        self._starts = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))

    @property
    def tokens(self) -> int:
        """Tokens in all shards of this split."""
        return int(self._starts[-1])

    @property
    def count(self) -> int:
        """How many sequences there are; ids run from 0 to count - 1."""
        return max(0, self.tokens - 1) // self.sequence_tokens

    def sequences(self, ids: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
        """Tokens [n, sequence_tokens + 1] of sequences `ids` [n]; i begins at token i * length.

        Neighbours share one token: the last target of one is the first input of the next.
        DataError for an id out of range or a block that is not what the manifest says.
        """
        wanted = np.asarray(ids, dtype=np.int64).reshape(-1)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= self.count):
            raise DataError(f"sequence ids must be from 0 to {self.count - 1}")
        offsets = np.arange(self.sequence_tokens + 1, dtype=np.int64)
        positions = wanted[:, None] * self.sequence_tokens + offsets
        found = np.empty(positions.shape, dtype=np.int64)
        owners = np.searchsorted(self._starts, positions, side="right") - 1
        for index in np.unique(owners):
            mask = owners == index
            found[mask] = self._files[index].read(positions[mask] - self._starts[index])
        if found.size and found.max() >= self.manifest.vocab_size:
            raise DataError(f"{self.folder}: a token is outside the vocabulary", hint=_REPAIR)
        return found

    def tokenizer(self) -> Tokenizer:
        """The corpus' tokenizer, checked against the manifest's sha256."""
        tokenizer = Tokenizer.load(self.folder / TOKENIZER_NAME)
        if tokenizer.sha256 != self.manifest.tokenizer_sha256:
            raise DataError(
                f"{self.folder / TOKENIZER_NAME} is not the tokenizer of these shards",
                hint=_REPAIR,
            )
        return tokenizer

    def verify(self) -> None:
        """Check every block now; DataError for the first that differs."""
        for file in self._files:
            file.check(np.arange(len(file.shard.blocks)))


class _File:
    """One memory-mapped shard; remembers which of its blocks were checked."""

    def __init__(self, folder: Path, shard: Shard, manifest: Manifest) -> None:
        self.shard, self.path = shard, folder / shard.name
        self._item_bytes = manifest.item_bytes
        expected = shard.tokens * manifest.item_bytes
        try:
            size = self.path.stat().st_size
            if size != expected:
                word = "truncated" if size < expected else "too long"
                raise DataError(
                    f"{self.path} is {word}: {size} bytes, not {expected}", hint=_REPAIR
                )
            self._tokens = np.memmap(self.path, dtype=manifest.numpy_dtype, mode="r")
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot read the shard ({error.strerror})", hint=_REPAIR
            ) from error
        self._checked = np.zeros(len(shard.blocks), dtype=bool)

    def read(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        self.check(np.unique(positions * self._item_bytes // BLOCK_BYTES))
        return self._tokens[positions].astype(np.int64)

    def check(self, blocks: npt.NDArray[np.int64]) -> None:
        items = BLOCK_BYTES // self._item_bytes
        for block in blocks[~self._checked[blocks]]:
            data = self._tokens[block * items : (block + 1) * items]
            if hashlib.sha256(data.tobytes()).digest() != self.shard.blocks[block]:
                raise DataError(
                    f"{self.path}: block {block} has another sha256 than the manifest says",
                    hint=_REPAIR,
                )
            self._checked[block] = True


def _check_against_run(
    manifest: Manifest, folder: Path, tokenizer: bytes | None, root: bytes | None
) -> None:
    if tokenizer is not None and manifest.tokenizer_sha256 != tokenizer:
        raise DataError(
            f"{folder} was made with another tokenizer than the run names",
            hint="prepare the data with the run's tokenizer",
        )
    if root is not None and manifest.merkle_root() != root:
        raise DataError(
            f"{folder} holds other data than the run names (Merkle roots differ)",
            hint="use the run's data; its sources stand in model.json",
        )
