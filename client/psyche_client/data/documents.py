"""Documents in files: a text file is one, JSON lines and parquet hold one in each line or row."""

import gzip
import hashlib
import importlib
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from .errors import DataError
from .sources import Source

#: Where JSON lines and parquet keep the text, unless the user says otherwise.
FIELD: Final = "text"
_ROWS_AT_ONCE: Final = 1_024
#: Enough to tell repeated documents from others, in little memory.
_KEY_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Document:
    """One text: the file that it stands in, and a name that is equal everywhere."""

    source: str
    name: str
    text: str


def read_documents(
    sources: Iterable[Source], bytes_max: int, *, field: str = FIELD
) -> Iterator[Document]:
    """Documents in order until `bytes_max` of UTF-8 are read; the last is cut to fit.

    Empty and repeated ones are left out, and so are files of unknown kind that are no text. What
    `.jsonl`, `.jsonl.gz` and `.parquet` files hold in the field `field` is text, or a DataError
    names the file and the line or row.
    """
    left, seen = bytes_max, set[bytes]()
    for source in sources:
        for number, raw in _read(source, field, left):
            key = hashlib.sha256(raw[:left]).digest()[:_KEY_BYTES]
            if key in seen:
                continue
            seen.add(key)
            # The cut may fall within a character.
            if text := raw[:left].decode(errors="ignore"):
                name = f"{source.name}:{number}" if number else source.name
                yield Document(source.name, name, text)
            left -= min(left, len(raw))
            if left == 0:
                return


def _read(source: Source, field: str, bytes_max: int) -> Iterator[tuple[int, bytes]]:
    """(line or row from 1, UTF-8) of each document that is not empty; 0 where a file is one."""
    name = source.path.name
    try:
        if name.endswith((".jsonl", ".jsonl.gz")):
            yield from _json_lines(source, field)
        elif name.endswith(".parquet"):
            yield from _parquet_rows(source, field)
        else:
            yield from _text_file(source, bytes_max)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{source.path}: cannot read it ({reason})", hint="check that the file is whole"
        ) from error


def _text_file(source: Source, bytes_max: int) -> Iterator[tuple[int, bytes]]:
    with source.path.open("rb") as file:
        raw = file.read(bytes_max)
    # The cut may fall within a character; a file in another encoding is no text of ours.
    text = raw.decode(errors="ignore" if len(raw) == bytes_max else "replace")
    if raw and b"\x00" not in raw and "\ufffd" not in text:
        yield 0, raw


def _json_lines(source: Source, field: str) -> Iterator[tuple[int, bytes]]:
    path = source.path
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip() and (text := _text_of(line, field, f"{path}:{number}")):
                yield number, text


def _text_of(line: bytes, field: str, where: str) -> bytes:
    try:
        body = json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: not JSON ({error})", hint="each line must hold one object, as in JSON lines"
        ) from error
    if not isinstance(body, dict):
        raise DataError(
            f"{where}: not an object", hint="each line must hold one object, as in JSON lines"
        )
    if field not in body:
        raise _no_field(where, field, list(body))
    return _encoded(body[field], field, where)


def _parquet_rows(source: Source, field: str) -> Iterator[tuple[int, bytes]]:
    parquet, wrong = _parquet(source)
    try:
        file = parquet.ParquetFile(source.path)
        if field not in file.schema_arrow.names:
            raise _no_field(str(source.path), field, file.schema_arrow.names)
        number = 0
        for rows in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=[field]):
            for value in rows.column(0).to_pylist():
                number += 1
                if text := _encoded(value, field, f"{source.path}: row {number}"):
                    yield number, text
    except wrong as error:
        raise DataError(
            f"{source.path}: not a parquet file ({error})", hint="check that the file is whole"
        ) from error


def _parquet(source: Source) -> tuple[Any, type[Exception]]:
    """pyarrow, which few need, and what it raises for a file that is damaged."""
    try:
        parquet = importlib.import_module("pyarrow.parquet")
        return parquet, importlib.import_module("pyarrow").ArrowException
    except ImportError as error:
        raise DataError(
            f"{source.path}: parquet needs the package pyarrow",
            hint=f"install it: {sys.executable} -m pip install 'pyarrow>=18'",
        ) from error


def _encoded(value: Any, field: str, where: str) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str):
        raise DataError(
            f"{where}: `{field}` is {type(value).__name__}, not text",
            hint="name the field that holds text with --field",
        )
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{where}: `{field}` is not Unicode ({error.reason})", hint="write it again as UTF-8"
        ) from error


def _no_field(where: str, field: str, there: list[str]) -> DataError:
    names = ", ".join(f"`{name}`" for name in there[:8]) or "none"
    return DataError(
        f"{where}: there is no `{field}`; its fields are {names}"[:400],
        hint="name the field that holds text with --field",
    )
