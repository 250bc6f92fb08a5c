"""Sequences from shards on this machine, memory-mapped, each block checked before its first use.

Blocks that lie elsewhere come in when they are first wanted, or a little before.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from .errors import DataError
from .manifest import BLOCK_BYTES, TOKENIZER_NAME, Manifest, Shard
from .mixture import Mixture
from .remote import Remote
from .tokenizer import Tokenizer

_REPAIR: Final = "prepare the data again, or fetch it again from where it came"


class Shards:
    """A prepared corpus in a folder, or a folder that keeps what of a corpus came in so far.

    Example:
        shards = Shards(folder, merkle_root=document.data.merkle_root)
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
        remote: Remote | None = None,
    ) -> None:
        """Open and check counts, sizes, and the hashes that the run names (DataError).

        With `remote`, which needs both hashes, the folder need not exist: what it lacks is
        fetched, and kept in it.
        """
        self.folder = folder
        self._remote = remote
        if remote is not None:
            if tokenizer_sha256 is None or merkle_root is None:
                raise ValueError("what is fetched must have hashes that it is checked against")
            remote.found(folder, tokenizer_sha256, merkle_root)
        self.manifest = Manifest.read(folder)
        _check_against_run(self.manifest, folder, tokenizer_sha256, merkle_root)
        self.sequence_tokens = sequence_tokens or self.manifest.sequence_tokens
        self._files = [
            _File(folder, shard, self.manifest, remote)
            for shard in getattr(self.manifest, split).shards
        ]
        counts = [file.shard.tokens for file in self._files]
        self._starts = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
        # What is held out is not mixed: its parts follow one another.
        held_out = max(0, self.tokens - 1) // self.sequence_tokens
        mixed, tokens = self.manifest.mixture(self.sequence_tokens), self.manifest.part_tokens
        self._mixture = mixed if split == "train" else Mixture((1,), (held_out,))
        self._part_starts = np.cumsum((0, *tokens[:-1]), dtype=np.int64)

    @property
    def tokens(self) -> int:
        """Tokens in all shards of this split."""
        return int(self._starts[-1])

    @property
    def count(self) -> int:
        """How many sequences there are; ids run from 0 to count - 1."""
        return self._mixture.count

    def sequences(self, ids: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
        """Tokens [n, sequence_tokens + 1] of sequences `ids` [n]; i begins at token i * length.

        Neighbours share one token: the last target of one is the first input of the next. In a
        mixture i is a sequence of one of the data sets (see `mixture`), and begins in that.
        DataError for an id out of range, a block that is not what the manifest says, or one
        that nobody has.
        """
        self.prefetch(ids)
        positions = self._positions(ids)
        found = np.empty(positions.shape, dtype=np.int64)
        for file, mask, inside in self._parts(positions):
            found[mask] = file.read(inside)
        if found.size and found.max() >= self.manifest.vocab_size:
            raise DataError(f"{self.folder}: a token is outside the vocabulary", hint=_REPAIR)
        return found

    def prefetch(self, ids: npt.NDArray[np.integer[Any]]) -> None:
        """Begin to fetch what sequences `ids` need and the folder lacks; does not wait."""
        if self._remote is not None:
            for file, _, inside in self._parts(self._positions(ids)):
                file.begin(inside)

    def _positions(self, ids: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
        wanted = np.asarray(ids, dtype=np.int64).reshape(-1)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= self.count):
            raise DataError(f"sequence ids must be from 0 to {self.count - 1}")
        offsets = np.arange(self.sequence_tokens + 1, dtype=np.int64)
        which, inside = self._mixture.locate(wanted)
        starts = self._part_starts[which] + inside * self.sequence_tokens
        positions: npt.NDArray[np.int64] = starts[:, None] + offsets
        return positions

    def _parts(
        self, positions: npt.NDArray[np.int64]
    ) -> Iterator[tuple["_File", npt.NDArray[np.bool_], npt.NDArray[np.int64]]]:
        """Each file that holds some of the positions, which, and where in the file they are."""
        owners = np.searchsorted(self._starts, positions, side="right") - 1
        for index in np.unique(owners):
            mask = owners == index
            yield self._files[index], mask, positions[mask] - self._starts[index]

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
            file.check(list(range(len(file.shard.blocks))))


class _File:
    """One memory-mapped shard; remembers which of its blocks were checked."""

    def __init__(
        self, folder: Path, shard: Shard, manifest: Manifest, remote: Remote | None
    ) -> None:
        self.shard, self.path, self._remote = shard, folder / shard.name, remote
        self._item_bytes = manifest.item_bytes
        expected = shard.tokens * manifest.item_bytes
        try:
            if remote is not None and not self.path.exists():
                with self.path.open("wb") as file:
                    file.truncate(expected)  # a hole, filled block by block
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
        self.check(self._blocks(positions))
        return self._tokens[positions].astype(np.int64)

    def begin(self, positions: npt.NDArray[np.int64]) -> None:
        """Fetch the blocks of positions that are not here."""
        for block in self._blocks(positions):
            if self._remote is not None and not self._is_right(block):
                self._fetch(self._remote, block)

    def check(self, blocks: list[int]) -> None:
        for block in blocks:
            if self._is_right(block):
                continue
            if self._remote is None:
                raise DataError(
                    f"{self.path}: block {block} has another sha256 than the manifest says",
                    hint=_REPAIR,
                )
            self._fetch(self._remote, block).result()
            self._checked[block] = True

    def _blocks(self, positions: npt.NDArray[np.int64]) -> list[int]:
        found: list[int] = np.unique(positions * self._item_bytes // BLOCK_BYTES).tolist()
        return found

    def _is_right(self, block: int) -> bool:
        if not self._checked[block]:
            items = BLOCK_BYTES // self._item_bytes
            data = self._tokens[block * items : (block + 1) * items]
            digest = hashlib.sha256(data.tobytes()).digest()
            self._checked[block] = digest == self.shard.blocks[block]
        return bool(self._checked[block])

    def _fetch(self, remote: Remote, block: int) -> Future[None]:
        start = block * BLOCK_BYTES
        size = min(BLOCK_BYTES, self.shard.tokens * self._item_bytes - start)
        digest = self.shard.blocks[block]
        return remote.block(
            self.shard.name, start, size, digest, lambda data: self._write(start, data)
        )

    def _write(self, start: int, data: bytes) -> None:
        # Not through the map: a full disk would end the process there, and is an error here.
        try:
            with self.path.open("r+b") as file:
                file.seek(start)
                file.write(data)
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot keep a block ({error.strerror})",
                hint="check the folder's rights and the free space of its disk",
            ) from error


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
