"""Prints every benchmark's table, or those named: `python -m benchmarks [NAME]...`."""

from __future__ import annotations

import importlib
import os
import platform
import sys

NAMES = ("codec", "update")
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
    chosen = sys.argv[1:] or NAMES
    unknown = [name for name in chosen if name not in NAMES]
    if unknown:
        sys.stderr.write(f"error: no benchmark is called `{unknown[0]}`\n\n")
        sys.stderr.write(f"hint: one of {', '.join(NAMES)}\n")
        return 2
    print(f"{machine()}\n")
    for name in chosen:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"## {module.__doc__.splitlines()[0]}\n")
        for row in module.table():
            print("| " + " | ".join(row) + " |")
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
