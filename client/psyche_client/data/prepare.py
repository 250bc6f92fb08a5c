"""Documents -> tokenizer -> shards, with whole documents held out.

Two readings: the first counts, chooses what is held out and takes a sample for the tokenizer; the
second makes tokens. Texts are never held all at once, and which core makes which tokens changes no
byte.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from psyche_client.store import write_durably

from .documents import FIELD, Document, read_documents
from .errors import DataError
from .journal import JOURNAL_NAME, Arguments, Journal, fingerprint
from .manifest import MANIFEST_NAME, TOKENIZER_NAME, Manifest, Split, token_type
from .sources import Source, file_sources
from .survey import Surveyor, order
from .tokenizer import Tokenizer
from .writing import SHARD_TOKENS, SplitWriter, Tokens

_BATCH_CHARACTERS: Final = 1 << 20
#: Of a character; the last may be left out where the text is cut.
_UTF8_BYTES_MAX: Final = 4
#: Batches that become tokens while the next is read and the one before is written.
_AHEAD: Final = 2

#: Called with what is done, how much of it, and of how much.
Progress = Callable[[str, int, int], None]


def prepare(
    sources: Sequence[Path | Source],
    out_dir: Path,
    *,
    vocab_size: int = 2048,
    bytes_max: int = 4_000_000,
    held_out_fraction: float = 0.05,
    seed: int = 0,
    sequence_tokens: int = 128,
    field: str = FIELD,
    tokenizer: Tokenizer | None = None,
    shard_tokens: int = SHARD_TOKENS,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
) -> Manifest:
    """Make a corpus in `out_dir` from the first `bytes_max` bytes of text in `sources`.

    `seed` chooses which whole documents are held out, at least `held_out_fraction` of the text
    (0 holds out none). `field` is where JSON lines and parquet keep the text. `tokenizer` None
    trains one of `vocab_size` on the training text alone. `notice` is told in words what a user
    may not expect: that there is more text than was taken.

    A corpus is there only once its manifest is, which is written last. A preparation that was
    ended before goes on behind its last whole shard, and gives the same bytes; it needs the same
    arguments and files. DataError says what is missing, wrong, or differs.
    """
    _check_options(bytes_max, held_out_fraction, sequence_tokens)
    listed = _listed(sources)
    arguments: Arguments = {
        "bytes_max": bytes_max,
        "field": field,
        "held_out_fraction": held_out_fraction,
        "seed": seed,
        "sequence_tokens": sequence_tokens,
        "shard_tokens": shard_tokens,
        "sources": fingerprint(listed),
        "tokenizer": tokenizer.sha256.hex() if tokenizer else None,
        "vocab_size": vocab_size,
    }
    work = _Preparation(
        listed, out_dir, arguments, bytes_max, field, seed, progress or _silent, notice or _mute
    )
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        journal = Journal.read(out_dir, arguments)
        if journal is None or not journal.is_right(out_dir):
            journal = work.begin(tokenizer, vocab_size, held_out_fraction)
        elif (out_dir / MANIFEST_NAME).exists():
            return Manifest.read(out_dir)
        tokenizer = Tokenizer.load(out_dir / TOKENIZER_NAME)
        work.write(journal, tokenizer, shard_tokens)
        manifest = Manifest(
            dtype=journal.dtype,
            sequence_tokens=sequence_tokens,
            vocab_size=tokenizer.vocab_size,
            tokenizer_sha256=tokenizer.sha256,
            train=Split(tuple(journal.train.shards)),
            val=Split(tuple(journal.val.shards)),
            sources=journal.survey.sources,
        )
        _check_length(manifest, held_out_fraction, out_dir)
        write_durably(out_dir / MANIFEST_NAME, manifest.encode())
    except OSError as error:
        raise DataError(
            f"{out_dir}: cannot write the corpus ({error.strerror or error})",
            hint="check the folder's rights and the free space of its disk",
        ) from error
    return manifest


@dataclass(slots=True)
class _Batch:
    """Documents that lie in no shard yet, and what was read to find them."""

    texts: list[str] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    held_out: list[bool] = field(default_factory=list)
    characters: int = 0
    documents: int = 0


@dataclass(frozen=True, slots=True)
class _Preparation:
    sources: Sequence[Source]
    folder: Path
    arguments: Arguments
    bytes_max: int
    field: str
    seed: int
    report: Progress
    notice: Callable[[str], None]

    def begin(
        self, tokenizer: Tokenizer | None, vocab_size: int, held_out_fraction: float
    ) -> Journal:
        """The first reading; the folder gets a journal once all documents could be read."""
        total = min(self.bytes_max, sum(source.path.stat().st_size for source in self.sources))
        surveyor = Surveyor(self.seed)
        for document in self._documents():
            surveyor.add(document)
            self.report("reading", min(surveyor.bytes_read, total), total)
        self.report("reading", total, total)
        if surveyor.bytes_read > self.bytes_max - _UTF8_BYTES_MAX:
            self.notice(f"only the first {self.bytes_max:,} bytes of text are taken")
        survey = surveyor.survey(held_out_fraction)
        self.report("tokenizer", 0, 1)
        if tokenizer is None:
            tokenizer = Tokenizer.train(surveyor.sample(survey), vocab_size)
        self.report("tokenizer", 1, 1)
        (self.folder / MANIFEST_NAME).unlink(missing_ok=True)
        write_durably(self.folder / TOKENIZER_NAME, tokenizer.text.encode())
        dtype = token_type(tokenizer.vocab_size)
        journal = Journal(self.arguments, survey, tokenizer.sha256, dtype)
        journal.write(self.folder)
        return journal

    def write(self, journal: Journal, tokenizer: Tokenizer, shard_tokens: int) -> None:
        """The second reading: documents that the shards lack become tokens, on all cores."""
        keep = partial(journal.write, self.folder)
        train, val = (
            SplitWriter(self.folder, split, written, keep, shard_tokens=shard_tokens)
            for split, written in (("train", journal.train), ("val", journal.val))
        )
        dtype = np.dtype(journal.dtype).newbyteorder("<")

        def encode(batch: _Batch) -> list[Tokens]:
            return [np.array([*ids, 0], dtype) for ids in tokenizer.encode_batch(batch.texts)]

        documents = characters = 0
        for batch, found in _in_order(encode, self._batches(journal)):
            for index, held_out, tokens in zip(batch.indices, batch.held_out, found, strict=True):
                (val if held_out else train).add(index, tokens)
            documents, characters = batch.documents, characters + batch.characters
            self.report("shards", characters, journal.survey.characters)
        if characters != journal.survey.characters:
            raise DataError(
                "the sources changed while they were read",
                hint=f"delete {self.folder} and begin again",
            )
        train.finish(documents)
        val.finish(documents)

    def _batches(self, journal: Journal) -> Iterator[_Batch]:
        first = {False: journal.train.document, True: journal.val.document}
        batch = _Batch()
        for index, document in enumerate(self._documents()):
            held_out = journal.survey.holds_out(order(self.seed, document.name), index)
            if index >= first[held_out]:
                batch.texts.append(document.text)
                batch.indices.append(index)
                batch.held_out.append(held_out)
            batch.characters += len(document.text)
            batch.documents = index + 1
            if batch.characters >= _BATCH_CHARACTERS:
                yield batch
                batch = _Batch()
        if batch.documents:
            yield batch

    def _documents(self) -> Iterator[Document]:
        return read_documents(self.sources, self.bytes_max, field=self.field)


def _in_order(
    work: Callable[[_Batch], list[Tokens]], batches: Iterable[_Batch]
) -> Iterator[tuple[_Batch, list[Tokens]]]:
    """Works on a few batches at once; what comes of them comes in their order."""
    waiting: deque[tuple[_Batch, Future[list[Tokens]]]] = deque()
    with ThreadPoolExecutor(_AHEAD) as pool:
        for batch in batches:
            waiting.append((batch, pool.submit(work, batch)))
            if len(waiting) > _AHEAD:
                first, found = waiting.popleft()
                yield first, found.result()
        for first, found in waiting:
            yield first, found.result()


def _silent(_what: str, _done: int, _total: int) -> None:
    """Report nothing."""


def _mute(_words: str) -> None:
    """Say nothing."""


def _check_options(bytes_max: int, held_out_fraction: float, sequence_tokens: int) -> None:
    if bytes_max < 1:
        raise DataError(f"bytes_max must be positive, not {bytes_max}")
    if sequence_tokens < 1:
        raise DataError(f"sequence_tokens must be positive, not {sequence_tokens}")
    if not 0 <= held_out_fraction < 1:
        raise DataError(f"held_out_fraction must be from 0 to below 1, not {held_out_fraction}")


def _listed(sources: Sequence[Path | Source]) -> list[Source]:
    listed: list[Source] = []
    for source in sources:
        listed.extend([source] if isinstance(source, Source) else file_sources([source]))
    return listed


def _check_length(manifest: Manifest, held_out_fraction: float, folder: Path) -> None:
    needed = manifest.sequence_tokens + 1
    for tokens, what, remedy in (
        (manifest.train.tokens, "text", "name more text"),
        (manifest.val.tokens, "held-out text", "hold out a larger fraction"),
    ):
        if tokens >= needed or (what != "text" and not held_out_fraction):
            continue
        (folder / JOURNAL_NAME).unlink()  # other arguments must be possible now
        raise DataError(
            f"the {what} makes {tokens} tokens, one sequence needs {needed}",
            hint=f"{remedy}, or make sequences shorter",
        )
