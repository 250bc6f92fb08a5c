"""Where text comes from: files, folders, and Python's own standard library."""

import os
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .errors import DataError

#: Tests, tables of characters and code that no one reads: poor text, or not in every installation.
_STDLIB_SKIPPED: Final = frozenset(
    {
        "__pycache__", "dist-packages", "encodings", "idlelib", "lib2to3", "pydoc_data",
        "site-packages", "test", "tests", "turtledemo",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """One text file: a name that is equal everywhere, and where it lies here."""

    name: str
    path: Path


def stdlib_sources() -> list[Source]:
    """Python's own standard library in the order of names, without tests and tables."""
    root = Path(sysconfig.get_path("stdlib"))
    found: list[Source] = []
    for folder, below, names in os.walk(root):
        # Pruned on the way: installed packages would be walked for seconds.
        below[:] = [name for name in below if name not in _STDLIB_SKIPPED]
        paths = (Path(folder, name) for name in names if name.endswith(".py"))
        found.extend(
            Source(path.relative_to(root).as_posix(), path)
            for path in paths
            if path.is_file() and not path.is_symlink()
        )
    if not found:
        raise DataError(
            f"Python's standard library has no text at {root}",
            hint="name text files of your own",
        )
    return sorted(found, key=lambda source: source.name)


def file_sources(paths: Sequence[Path]) -> list[Source]:
    """All files among `paths` and below its folders, in the order of names; hidden ones not."""
    found: list[Source] = []
    for path in paths:
        if path.is_dir():
            below = (file for file in path.rglob("*") if file.is_file() and not _hidden(file, path))
            found.extend(Source(file.relative_to(path).as_posix(), file) for file in below)
        elif path.is_file():
            found.append(Source(path.name, path))
        else:
            raise DataError(f"{path}: no such file or folder", hint="check the run's data sources")
    if not found:
        raise DataError("the sources hold no file", hint="name text files or folders of them")
    return sorted(found, key=lambda source: (source.name, str(source.path)))


def _hidden(file: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(root).parts)
