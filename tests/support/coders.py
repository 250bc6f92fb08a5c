"""Both coders of payloads' bodies behind one face, and hostile bodies for them.

PYTHONPATH=tests .venv/bin/python -m support.coders 1000000   # so many hostile bodies
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from psyche_client.optim import Form, PayloadError, Selection, body, native
from psyche_client.optim.codec import VERSION
from support.optim import random_selection

RUST = native.load(VERSION)


@dataclass(frozen=True)
class Coder:
    name: str
    encode: Callable[[Selection, Form], bytes]
    decode: Callable[[bytes, Form, int], Selection]

    def judge(self, data: bytes, form: Form, sent: int) -> str | Selection:
        """The fault, or the selection."""
        try:
            return self.decode(data, form, sent)
        except PayloadError as error:
            return error.fault


NUMPY = Coder("numpy", body.encode, body.decode)
NATIVE = Coder(
    "rust",
    lambda selection, form: native.encode(RUST, selection, form),
    lambda data, form, sent: native.decode(RUST, data, form, sent),
)
HERE = [NUMPY] if RUST is None else [NUMPY, NATIVE]


@dataclass(frozen=True)
class Hostile:
    """A body of some form, good or not."""

    form: Form
    sent: int
    data: bytes


def hostile(seed: int) -> Iterator[Hostile]:
    """Bodies without end: random bytes, valid ones, and mostly valid ones that are damaged."""
    rng = random.Random(seed)
    while True:
        kept = [valid(rng) for _ in range(20)]
        for _ in range(400):
            base = rng.choice(kept)
            yield base if rng.random() < 0.02 else damaged(rng, base)


def form_of(case: dict[str, Any]) -> Form:
    """The form of a case of the golden file."""
    return Form(**{item.name: case[item.name] for item in fields(Form)})


def any_counts(form: Form, draw: Callable[[int, int], int]) -> list[int]:
    """A count of each group, drawn from its plain number and limit, while the payload has room."""
    counts: list[int] = []
    for plain, limit in zip(form.plain.tolist(), form.limits.tolist(), strict=True):
        counts.append(min(draw(plain, limit), form.sent_max - sum(counts)))
    return counts


def valid(rng: random.Random) -> Hostile:
    """A body as an honest member writes it."""
    form = Form(
        coefficients=rng.choice([rng.randint(1, 100), rng.randint(1, 3 * 4096)]),
        topk=rng.choice([1, 2, 8, 8, 32, 64, 300, 2_100]),
    )
    if form.topk > 1_000 and rng.random() < 0.9:  # these take long
        form = Form(coefficients=rng.randint(1, 200), topk=4_096)
    if rng.random() < 0.4:
        most = rng.choice([form.topk, min(3 * form.topk, 4_096)])
        form = replace(form, most=most, value_bits=rng.choice([1, 2, 5, 12]))
    differ = rng.choice([0.0, 0.0, 0.3, 1.0])
    counts = any_counts(
        form, lambda plain, limit: rng.randint(0, limit) if rng.random() < differ else plain
    )
    selection = random_selection(rng.randrange(1 << 32), form, counts)
    return Hostile(form, len(selection.indices), body.encode(selection, form))


def damaged(rng: random.Random, base: Hostile) -> Hostile:
    """Another body with some bytes changed, or random ones."""
    if rng.random() < 0.1:
        return Hostile(base.form, rng.randint(0, 30), rng.randbytes(rng.randint(0, 60)))
    data = bytearray(base.data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                del data[at:]
            case 1:
                data.insert(at, rng.randrange(256))
            case 2:
                data[at : at + 1] = bytes([rng.choice([0, 1, 127, 128, 255])])
            case 3:
                data[at : at + 2] = data[at : at + 2][::-1]
            case _ if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
    sent = base.sent + (rng.randint(-2, 2) if rng.random() < 0.05 else 0)
    return Hostile(base.form, max(sent, 0), bytes(data))


def check(case: Hostile) -> bool:
    """Both coders say the same, and what they accept has no other encoding; whether they do."""
    found = [coder.judge(case.data, case.form, case.sent) for coder in HERE]
    if isinstance(found[0], str):
        assert found == found[:1] * len(HERE), f"{found}: {case}"
        return False
    for coder, selection in zip(HERE, found, strict=True):
        assert isinstance(selection, Selection), f"{coder.name} refuses {case}"
        assert selection.equals(found[0]), f"{coder.name} reads another selection in {case}"
        assert coder.encode(selection, case.form) == case.data, f"{coder.name}: not the one {case}"
    return True


def fuzz(cases: int, seed: int = 0) -> int:
    """How many of so many hostile bodies are accepted; an AssertionError names a finding."""
    return sum(check(case) for case, _ in zip(hostile(seed), range(cases), strict=False))


if __name__ == "__main__":
    accepted = fuzz(int(sys.argv[1]), seed=int((*sys.argv[2:], "1")[0]))
    sys.stdout.write(f"{accepted} accepted by {' and '.join(coder.name for coder in HERE)}\n")
