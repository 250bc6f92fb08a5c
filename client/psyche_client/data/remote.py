"""Fetches blocks in the background, each once however often it is asked for."""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

from .errors import DataError
from .manifest import MANIFEST_BYTES_MAX, MANIFEST_NAME, TOKENIZER_NAME, Manifest, token_type
from .mirrors import Mirrors, Source
from .tokenizer import TOKENIZER_BYTES_MAX, Tokenizer

T = TypeVar("T")

#: Blocks that are on their way at once: 8 MiB in memory.
_AT_ONCE: Final = 8


class Remote:
    """The places of a run's data, and a thread that asks them. It ends with the process."""

    def __init__(self, sources: Sequence[Source], *, mirrors: Mirrors | None = None) -> None:
        """Ask `sources` in the order of preference."""
        self._mirrors = mirrors or Mirrors(sources)
        self._loop = asyncio.new_event_loop()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._coming: dict[tuple[str, int], Future[None]] = {}
        # A daemon: at the end of the process nothing waits for a slow place.
        threading.Thread(target=self._loop.run_forever, name="data", daemon=True).start()

    def block(
        self, file: str, start: int, size: int, sha256: bytes, keep: Callable[[bytes], None]
    ) -> Future[None]:
        """Fetches the block of that hash and hands it to `keep`, which may be slow.

        The future raises what `keep` raises, or DataError if nobody has the block; asking again
        tries again.
        """
        with self._lock:
            if (file, start) not in self._coming:
                work = self._one(file, start, size, sha256, keep)
                self._coming[file, start] = self._run(work)
            return self._coming[file, start]

    def found(self, folder: Path, tokenizer: bytes, root: bytes) -> None:
        """Brings manifest and tokenizer into a folder that lacks them.

        Raises:
            DataError: nobody has those that the run names.
        """
        try:
            if (folder / MANIFEST_NAME).exists():
                return
            folder.mkdir(parents=True, exist_ok=True)
            text = self._whole(
                TOKENIZER_NAME,
                TOKENIZER_BYTES_MAX,
                lambda data: hashlib.sha256(data).digest() == tokenizer,
            )
            # What the root does not bind follows from the tokenizer.
            read = Tokenizer(text.decode())
            manifest = self._whole(
                MANIFEST_NAME, MANIFEST_BYTES_MAX, lambda data: _is_of(data, read, root)
            )
            (folder / TOKENIZER_NAME).write_bytes(text)
            # Last and at once: a corpus is there once its manifest is.
            temporary = folder / f".{MANIFEST_NAME}.new"
            temporary.write_bytes(manifest)
            temporary.replace(folder / MANIFEST_NAME)
        except OSError as error:
            raise DataError(
                f"{folder}: cannot keep data there ({error.strerror})",
                hint="check the folder's rights and the free space of its disk",
            ) from error

    async def _one(
        self, file: str, start: int, size: int, sha256: bytes, keep: Callable[[bytes], None]
    ) -> None:
        try:
            async with self._slots:
                data = await self._mirrors.block(file, start, size, sha256)
                await asyncio.to_thread(keep, data)
        finally:
            with self._lock:
                del self._coming[file, start]

    def _whole(self, file: str, bytes_max: int, right: Callable[[bytes], bool]) -> bytes:
        return self._run(self._mirrors.whole(file, bytes_max, right)).result()

    def _run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)


def _is_of(data: bytes, tokenizer: Tokenizer, root: bytes) -> bool:
    try:
        manifest = Manifest.decode(data)
    except DataError:
        return False
    found = (manifest.tokenizer_sha256, manifest.vocab_size, manifest.dtype)
    right = (tokenizer.sha256, tokenizer.vocab_size, token_type(tokenizer.vocab_size))
    return found == right and manifest.merkle_root() == root
