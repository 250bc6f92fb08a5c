"""Parts of docs/ that are made from the IDL, from the transition table, and by arithmetic."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PHASES = (
    "Paused",
    "WaitingForMembers",
    "Warmup",
    "Train",
    "Witness",
    "Cooldown",
    "Finished",
)
PHASE_SOURCE = ROOT / "programs/coordinator/src/machine/phase.rs"
OWNER_SOURCE = ROOT / "programs/coordinator/src/machine/phase/owner.rs"

Edge = tuple[str, str, str]


def instructions() -> str:
    """Every instruction: what it does, its accounts, its arguments, as the IDL says it."""
    idl = json.loads((ROOT / "idl/coordinator.json").read_text(encoding="utf-8"))
    types = {one["name"]: one["type"] for one in idl["types"]}
    return "\n\n".join(_instruction(one, types) for one in idl["instructions"])


def _instruction(one: dict[str, Any], types: dict[str, Any]) -> str:
    words = "\n".join(one.get("docs", []))
    rows = ["| account | | |", "|---|---|---|"]
    for account in one["accounts"]:
        marks = [mark for mark in ("signer", "writable", "optional") if account.get(mark)]
        rows.append(f"| `{account['name']}` | {', '.join(marks)} | {_line(account)} |")
    given = [row for arg in one["args"] for row in _argument(arg, types)]
    if given:
        rows += ["", "| argument | type | |", "|---|---|---|", *given]
    return f"### {one['name']}\n\n{words}\n\n" + "\n".join(rows)


def _argument(arg: dict[str, Any], types: dict[str, Any]) -> list[str]:
    """A row an argument; a structure of arguments is written out, other structures are named."""
    defined = arg["type"].get("defined") if isinstance(arg["type"], dict) else None
    if defined and defined["name"].endswith("Args"):
        return [_row(field) for field in types[defined["name"]]["fields"]]
    return [_row(arg)]


def _row(field: dict[str, Any]) -> str:
    return f"| `{field['name']}` | {_type(field['type'])} | {_line(field)} |"


def _line(item: dict[str, Any]) -> str:
    return " ".join(item.get("docs", [])).replace("|", "\\|")


def _type(of: Any) -> str:
    if isinstance(of, str):
        return of
    if "array" in of:
        inner, count = of["array"]
        return f"{_type(inner)}[{count}]"
    if "defined" in of:
        return str(of["defined"]["name"])
    kind, inner = next(iter(of.items()))
    return f"{kind} of {_type(inner)}"


def diagram() -> str:
    """The phases and what leads from one to another, as a Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> Paused"]
    joined: dict[tuple[str, str], list[str]] = {}
    for start, end, label in edges():
        labels = joined.setdefault((start, end), [])
        if label not in labels:
            labels.append(label)
    for (start, end), labels in joined.items():
        lines.append(f"    {start} --> {end}: {', '.join(labels)}")
    return "\n".join([*lines, "```"])


def edges() -> list[Edge]:
    """Every way from a phase to a phase: by time and votes, then by the owner."""
    vectors = json.loads((ROOT / "tests/golden/phase.json").read_text(encoding="utf-8"))
    found: dict[Edge, None] = {}
    after = {"train": "Train", "drain": "Witness", "cooldown": "Cooldown"}
    for case in vectors["due"]:
        if case["due"] is None:
            continue
        start = PHASES[case["phase"]]
        name, named = re.fullmatch(r"(\w+?)(?:_(\d))?", case["due"]).groups()  # type: ignore[union-attr]
        if name.startswith("settle"):
            failed = name == "settle_failed"
            settled = [one for one in vectors["after_settle"] if one["draws_failed"] == failed]
            ends = sorted({after[one["next"]] for one in settled})
        else:
            ends = [PHASES[int(named)] if named else _end(name)]
        for end in ends:
            found[(start, end, name)] = None
    for start, end, label in _owner_edges():
        found[(start, end, label)] = None
    return list(found)


def _end(name: str) -> str:
    """Where a transition leads, as the table's source says beside its name."""
    source = PHASE_SOURCE.read_text(encoding="utf-8")
    rust = "".join(part.title() for part in name.split("_"))
    before = source[: source.index(f"    {rust},")]
    words = before.rpartition("\n    ///")[2]
    arrow = re.search(r"\w+ -> (\w+)", words)
    if arrow:
        return arrow[1]
    goes_on = re.search(r"(\w+) goes on", words)
    if goes_on is None:
        raise ValueError(f"phase.rs does not say where {rust} leads")
    return goes_on[1]


def _owner_edges() -> list[Edge]:
    """What resume, pause and abort do, from the matches over the phases."""
    source = OWNER_SOURCE.read_text(encoding="utf-8")
    found: list[Edge] = []
    for start, end in re.findall(r"Phase::(\w+)[^\n]*=> Some\(Phase::(\w+)\)", source):
        found.append((start, end, "resume"))
    for arm in re.findall(r"((?:Phase::\w+[ |]*)+) => Pause::Now", source):
        found += [(start, "Paused", "pause") for start in re.findall(r"Phase::(\w+)", arm)]
    may_abort = source[source.index("pub fn abort_due") :]
    arm = re.search(r"((?:Phase::\w+[ |]*)+) => \{", may_abort)
    if arm is None or not found:
        raise ValueError("owner.rs does not say what the owner's instructions do")
    found += [(start, "Paused", "abort") for start in re.findall(r"Phase::(\w+)", arm[1])]
    return found


def collusion() -> str:
    """What a third of all members can do by luck of a draw, in exact arithmetic."""
    rows = [
        "| draw | members | colluders | drawn | they need | probability |",
        "|---|---|---|---|---|---|",
    ]
    for members in (30, 99, 256, 1023):
        colluders = members // 3
        for drawn, wanted, what in _draws(members):
            chance = at_least(members, colluders, drawn, wanted)
            rows.append(f"| {what} | {members} | {colluders} | {drawn} | {wanted} | {chance:.2g} |")
    return "\n".join(rows)


def _draws(members: int) -> list[tuple[int, int, str]]:
    """Number drawn, number of colluders that decides, and what for."""
    witnesses = min(32, members)
    found = [
        (witnesses, math.floor(witnesses / 3) + 1, "witnesses: keep a good payload out"),
        (witnesses, math.ceil(2 * witnesses / 3), "witnesses: accept what nobody holds"),
    ]
    for seats in (7, 15, 31):
        if seats <= members:
            found.append((seats, math.ceil(2 * seats / 3), "committee: convict the honest"))
            found.append((seats, math.floor(seats / 3) + 1, "committee: clear a cheat"))
    return found


def at_least(members: int, colluders: int, drawn: int, wanted: int) -> float:
    """Probability that of `drawn` of all members at least `wanted` are colluders."""
    ways = sum(
        math.comb(colluders, bad) * math.comb(members - colluders, drawn - bad)
        for bad in range(wanted, min(drawn, colluders) + 1)
    )
    return ways / math.comb(members, drawn)
