"""Prints every benchmark's table, or those named: `python -m benchmarks [--write] [NAME]...`.

With --write all of them go into docs/BENCHMARKS.md too.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys

from benchmarks import page

NAMES = ("codec", "transform", "aggregate", "decoding", "wire", "loss")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def machine() -> str:
    """The machine on which the figures were taken."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - not a file of ours
            models = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except OSError:
        models = []
    name = models[0] if models else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, one thread used; Python {platform.python_version()}"


def main() -> int:
    """Runs the benchmarks named on the command line, all by default."""
    for name in THREADS:
        os.environ[name] = "1"
    writes = "--write" in sys.argv[1:]
    named = [name for name in sys.argv[1:] if name != "--write"]
    chosen = NAMES if writes else named or NAMES
    unknown = [name for name in chosen if name not in NAMES]
    if unknown:
        sys.stderr.write(f"error: no benchmark is called `{unknown[0]}`\n\n")
        sys.stderr.write(f"hint: one of {', '.join(NAMES)}\n")
        return 2
    print(f"{machine()}\n")
    parts = []
    for name in chosen:
        module = importlib.import_module(f"benchmarks.{name}")
        parts.append(page.part(name, module.__doc__.splitlines()[0], list(module.table())))
        print(f"{parts[-1]}\n")
    if writes:
        page.write(machine(), parts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
