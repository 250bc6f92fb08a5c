"""The tables of docs/COSTS.md, from what `benchmarks.costs` measures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from solders.litesvm import LiteSVM

from benchmarks.costs import CAPACITIES, MEMBERS, accounts, measured
from support.program_chain import PROGRAM_FILE

#: Lamports of a signature, and of a SOL.
SIGNATURE, SOL = 5_000, 10**9
#: Members whose fees and rents are given.
PRICED = (16, 256, 1_024)
#: Up to so many slots a tick makes all that is due.
SMALL = 64
#: Witnesses of a round, at most.
WITNESSES = 32
ROUNDS, EPOCH_ROUNDS = 10_000, 100
#: Steps of the run that the reference implementation was made for, Consilience 40B.
CONSILIENCE_ROUNDS = 325_000
#: Bytes of the reference's coordinator account, and the SOL that keep it alive.
REFERENCE_BYTES, REFERENCE_SOL = 119_160, 0.83
#: An attestation by a filter, as it is called where it is measured.
FILTER = "attest, Bloom at 1 %"
#: Micro-lamports a unit of the priority fee whose part is shown.
PRIORITY = 1_000
#: Transactions of a member at an epoch's turn: its sealed vote, its opening.
VOTES = 2
#: Ticks of an epoch's turn: advance to cooldown, store entropy, end epoch, start warmup, store
#: entropy, start.
TURN_TICKS = 6
#: Transactions of the checkpoint between two epochs: two publications, each confirmed by two.
CHECKPOINT = 6

Row = Iterable[object]


@dataclass(frozen=True)
class Limit:
    """A promise, and how near the measurements come to it."""

    count: int
    name: str
    most: int
    found: Callable[[], tuple[int, str]]

    def row(self) -> tuple[str, ...]:
        """Promise, most, measured, whether it holds."""
        used, case = self.found()
        held = "held" if used <= self.most else "**not held**"
        return self.name, f"{self.most:,}", f"{used:,}", case, held


def dearest(prefix: str, count: int) -> tuple[int, str]:
    """(units, name) of the dearest instruction or tick whose name begins so."""
    units = measured(count)[0]
    found = [(used, name) for name, used in units.items() if name.startswith(prefix)]
    return max(found)


def plain(name: str, count: int) -> tuple[int, str]:
    """(units, name) of a call that makes no transition."""
    return measured(count)[0][name], name


LIMITS = (
    Limit(256, "`commit`, 256 members", 5_000, lambda: plain("commit", 256)),
    Limit(256, "`attest`, 256 members", 8_000, lambda: plain("attest", 256)),
    Limit(256, "`attest`, Bloom at 1 %, 256 members", 40_000, lambda: plain(FILTER, 256)),
    Limit(256, "any tick, 256 members", 60_000, lambda: dearest("tick:", 256)),
    Limit(1_024, "any tick, 1,024 members", 250_000, lambda: dearest("tick:", 1_024)),
    Limit(1_024, "any call, 1,024 members", 1_400_000, lambda: dearest("", 1_024)),
    Limit(0, "bytes of Run", 4_096, lambda: (max(accounts()["Run"].values()), "every capacity")),
)


def table(head: Row, rows: Iterable[Row]) -> str:
    """A Markdown table; the first column is text, the others are numbers or text."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    return "\n".join("| " + " | ".join(row) + " |" for row in cells)


def units_table(members: Sequence[int]) -> str:
    """Most compute units of every instruction, ticks by what they do."""
    names = sorted({name for count in members for name in measured(count)[0]})
    # A tick's kinds stand last.
    names.sort(key=lambda name: name.startswith("tick"))
    rows = []
    for name in names:
        used = [measured(count)[0].get(name) for count in members]
        rows.append([name, *("-" if one is None else f"{one:,}" for one in used)])
    return table(["instruction", *(f"{count:,} members" for count in members)], rows)


def bytes_table() -> str:
    """Bytes of the accounts."""
    rows = [[name, *(f"{by[one]:,}" for one in CAPACITIES)] for name, by in accounts().items()]
    return table(["account", *(f"{one:,} slots" for one in CAPACITIES)], rows)


def sol(lamports: int) -> str:
    """Lamports as SOL, without needless zeros."""
    return f"{lamports / SOL:.6f}".rstrip("0").rstrip(".")


def rent(size: int) -> int:
    """Lamports that keep an account of so many bytes alive; its closer gets them back."""
    return LiteSVM().minimum_balance_for_rent_exemption(size)


def rent_table() -> str:
    """SOL of rent by capacity."""
    rows = []
    for capacity in CAPACITIES:
        of = {name: rent(by[capacity]) for name, by in accounts().items()}
        member, permit = of.pop("Participant"), of.pop("Pass")
        rows.append([f"{capacity:,}", *(sol(one) for one in of.values()), sol(sum(of.values()))])
        rows[-1] += [sol(member), sol(permit)]
    head = ["slots", "Run", "Roster", "Rounds", "the run", "each member", "each pass"]
    return table(head, rows)


def transactions(count: int) -> tuple[int, int, int]:
    """Commitments, attestations and ticks of a round in which all goes well."""
    ticks = measured(32 if count <= SMALL else 256)[1]
    return count, min(WITNESSES, count), ticks


def fees_table() -> str:
    """SOL of a round and of a run."""
    rows = []
    for count in PRICED:
        commits, attestations, ticks = transactions(count)
        each = commits + attestations + ticks
        all_fees = run_fees(count, ROUNDS)
        rows.append(
            [
                f"{count:,}",
                f"{commits:,}",
                attestations,
                ticks,
                f"{each:,}",
                sol(SIGNATURE * each),
                f"{all_fees / SOL:,.2f}",
                f"{all_fees / SOL / count:,.3f}",
            ]
        )
    head = ["members", "commits", "attestations", "ticks", "transactions a round"]
    return table([*head, "SOL a round", "SOL a run", "SOL a run and member"], rows)


def run_fees(count: int, rounds: int) -> int:
    """Lamports of all fees of a run in which all goes well."""
    turns = rounds // EPOCH_ROUNDS * (VOTES * count + TURN_TICKS + CHECKPOINT)
    return SIGNATURE * (rounds * sum(transactions(count)) + turns + 2 * count)


def round_units(count: int) -> int:
    """Compute units of a round at most: each call as dear as the dearest of its kind."""
    size = min(one for one in MEMBERS if one >= count)
    commits, attestations, ticks = transactions(count)
    tick = dearest("tick:", size)[0]
    each = commits * plain("commit", size)[0] + attestations * plain("attest", size)[0]
    return each + ticks * tick


def plans_table() -> str:
    """SOL of a run of 10,000 rounds and of Consilience's, and what a priority fee adds."""
    rows = []
    for count in PRICED:
        units = round_units(count)
        added = units * PRIORITY // 10**6
        fees = [run_fees(count, rounds) / SOL for rounds in (ROUNDS, CONSILIENCE_ROUNDS)]
        more = added * CONSILIENCE_ROUNDS / SOL
        row = [f"{count:,}", *(f"{one:,.2f}" for one in fees), f"{units:,}", f"{added:,}"]
        rows.append([*row, f"{more:,.2f}"])
    head = ["members", f"SOL, {ROUNDS:,} rounds", f"SOL, {CONSILIENCE_ROUNDS:,} rounds"]
    return table([*head, "units a round", "lamports a round more", "SOL a Consilience more"], rows)


def reference_table() -> str:
    """The accounts beside the one of the reference implementation."""
    rows = [["reference, 256 clients", f"{REFERENCE_BYTES:,}", f"{REFERENCE_SOL}"]]
    for capacity in (256, 1_024):
        sizes = [accounts()[name][capacity] for name in ("Run", "Roster", "Rounds")]
        kept = sol(sum(rent(one) for one in sizes))
        rows.append([f"Run, Roster and Rounds, {capacity:,} slots", f"{sum(sizes):,}", kept])
    return table(["accounts of a run", "bytes", "SOL of rent"], rows)


def limits_table(members: Sequence[int]) -> str:
    """What the program promises, and what it does."""
    rows = [limit.row() for limit in LIMITS if limit.count in (0, *members)]
    return table(["limit", "at most", "measured", "dearest case", ""], rows)


def missed(members: Sequence[int]) -> str:
    """Every tick above its limit, so that none hides behind the dearest one."""
    rows = []
    for limit in LIMITS:
        if not limit.name.startswith("any tick") or limit.count not in members:
            continue
        for name, used in measured(limit.count)[0].items():
            if name.startswith("tick:") and used > limit.most:
                rows.append((name, f"{limit.count:,}", f"{used:,}", f"{limit.most:,}"))
    if not rows:
        return "Every tick keeps its limit."
    return table(["tick above its limit", "members", "measured", "at most"], rows)


def tables(members: Sequence[int]) -> str:
    """All tables, each below its heading.

    Raises:
        RuntimeError: the program was compiled anew meanwhile, so the figures are of two programs.
    """
    measured_hash = program_hash()
    parts = {
        "Limits": f"{limits_table(members)}\n\n{missed(members)}",
        "Compute units": units_table(members),
        "Bytes of the accounts": bytes_table(),
        "Rent in SOL": rent_table(),
        "Fees in SOL": fees_table(),
        "Long runs and priority fees": plans_table(),
        "Beside the reference": reference_table(),
    }
    text = "\n\n".join(f"## {name}\n\n{made}" for name, made in parts.items())
    if program_hash() != measured_hash:
        raise RuntimeError("the program changed while it was measured: measure again")
    return f"Program measured: sha256 `{measured_hash}`.\n\n{text}"


def program_hash() -> str:
    """The compiled program's hash, in hexadecimal digits."""
    return hashlib.sha256(PROGRAM_FILE.read_bytes()).hexdigest()


def kept_or_measured(page: str, start: str, end: str, *, measure: bool) -> str:
    """The page's part between two markers if it is of the present program, else a new one.

    Measuring takes a minute; without it a part of another program comes back empty.
    """
    kept = page.partition(start)[2].partition(end)[0].strip()
    if program_hash() in kept:
        return kept
    return tables(MEMBERS) if measure else ""
