"""A small corpus whose tokens are known."""

import hashlib
from pathlib import Path

import numpy as np

from psyche_client.data.manifest import (
    BLOCK_BYTES,
    MANIFEST_NAME,
    TOKENIZER_NAME,
    Manifest,
    Shard,
    Split,
)
from psyche_client.data.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train([], 257)
LENGTH = 16
#: Three shards that end inside a sequence, the first longer than a block.
COUNTS = (600_000, 1_003, 20)
TOKENS = np.random.default_rng(5).integers(0, 257, sum(COUNTS)).astype("<u2")


def _shards() -> dict[Shard, bytes]:
    found, start = {}, 0
    for number, count in enumerate(COUNTS):
        raw = TOKENS[start : start + count].tobytes()
        blocks = [raw[at : at + BLOCK_BYTES] for at in range(0, len(raw), BLOCK_BYTES)]
        digests = tuple(hashlib.sha256(block).digest() for block in blocks)
        found[Shard(f"train-{number:05}.bin", count, digests)] = raw
        start += count
    return found


SHARDS = _shards()
MANIFEST = Manifest(
    dtype="uint16", sequence_tokens=LENGTH, vocab_size=257,
    tokenizer_sha256=TOKENIZER.sha256, train=Split(tuple(SHARDS)), val=Split(()),
    sources=("a", "b"),
)  # fmt: skip


def write_corpus(folder: Path) -> Manifest:
    for shard, raw in SHARDS.items():
        (folder / shard.name).write_bytes(raw)
    (folder / TOKENIZER_NAME).write_text(TOKENIZER.text, encoding="utf-8", newline="")
    (folder / MANIFEST_NAME).write_bytes(MANIFEST.encode())
    return MANIFEST
