"""Validation loss of the update rules, beside AdamW with dense gradients at equal tokens.

Model, optimizer, data and gradients are the client's own; four workers in one process. Both sides
sweep as many learning rates; seeds that are reported are not those tuned on, and are pairs: the
same start, the same sequences in the same order. Held-out text is of whole files, without
near-duplicates. The bound of the difference is one-sided, 95 %, Student's. Votes a coefficient:
where they are near 1 the comparison says nothing about long runs.

    python -m benchmarks.loss --smoke [--out DIR] [--json]    # at most ten minutes; says little
    python -m benchmarks.loss [--out DIR] [--json]            # hours; may be ended at any time

Each trial is kept in DIR as it ends, and is not trained again; DIR/results.json has the settings
and all trials, and begins with those that benchmarks/loss_*.json keep, which are such files.
`python -m benchmarks loss` prints what these say. `--jobs N` trains N at a time, a core each.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks import rows
from benchmarks.loss_plan import LONG, SMOKE, Setup, Variant
from benchmarks.loss_rows import Outcomes
from benchmarks.loss_rows import rows as rows_of
from benchmarks.loss_sides import Peer
from benchmarks.loss_trial import Corpus, Outcome, Trial, corpus, run
from benchmarks.rows import Row
from psyche_client.store import write_durably

KEPT = tuple(Path(__file__).with_name(f"loss_{name}.json") for name in ("smoke", "long"))


class OtherSettings(Exception):  # noqa: N818 - it tells what happened
    """The folder holds trials of other settings or of other text."""


class LibraryMissing(Exception):  # noqa: N818 - it tells what happened
    """A side cannot be trained here. It names what `pip install` takes."""


def table() -> Iterator[tuple[str, ...]]:
    """The rows of the results that are kept."""
    return rows.table(row for path in KEPT if path.exists() for row in rows_of(read(path)))


def read(path: Path) -> Outcomes:
    """What a results.json says."""
    value = json.loads(path.read_text(encoding="ascii"))
    numbers: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in value["setup"].items()
    }
    numbers["variants"] = {name: _side(one) for name, one in numbers["variants"].items()}
    found = [Outcome(**one) for one in value["trials"]]
    return Outcomes(Setup(**numbers), found, value["corpus"])


def _side(numbers: dict[str, Any]) -> Variant | Peer:
    return Peer(**numbers) if "library" in numbers else Variant(**numbers)


def write(path: Path, outcomes: Outcomes) -> None:
    """Settings and trials."""
    value = {
        "setup": asdict(outcomes.setup),
        "parameters": outcomes.setup.parameters,
        "tokens": outcomes.setup.tokens,
        "corpus": outcomes.root,
        "trials": [asdict(one) for one in outcomes.by_trial.values()],
    }
    write_durably(path, (json.dumps(value, indent=1) + "\n").encode("ascii"))


def measure(setup: Setup, folder: Path, jobs: int = 1) -> Iterator[Row]:
    """Trains what the folder does not have yet, so many trials at a time.

    Raises:
        OtherSettings: what it has was trained with other settings, or on other text.
        LibraryMissing: a peer's library is not installed; nothing was trained.
    """
    peers = [side for side in setup.variants.values() if isinstance(side, Peer)]
    if absent := sorted({package for peer in peers for package in peer.absent()}):
        raise LibraryMissing(" ".join(absent))
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    outcomes = read(path) if path.exists() else begun(setup)
    if outcomes.setup != setup:
        raise OtherSettings(f"{path} was made with other settings")
    data = corpus(setup, folder / "corpus")
    if outcomes.root not in ("", data.root):
        raise OtherSettings(f"{path} was made with other text: another Python's library")
    outcomes.root = data.root
    for outcome in trained(outcomes, data, jobs):
        write(path, outcomes)
        line = f"{outcome.side}, rate {outcome.rate}, seed {outcome.seed}: {outcome.loss}"
        sys.stderr.write(f"{setup.name}: {line}, {outcome.seconds:.0f} s\n")
    yield from rows_of(outcomes)


def begun(setup: Setup) -> Outcomes:
    """The trials that are kept of this setup, if any are."""
    kept = [
        outcomes for outcomes in map(read, filter(Path.exists, KEPT)) if outcomes.setup == setup
    ]
    return kept[0] if kept else Outcomes(setup, ())


def trained(outcomes: Outcomes, data: Corpus, jobs: int) -> Iterator[Outcome]:
    """Each outcome that is not there yet, as it comes; it is there then."""
    if jobs == 1:
        while due := outcomes.due():
            yield outcomes.add(run(outcomes.setup, data, due[0]))
        return
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, fresh, torch.set_num_threads, (1,)) as pool:
        under_way: dict[Future[Outcome], Trial] = {}
        while True:
            busy = set(under_way.values())
            free = [trial for trial in outcomes.due() if trial not in busy]
            for trial in free[: jobs - len(busy)]:
                under_way[pool.submit(run, outcomes.setup, data, trial)] = trial
            if not under_way:
                return
            for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                del under_way[done]
                yield outcomes.add(done.result())


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loss")
    parser.add_argument("--smoke", action="store_true", help="the version of ten minutes")
    parser.add_argument("--out", type=Path, help="folder that keeps the trials")
    parser.add_argument("--json", action="store_true", help="rows as JSON")
    parser.add_argument("--jobs", type=int, default=1, help="trials at a time (default: 1)")
    given = parser.parse_args()
    setup = SMOKE if given.smoke else LONG
    folder = given.out or Path(f"loss-{setup.name}")
    try:
        return rows.main(lambda: measure(setup, folder, max(1, given.jobs)))
    except OtherSettings as error:
        sys.stderr.write(f"error: {error}\n\nhint: name another folder with --out\n")
        return 2
    except LibraryMissing as error:
        sys.stderr.write(f"error: peers are not installed: {error}\n\n")
        sys.stderr.write(f"hint: .venv/bin/uv pip install {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
