"""Byte-level BPE tokenizers: every text has tokens, and no text needs an unknown one."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Self

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from .errors import DataError

#: Ends each document; always id 0.
END_OF_TEXT: Final = "<|endoftext|>"
#: The end-of-text token and one token a byte: a tokenizer of this size merges nothing.
VOCAB_BYTES: Final = 257
_VOCAB_MAX: Final = 1 << 20
TOKENIZER_BYTES_MAX: Final = 256 << 20


class Tokenizer:
    """A tokenizer as it stands in `tokenizer.json`, named by that file's sha256."""

    def __init__(self, text: str) -> None:
        """Read the text of a `tokenizer.json`; DataError if it is none."""
        try:
            self._inner = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the library raises bare Exception
            raise DataError(f"not a tokenizer.json: {error}") from error
        self.text = text
        self.sha256 = hashlib.sha256(text.encode()).digest()
        self.vocab_size = int(self._inner.get_vocab_size())
        if self._inner.token_to_id(END_OF_TEXT) != 0:
            raise DataError(f"the tokenizer's token 0 is not {END_OF_TEXT}")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a `tokenizer.json`; DataError if it is missing or none."""
        try:
            if path.stat().st_size > TOKENIZER_BYTES_MAX:
                raise DataError(f"{path} is too long for a tokenizer")
            return cls(path.read_bytes().decode())
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise DataError(
                f"{path}: cannot read the tokenizer ({reason})",
                hint="name a tokenizer.json that is there, or prepare the data again",
            ) from error

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> Self:
        """Train a BPE of at most `vocab_size` tokens; 257 gives the tokenizer of plain bytes."""
        if not VOCAB_BYTES <= vocab_size <= _VOCAB_MAX:
            raise DataError(
                f"vocab_size must be from {VOCAB_BYTES} to {_VOCAB_MAX}, not {vocab_size}",
                hint=f"{VOCAB_BYTES} gives one token a byte",
            )
        inner = tokenizers.Tokenizer(models.BPE())
        inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        inner.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[END_OF_TEXT],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        inner.train_from_iterator(texts, trainer)
        return cls(inner.to_str())

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`; special tokens written out in it are plain text."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, on all cores."""
        self._inner.encode_special_tokens = True
        found = self._inner.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; bytes that are no UTF-8 become replacement characters."""
        return self._inner.decode(list(ids), skip_special_tokens=True)
