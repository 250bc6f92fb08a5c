"""`manifest.json` of a prepared corpus: its shards, their block hashes, the Merkle root over them.

The root binds the training tokens in order and the files that they lie in: leaves are
sha256(0x00 | the shard's name in ASCII | 0x00 | bytes of the block as u32 | sha256 of the block),
a block being 1 MiB or a shard's last; inner nodes are sha256(0x01 | left | right), and an odd last
node goes up unchanged. In a mixture a leaf sha256(0x00 | "mixture" | 0x00 | for each part its
weight and its number of shards as u32) goes before all others; no shard has that name.
"""

import hashlib
import json
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from .errors import DataError
from .mixture import WEIGHT_MAX, Mixture

VERSION: Final = 1
BLOCK_BYTES: Final = 1 << 20
MANIFEST_NAME: Final = "manifest.json"
TOKENIZER_NAME: Final = "tokenizer.json"
#: Block hashes of a corpus of some 500 GB fit.
MANIFEST_BYTES_MAX: Final = 64 << 20
_WHOLE_MAX: Final = 1 << 48
_UINT16_VOCAB: Final = 1 << 16
_DTYPES: Final = {"uint16": "<u2", "uint32": "<u4"}
_SHARD_NAME: Final = re.compile(r"[a-z0-9-]{1,64}\.bin")
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_REPAIR: Final = "prepare the data again with `psyche data prepare`"


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of tokens: its name, how many tokens, sha256 of each 1 MiB block."""

    name: str
    tokens: int
    blocks: tuple[bytes, ...]

    def leaves(self, item_bytes: int) -> list[bytes]:
        """What the Merkle root is over; tokens of `item_bytes` each."""
        total, head = self.tokens * item_bytes, self.name.encode("ascii") + b"\x00"
        sizes = (min(BLOCK_BYTES, total - at) for at in range(0, total, BLOCK_BYTES))
        return [
            head + struct.pack("<I", size) + block
            for size, block in zip(sizes, self.blocks, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Split:
    """Shards that follow one another: either what is trained on or what is held out."""

    shards: tuple[Shard, ...]

    @property
    def tokens(self) -> int:
        """Tokens in all shards."""
        return sum(shard.tokens for shard in self.shards)

    def leaves(self, item_bytes: int) -> list[bytes]:
        """Those of all shards in order."""
        return [leaf for shard in self.shards for leaf in shard.leaves(item_bytes)]


@dataclass(frozen=True, slots=True)
class Part:
    """A data set of a mixture: its weight, and how many of the training shards are its own."""

    weight: int
    shards: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that is known of a prepared corpus; `parts` is empty unless it is a mixture."""

    dtype: str
    sequence_tokens: int
    vocab_size: int
    tokenizer_sha256: bytes
    train: Split
    val: Split
    sources: tuple[str, ...]
    parts: tuple[Part, ...] = ()

    @property
    def item_bytes(self) -> int:
        """Bytes a token takes on disk."""
        return np.dtype(_DTYPES[self.dtype]).itemsize

    @property
    def numpy_dtype(self) -> "np.dtype[Any]":
        """The little-endian numpy type of a token on disk."""
        return np.dtype(_DTYPES[self.dtype])

    @property
    def sequences(self) -> int:
        """How many training sequences there are."""
        return self.mixture(self.sequence_tokens).count

    def mixture(self, sequence_tokens: int) -> Mixture:
        """Weights and sequences of each part; data that is no mixture is one part."""
        counts = (max(0, tokens - 1) // sequence_tokens for tokens in self.part_tokens)
        return Mixture(tuple(part.weight for part in self.parts) or (1,), tuple(counts))

    @property
    def part_tokens(self) -> tuple[int, ...]:
        """Training tokens of each part, which follow one another."""
        if not self.parts:
            return (self.train.tokens,)
        shards = iter(self.train.shards)
        return tuple(sum(s.tokens for s in islice(shards, part.shards)) for part in self.parts)

    def merkle_root(self) -> bytes:
        """The root that a run names: over the training tokens, and how they are mixed.

        32 zero bytes if there are no tokens.
        """
        leaves = self.train.leaves(self.item_bytes)
        if self.parts:
            packed = b"".join(struct.pack("<II", part.weight, part.shards) for part in self.parts)
            leaves.insert(0, b"mixture\x00" + packed)
        return merkle_root(leaves)

    def encode(self) -> bytes:
        """The bytes of `manifest.json`."""
        body: dict[str, object] = {
            "dtype": self.dtype,
            "merkle_root": self.merkle_root().hex(),
            "sequence_tokens": self.sequence_tokens,
            "sources": list(self.sources),
            "tokenizer_sha256": self.tokenizer_sha256.hex(),
            "train": [shard_to_json(shard) for shard in self.train.shards],
            "val": [shard_to_json(shard) for shard in self.val.shards],
            "version": VERSION,
            "vocab_size": self.vocab_size,
        }
        if self.parts:
            body["parts"] = [{"shards": p.shards, "weight": p.weight} for p in self.parts]
        return (json.dumps(body, sort_keys=True, indent=1) + "\n").encode("ascii")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a prepared corpus; DataError if missing or not whole."""
        path = folder / MANIFEST_NAME
        try:
            if path.stat().st_size > MANIFEST_BYTES_MAX:
                raise DataError(f"{path} is too long for a manifest")
            return cls.decode(path.read_bytes())
        except FileNotFoundError as error:
            raise DataError(f"no prepared corpus at {folder}", hint=_REPAIR) from error
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from error
        except DataError as error:
            raise DataError(f"{path}: {error}", hint=error.hint or _REPAIR) from error

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse hostile bytes; DataError for anything that `encode` would not write."""
        try:
            body = json.loads(data.decode("ascii"))
            if not isinstance(body, dict) or body.get("version") != VERSION:
                raise DataError(f"not a manifest of version {VERSION}")
            found = cls._from_json(body)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError("not a data manifest", hint=_REPAIR) from error
        if body.get("merkle_root") != found.merkle_root().hex():
            raise DataError("its Merkle root is not that of its blocks", hint=_REPAIR)
        return found

    @classmethod
    def _from_json(cls, body: Mapping[str, Any]) -> Self:
        dtype = str(body["dtype"])
        if dtype not in _DTYPES:
            raise DataError(f"tokens of type {dtype!r} are unknown")
        item_bytes = np.dtype(_DTYPES[dtype]).itemsize
        sources = tuple(str(source) for source in body["sources"])
        train = _split(body["train"], item_bytes)
        return cls(
            dtype=dtype,
            sequence_tokens=_whole(body["sequence_tokens"], 1),
            vocab_size=_whole(body["vocab_size"], 1),
            tokenizer_sha256=_hash(body["tokenizer_sha256"]),
            train=train,
            val=_split(body["val"], item_bytes),
            sources=sources,
            parts=_parts(body.get("parts", []), len(train.shards)),
        )


def token_type(vocab_size: int) -> str:
    """How tokens of a vocabulary lie on disk: the shorter of the two that holds them."""
    return "uint16" if vocab_size <= _UINT16_VOCAB else "uint32"


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle root over leaves (see the module's text); 32 zero bytes for none."""
    level = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    if not level:
        return bytes(32)
    while len(level) > 1:
        pairs = zip(level[0::2], level[1::2], strict=False)
        above = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
        level = above + level[len(level) & ~1 :]
    return level[0]


def shard_to_json(shard: Shard) -> dict[str, object]:
    """A shard as it stands in a manifest."""
    return {
        "blocks": [block.hex() for block in shard.blocks],
        "name": shard.name,
        "tokens": shard.tokens,
    }


def _split(items: Any, item_bytes: int) -> Split:
    if not isinstance(items, list):
        raise DataError("its shards are not a list")
    shards = tuple(shard_from_json(item, item_bytes) for item in items)
    if len({shard.name for shard in shards}) != len(shards):
        raise DataError("it names a shard twice")
    return Split(shards)


def shard_from_json(item: Any, item_bytes: int) -> Shard:
    """The shard that stands in a manifest; DataError, or what a wrong type raises."""
    name, tokens = str(item["name"]), _whole(item["tokens"], 1)
    # A name is joined to the folder: nothing that could leave it.
    if not _SHARD_NAME.fullmatch(name):
        raise DataError(f"shard name {name[:80]!r} is not allowed")
    blocks = tuple(_hash(block) for block in item["blocks"])
    if len(blocks) != -(-tokens * item_bytes // BLOCK_BYTES):
        raise DataError(f"shard {name} has {len(blocks)} block hashes for {tokens} tokens")
    return Shard(name, tokens, blocks)


def _parts(items: Any, shards: int) -> tuple[Part, ...]:
    parts = tuple(Part(_whole(item["weight"], 1), _whole(item["shards"], 1)) for item in items)
    if any(part.weight > WEIGHT_MAX for part in parts):
        raise DataError(f"a weight is above {WEIGHT_MAX}", hint=_REPAIR)
    if parts and sum(part.shards for part in parts) != shards:
        raise DataError("its parts are not all of its shards", hint=_REPAIR)
    return parts


def _whole(value: Any, low: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= _WHOLE_MAX:
        raise DataError(f"{str(value)[:40]!r} is not a whole number from {low}")
    return value


def _hash(value: Any) -> bytes:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise DataError("a hash is not 64 hexadecimal digits")
    return bytes.fromhex(value)
