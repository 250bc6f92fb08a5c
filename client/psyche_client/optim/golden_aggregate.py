"""Golden signs of aggregation: selections, and what whole-number arithmetic makes of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from psyche_client.optim.form import Selection
from psyche_client.optim.golden_payload import chosen
from psyche_client.optim.layout import Layout
from psyche_client.optim.rule import UpdateRule
from psyche_client.optim.table import BASIS

_SHAPES = {
    "model.embed_tokens.weight": (40, 32),
    "a.weight": (64, 64),
    "b.weight": (33, 48),
    "c": (70,),
}
_RULES = {
    "signs": UpdateRule(topk=64, vote_cap=1),
    "signs without a cap": UpdateRule(topk=64, vote_cap=0),
    "uneven signs": UpdateRule(topk=8, group_topk_max=64),
    "values of four bits": UpdateRule(topk=32, value_bits=4, value_exponent=-9, vote_cap=0),
    "the largest values, capped": UpdateRule(topk=64, value_bits=12, vote_cap=2_500),
    "the largest values by rows": UpdateRule(
        topk=64, value_bits=12, vote_cap=0, embeddings="row"
    ),
}  # fmt: skip
_MEMBERS = 5


def signs_of(layout: Layout, selections: list[Selection], cap: int) -> NDArray[np.int8]:
    """int8 [coefficients]: docs/payload.md's steps 1 and 2, in whole numbers alone."""
    votes = np.zeros(layout.coefficients, np.int64)
    for selection in selections:
        votes[selection.positions()] += selection.values
    if cap:
        votes = np.clip(votes, -cap, cap)
    for buffer in layout.buffers:
        rows, columns = buffer.edge_rows, buffer.edge_columns
        blocks = votes[buffer.start : buffer.end].reshape(-1, rows, columns)
        sums = blocks @ BASIS[columns].astype(np.int64)
        if rows > 1:
            sums = BASIS[rows].astype(np.int64).T @ sums
        votes[buffer.start : buffer.end] = sums.reshape(-1)
    return np.sign(votes).astype(np.int8)


def vectors() -> list[dict[str, object]]:
    """All of the file's content."""
    found: list[dict[str, object]] = []
    for name, rule in _RULES.items():
        layout = Layout.from_shapes(_SHAPES, rule.embeddings)
        form = rule.form_at(0, layout.coefficients)
        plain = form.plain.tolist()
        few = [max(0, count - 3) for count in plain]
        uneven = [few[0] + 2, *few[1:]] if form.most > form.topk else few
        counts = [plain, uneven, plain, few, plain]
        made = [chosen(form, each, member) for member, each in enumerate(counts[:_MEMBERS])]
        # One that sends the same as another: votes on one coefficient add up.
        made[2] = made[0]
        found.append({
            "name": name, "shapes": _SHAPES, "update_rule": rule.to_value(), "form": asdict(form),
            "selections": [
                {part: getattr(one, part).tolist() for part in ("counts", "indices", "values")}
                for one in made
            ],
            "signs_sha256": hashlib.sha256(
                signs_of(layout, made, rule.vote_cap).tobytes()
            ).hexdigest(),
        })  # fmt: skip
    return found


def text() -> str:
    """The file: one case a line."""
    return "[\n" + ",\n".join(json.dumps(case) for case in vectors()) + "\n]\n"
