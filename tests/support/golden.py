"""The golden vectors that the Rust rules wrote."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "golden"


def golden(name: str, cases: str) -> list[Any]:
    """One list of cases of a file; at least one, so that no test passes for want of them."""
    document = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    found: list[Any] = document[cases]
    assert found
    return found
