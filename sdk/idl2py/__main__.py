"""`python -m idl2py IDL OUT_DIR`: writes a client, or with --check says whether it is current."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from idl2py._generate import MARK, generate
from idl2py._model import IdlError

EXIT_STALE = 1
EXIT_REFUSED = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit status (0, 1 for a stale client, 2 for a bad IDL)."""
    parser = argparse.ArgumentParser(prog="idl2py", description=__doc__)
    parser.add_argument("idl", type=Path, help="the IDL, a JSON file")
    parser.add_argument("out_dir", type=Path, help="the package to write; made if missing")
    parser.add_argument("--check", action="store_true", help="write nothing, name what differs")
    parser.add_argument("--error-base", metavar="MODULE:CLASS", help="base of the error classes")
    options = parser.parse_args(arguments)
    try:
        files = generate(json.loads(options.idl.read_text()), error_base=options.error_base)
    except (OSError, json.JSONDecodeError, IdlError) as error:
        sys.stderr.write(f"error: {options.idl}: {error}\n")
        return EXIT_REFUSED
    return _check(options.out_dir, files) if options.check else _write(options.out_dir, files)


def _check(out_dir: Path, files: dict[str, str]) -> int:
    stale = sorted(
        {name for name, source in files.items() if _text(out_dir / name) != source}
        | {path.name for path in _leftovers(out_dir, files)}
    )
    for name in stale:
        sys.stderr.write(f"stale: {out_dir / name}\n")
    return EXIT_STALE if stale else 0


def _write(out_dir: Path, files: dict[str, str]) -> int:
    out_dir.mkdir(parents=True, exist_ok=True)
    for path in _leftovers(out_dir, files):
        path.unlink()
    for name, source in files.items():
        if _text(out_dir / name) != source:
            (out_dir / name).write_text(source)
    return 0


def _leftovers(out_dir: Path, files: dict[str, str]) -> list[Path]:
    """Files that an earlier run wrote and this one does not."""
    return [
        path
        for path in sorted(out_dir.glob("*.py"))
        if path.name not in files and (_text(path) or "").startswith(MARK)
    ]


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
