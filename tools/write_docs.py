"""Writes what docs/ repeats from the code: help, run.toml, costs, the program's interface.

`make docs` rewrites the parts between the markers; with --check nothing is written, and a page
that is not current is an error.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from pathlib import Path

import doc_pages

from psyche_client.cli.app import run
from psyche_client.config import dump, parse

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
COMMANDS = (
    "",
    "demo",
    "localnet",
    "join",
    "run",
    "run create",
    "run show",
    "run list",
    "run watch",
    "run config",
    "run resume",
    "run pause",
    "run abort",
    "run close",
    "run rates",
    "run authority",
    "run join-authority",
    "pass issue",
    "pass revoke",
    "pass list",
    "rewards show",
    "rewards collect",
    "rewards payee",
    "rewards close",
    "data prepare",
    "data inspect",
    "model inspect",
    "model plan",
    "model anneal",
    "model generate",
    "model export",
    "model import",
    "wallet new",
    "wallet show",
    "wallet airdrop",
    "doctor",
)
SMALLEST = '[run]\nid = "tiny"\n[rounds]\ntotal_steps = 400\n[data]\nsource = "python"\n'


def help_pages() -> str:
    """Every command's page of help, as it is printed in 80 columns."""
    os.environ["COLUMNS"] = "80"
    pages = []
    for command in COMMANDS:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            run([*command.split(), "--help"])
        pages.append(f"### psyche {command}".rstrip() + f"\n\n```text\n{output.getvalue()}```")
    return "\n\n".join(pages)


def run_file() -> str:
    """A whole run.toml: every key with its default and what it allows."""
    return f"```toml\n{dump(parse(SMALLEST))}```"


def costs() -> str:
    """The program's costs: measured anew if the program is another than the page's."""
    page = (DOCS / "COSTS.md").read_text(encoding="utf-8")
    start, end = markers("costs")
    sys.path.insert(0, str(ROOT))
    costs_page = importlib.import_module("benchmarks.costs_page")
    measure = "--check" not in sys.argv
    return str(costs_page.kept_or_measured(page, start, end, measure=measure))


PARTS = {
    ("cli.md", "commands"): help_pages,
    ("owner.md", "run.toml"): run_file,
    ("COSTS.md", "costs"): costs,
    ("INSTRUCTIONS.md", "instructions"): doc_pages.instructions,
    ("PROTOCOL.md", "diagram"): doc_pages.diagram,
    ("ASSUMPTIONS.md", "collusion"): doc_pages.collusion,
}


def markers(name: str) -> tuple[str, str]:
    """What stands before and behind a written part."""
    return f"<!-- {name}: written by `make docs` -->", f"<!-- end of {name} -->"


def with_part(page: str, name: str, content: str) -> str:
    """The page with what stands between the two markers of a part replaced."""
    start, end = markers(name)
    before, found, rest = page.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"a page lacks the markers of {name}")
    return f"{before}{start}\n\n{content}\n\n{end}{after}"


def main() -> int:
    """Writes, or checks with --check, every part; returns the exit code."""
    stale = []
    for (name, part), make in PARTS.items():
        path = DOCS / name
        page = path.read_text(encoding="utf-8")
        fresh = with_part(page, part, make())
        if fresh != page:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(fresh, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.stderr.write(f"error: not current: {', '.join(stale)}\n\nhint: run `make docs`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
