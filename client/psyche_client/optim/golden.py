"""Makes the committed numbers: the DCT table and the golden vectors.

    python -m psyche_client.optim.golden table PATH      # writes dct2.bin
    python -m psyche_client.optim.golden schedule PATH   # writes schedule.json
    python -m psyche_client.optim.golden topk PATH       # writes topk.json
    python -m psyche_client.optim.golden payload PATH    # writes payload.json
    python -m psyche_client.optim.golden aggregate PATH  # writes aggregate.json

Everything here is decimal or whole-number arithmetic, so any machine makes the same bytes.
"""

from __future__ import annotations

import json
import sys
from array import array
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path

EDGE_MAX = 64
SCALE_BITS = 14
_DIGITS = 50
_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")


def _cosine(numerator: int, denominator: int) -> Decimal:
    """Cosine of pi * numerator / denominator for an angle in the first quadrant."""
    angle = _PI * numerator / denominator
    square, term, total, n = angle * angle, Decimal(1), Decimal(1), 0
    while abs(term) > Decimal(10) ** -(_DIGITS - 5):
        n += 2
        term = -term * square / (n * (n - 1))
        total += term
    return total


def _quadrant(numerator: int, points: int) -> tuple[int, int]:
    """Folds pi * numerator / (2 * points) to the first quadrant: (sign, folded numerator)."""
    numerator %= 4 * points
    if numerator > 2 * points:
        numerator = 4 * points - numerator
    if numerator > points:
        return -1, 2 * points - numerator
    return 1, numerator


def basis(points: int) -> list[list[int]]:
    """The scaled and rounded DCT-II of so many points, rows by frequency."""
    with localcontext() as context:
        context.prec = _DIGITS
        cosines = [_cosine(m, 2 * points) for m in range(points + 1)]
        cosines[points] = Decimal(0)
        rows = []
        for k in range(points):
            scale = (Decimal(2 if k else 1) / points).sqrt() * (1 << SCALE_BITS)
            row = []
            for i in range(points):
                sign, folded = _quadrant((2 * i + 1) * k, points)
                exact = scale * cosines[folded]
                row.append(sign * int(exact.to_integral_value(ROUND_HALF_EVEN)))
            rows.append(row)
    return rows


def table_bytes() -> bytes:
    """The content of dct2.bin."""
    numbers = array("h")
    for points in range(1, EDGE_MAX + 1):
        for row in basis(points):
            numbers.extend(row)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def schedule_vectors() -> list[dict[str, object]]:
    """Schedules with their learning rates at chosen steps."""
    from psyche_client.optim.schedule import Schedule  # noqa: PLC0415 - needs no table

    peak, final = 1_099_511_628, 109_951_163
    cases = [
        Schedule(kind="constant", peak=peak),
        Schedule(kind="constant", peak=peak, warmup_steps=7),
        Schedule(kind="linear", peak=peak, final=final, warmup_steps=10, total_steps=103),
        Schedule(kind="cosine", peak=peak, final=0, total_steps=1000),
        Schedule(kind="cosine", peak=peak, final=final, warmup_steps=20, total_steps=777),
        Schedule(kind="wsd", peak=peak, final=0, warmup_steps=5, total_steps=200, decay_steps=40),
    ]
    steps = [0, 1, 4, 5, 6, 7, 9, 10, 19, 20, 50, 99, 102, 103, 159, 160, 161, 199, 200]
    steps += [388, 398, 499, 500, 501, 776, 777, 999, 1000, 1001, 1_000_000]
    return [
        {"schedule": case.to_value(), "rates": [[step, case.lr_at(step)] for step in steps]}
        for case in cases
    ]


def topk_vectors() -> list[dict[str, object]]:
    """How many coefficients rules send at chosen steps."""
    from psyche_client.optim.rule import UpdateRule  # noqa: PLC0415 - needs no table

    cases = [(32, 0, 0), (8, 64, 100), (64, 8, 7), (4096, 1, 1), (1, 2, (1 << 32) - 1)]
    steps = [0, 1, 2, 3, 6, 7, 8, 49, 50, 99, 100, 101, (1 << 31) - 1, (1 << 32) - 1, 1 << 32]
    found: list[dict[str, object]] = []
    for topk, end, ramp in cases:
        rule = UpdateRule(topk=topk, topk_end=end, topk_ramp_steps=ramp)
        names = ("topk", "topk_end", "topk_ramp_steps")
        found.append(
            {name: getattr(rule, name) for name in names}
            | {"sent": [[step, rule.topk_at(step)] for step in steps]}
        )
    return found


def main(arguments: list[str]) -> int:
    """Writes the asked-for file."""
    match arguments:
        case ["table", path]:
            Path(path).write_bytes(table_bytes())
        case ["schedule", path]:
            Path(path).write_text(json.dumps(schedule_vectors(), indent=1) + "\n")
        case ["topk", path]:
            Path(path).write_text(json.dumps(topk_vectors(), indent=1) + "\n")
        case ["payload", path]:
            from psyche_client.optim import golden_payload  # noqa: PLC0415 - needs the table

            Path(path).write_text(golden_payload.text())
        case ["aggregate", path]:
            from psyche_client.optim import golden_aggregate  # noqa: PLC0415 - needs the table

            Path(path).write_text(golden_aggregate.text())
        case _:
            sys.stderr.write("usage: golden table|schedule|topk|payload|aggregate PATH\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
