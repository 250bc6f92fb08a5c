"""The first reading of a corpus: how much text it has, what of it is held out, a sample of it."""

import hashlib
import heapq
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from .documents import Document
from .errors import DataError

#: A tokenizer learns little more from further text, and this takes a third of a second.
_SAMPLE_CHARACTERS: Final = 1_500_000
#: No single document dominates the sample.
_SAMPLE_DOCUMENT_CHARACTERS: Final = 1 << 16
#: The manifest names the first of them, for people; hashes bind the content.
_SOURCES_NAMED: Final = 1_000


def order(seed: int, name: str) -> int:
    """A number of a document that says nothing of its text: the lowest are held out."""
    digest = hashlib.sha256(f"psyche-held-out:{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


@dataclass(frozen=True, slots=True)
class Survey:
    """What the first reading found.

    Attributes:
        characters: of all documents.
        held_out: (order, index) of the last document that is held out, None if none is.
        sources: names of the first files that have text.
    """

    characters: int
    held_out: tuple[int, int] | None
    sources: tuple[str, ...]

    def holds_out(self, order: int, index: int) -> bool:
        """Whether the document with this order, the `index`-th of all, is not trained on."""
        return self.held_out is not None and (order, index) <= self.held_out


class Surveyor:
    """Takes one document after the other; holds two numbers of each, and the sample."""

    def __init__(self, seed: int) -> None:
        self.bytes_read = 0
        self._seed = seed
        self._orders, self._lengths = array("Q"), array("Q")
        self._sources: dict[str, None] = {}
        self._sample: list[tuple[int, int, str]] = []
        self._sampled = 0

    def add(self, document: Document) -> None:
        """Counts a document in."""
        number, index = order(self._seed, document.name), len(self._orders)
        self._orders.append(number)
        self._lengths.append(len(document.text))
        self.bytes_read += len(document.text.encode())
        if len(self._sources) < _SOURCES_NAMED:
            self._sources[document.source] = None
        part = document.text[:_SAMPLE_DOCUMENT_CHARACTERS]
        heapq.heappush(self._sample, (number, index, part))
        self._sampled += len(part)
        while self._sampled - len(self._sample[0][2]) >= _SAMPLE_CHARACTERS:
            self._sampled -= len(heapq.heappop(self._sample)[2])

    def survey(self, held_out_fraction: float) -> Survey:
        """Holds out whole documents, the lowest by order, until they are that part of all.

        Raises:
            DataError: there is no text, or none would be left to train on.
        """
        if not self._orders:
            raise DataError(
                "the sources hold no text", hint="name text files in UTF-8, or folders of them"
            )
        lowest = np.argsort(np.frombuffer(self._orders, np.uint64), kind="stable")
        sizes = np.cumsum(np.frombuffer(self._lengths, np.uint64)[lowest])
        characters = int(sizes[-1])
        count = int(np.searchsorted(sizes, held_out_fraction * characters)) + 1
        if not held_out_fraction:
            count = 0
        if count >= len(lowest):
            raise DataError(
                f"whole documents are held out, and of {len(lowest)} none would be left to "
                "train on",
                hint="name more files, or hold out less",
            )
        last = int(lowest[count - 1])
        held_out = (self._orders[last], last) if count else None
        return Survey(characters, held_out, tuple(self._sources))

    def sample(self, survey: Survey) -> Iterator[str]:
        """Text to learn a tokenizer from: the highest by order, none of it held out."""
        left = _SAMPLE_CHARACTERS
        for number, index, text in sorted(self._sample, reverse=True):
            if left <= 0 or survey.holds_out(number, index):
                return
            yield text[:left]
            left -= min(left, len(text))
