"""Text files -> tokenizer -> shards, with whole files held out."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from .errors import DataError
from .manifest import BLOCK_BYTES, MANIFEST_NAME, TOKENIZER_NAME, Manifest, Shard, Split, token_type
from .sources import Source, file_sources, read_texts
from .tokenizer import Tokenizer

#: A tokenizer learns little more from further text, and this takes a third of a second.
_SAMPLE_BYTES: Final = 1_500_000
#: No single file dominates the sample.
_SAMPLE_FILE_CHARACTERS: Final = 1 << 16
_BATCH_CHARACTERS: Final = 1 << 20
#: 128 MiB of uint16; a multiple of a block.
_SHARD_TOKENS: Final = 64 << 20

#: Called with what is done, how much of it, and of how much.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class _Text:
    name: str
    order: bytes
    text: str


def prepare(
    sources: Sequence[Path | Source],
    out_dir: Path,
    *,
    vocab_size: int = 2048,
    bytes_max: int = 4_000_000,
    held_out_fraction: float = 0.05,
    seed: int = 0,
    sequence_tokens: int = 128,
    tokenizer: Tokenizer | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Make a corpus in `out_dir` from the first `bytes_max` bytes of `sources`.

    `seed` chooses which whole files are held out, at least `held_out_fraction` of the bytes
    (0 holds out none). `tokenizer` None trains one of `vocab_size` on the training text alone.
    A corpus is there only once its manifest is, which is written last. DataError says what is
    missing.
    """
    _check_options(bytes_max, held_out_fraction, sequence_tokens)
    report = progress or _silent
    texts = _read(sources, bytes_max, seed)
    train, held_out = _hold_out(texts, held_out_fraction)
    report("tokenizer", 0, 1)
    if tokenizer is None:
        tokenizer = Tokenizer.train(_sample(train), vocab_size)
    report("tokenizer", 1, 1)
    dtype = token_type(tokenizer.vocab_size)
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        (out_dir / MANIFEST_NAME).unlink(missing_ok=True)
        (out_dir / TOKENIZER_NAME).write_text(tokenizer.text, encoding="utf-8", newline="")
        total = sum(len(item.text) for item in texts)
        writer = _Writer(out_dir, np.dtype(dtype).newbyteorder("<"), tokenizer, report, total)
        manifest = Manifest(
            dtype=dtype,
            sequence_tokens=sequence_tokens,
            vocab_size=tokenizer.vocab_size,
            tokenizer_sha256=tokenizer.sha256,
            train=writer.write("train", train),
            val=writer.write("val", held_out),
            sources=tuple(item.name for item in texts[:_SOURCES_NAMED]),
        )
        _check_length(manifest, held_out_fraction)
        temporary = out_dir / f".{MANIFEST_NAME}.new"
        temporary.write_bytes(manifest.encode())
        temporary.replace(out_dir / MANIFEST_NAME)
    except OSError as error:
        raise DataError(
            f"{out_dir}: cannot write the corpus ({error.strerror})",
            hint="check the folder's rights and the free space of its disk",
        ) from error
    return manifest


#: The manifest names the first of them, for people; hashes bind the content.
_SOURCES_NAMED: Final = 1000


class _Writer:
    """Encodes texts into shards, hashing blocks on the way."""

    def __init__(
        self,
        folder: Path,
        dtype: "np.dtype[Any]",
        tokenizer: Tokenizer,
        report: Progress,
        total: int,
    ) -> None:
        self._folder, self._dtype, self._tokenizer = folder, dtype, tokenizer
        self._report, self._done, self._total = report, 0, total

    def write(self, split: str, texts: Sequence[_Text]) -> Split:
        """Write all shards of one split: each text, then the end-of-text token."""
        shards: list[Shard] = []
        buffered: list[np.ndarray[Any, np.dtype[Any]]] = []
        size = 0
        for tokens in self._encoded(texts):
            buffered.append(tokens)
            size += len(tokens)
            while size >= _SHARD_TOKENS:
                flat = np.concatenate(buffered)
                shards.append(self._shard(f"{split}-{len(shards):05}.bin", flat[:_SHARD_TOKENS]))
                buffered, size = [flat[_SHARD_TOKENS:]], size - _SHARD_TOKENS
        if size:
            name = f"{split}-{len(shards):05}.bin" if split == "train" or shards else f"{split}.bin"
            shards.append(self._shard(name, np.concatenate(buffered)))
        return Split(tuple(shards))

    def _encoded(self, texts: Sequence[_Text]) -> Iterator["np.ndarray[Any, np.dtype[Any]]"]:
        for batch in _batches(texts):
            for ids in self._tokenizer.encode_batch([item.text for item in batch]):
                yield np.array([*ids, 0], dtype=self._dtype)
            self._done += sum(len(item.text) for item in batch)
            self._report("shards", self._done, self._total)

    def _shard(self, name: str, tokens: "np.ndarray[Any, np.dtype[Any]]") -> Shard:
        raw = tokens.tobytes()
        blocks = [raw[at : at + BLOCK_BYTES] for at in range(0, len(raw), BLOCK_BYTES)]
        (self._folder / name).write_bytes(raw)
        return Shard(name, len(tokens), tuple(hashlib.sha256(b).digest() for b in blocks))


def _silent(_what: str, _done: int, _total: int) -> None:
    """Report nothing."""


def _check_options(bytes_max: int, held_out_fraction: float, sequence_tokens: int) -> None:
    if bytes_max < 1:
        raise DataError(f"bytes_max must be positive, not {bytes_max}")
    if sequence_tokens < 1:
        raise DataError(f"sequence_tokens must be positive, not {sequence_tokens}")
    if not 0 <= held_out_fraction < 1:
        raise DataError(f"held_out_fraction must be from 0 to below 1, not {held_out_fraction}")


def _read(sources: Sequence[Path | Source], bytes_max: int, seed: int) -> list[_Text]:
    listed: list[Source] = []
    for source in sources:
        listed.extend([source] if isinstance(source, Source) else file_sources([source]))
    texts = []
    for source, text in read_texts(listed, bytes_max):
        order = hashlib.sha256(f"psyche-held-out:{seed}:{source.name}".encode()).digest()
        texts.append(_Text(source.name, order, text))
    if not texts:
        raise DataError(
            "the sources hold no text", hint="name text files in UTF-8, or folders of them"
        )
    return texts


def _hold_out(texts: Sequence[_Text], fraction: float) -> tuple[list[_Text], list[_Text]]:
    """Whole files, the lowest by a hash of seed and name, until they are `fraction` of all."""
    target = fraction * sum(len(item.text) for item in texts)
    chosen, size = set[int](), 0
    for index in sorted(range(len(texts)), key=lambda i: (texts[i].order, i)):
        if size >= target:
            break
        chosen.add(index)
        size += len(texts[index].text)
    if len(chosen) == len(texts):
        raise DataError(
            f"whole files are held out, and of {len(texts)} none would be left to train on",
            hint="name more files, or hold out less",
        )
    train = [item for index, item in enumerate(texts) if index not in chosen]
    return train, [texts[index] for index in sorted(chosen)]


def _sample(texts: Iterable[_Text]) -> Iterator[str]:
    """Files in the order of their hashes, from all over the corpus, up to the sample's size."""
    left = _SAMPLE_BYTES
    for item in sorted(texts, key=lambda item: item.order, reverse=True):
        if left <= 0:
            return
        part = item.text[: min(_SAMPLE_FILE_CHARACTERS, left)]
        left -= len(part)
        yield part


def _batches(texts: Sequence[_Text]) -> Iterator[list[_Text]]:
    batch: list[_Text] = []
    size = 0
    for item in texts:
        batch.append(item)
        size += len(item.text)
        if size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _check_length(manifest: Manifest, held_out_fraction: float) -> None:
    needed = manifest.sequence_tokens + 1
    if manifest.train.tokens < needed:
        raise DataError(
            f"the text makes {manifest.train.tokens} tokens, one sequence needs {needed}",
            hint="name more text, or make sequences shorter",
        )
    if held_out_fraction and manifest.val.tokens < needed:
        raise DataError(
            f"the held-out files make {manifest.val.tokens} tokens, one sequence needs {needed}",
            hint="hold out a larger fraction, or make sequences shorter",
        )
