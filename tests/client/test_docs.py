"""The documentation: links lead somewhere, commands and Python in it are real."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest

from psyche_client.cli.app import run
from psyche_client.cli.errors import Code

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
IDS = [str(page.relative_to(ROOT)) for page in PAGES]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [content for name, content in found if name == language]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_on_a_page_exist_with_their_options(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for block in blocks(page, "bash"):
        for command in re.findall(r"psyche ([a-z][^&|\n]*)", block):
            words = shlex.split(command, comments=True)
            names = [word for word in words[:2] if re.fullmatch(r"[a-z]+", word)]
            assert run([*names, "--help"]) == Code.OK, command
            shown = capsys.readouterr().out
            for option in (word for word in words if word.startswith("--")):
                assert option in shown, command


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_python_on_a_page_imports_names_that_exist(page: Path) -> None:
    for block in blocks(page, "python"):
        # A block may go on inside a coroutine of the one before.
        tree = compile(block, str(page), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("psyche"):
                module = importlib.import_module(node.module or "")
                for name in node.names:
                    if not hasattr(module, name.name):
                        importlib.import_module(f"{node.module}.{name.name}")
