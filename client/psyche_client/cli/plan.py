"""What `psyche model plan` prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from psyche_client.cli.errors import CommandError
from psyche_client.cli.output import count_bytes
from psyche_client.model.activations import kept_bytes
from psyche_client.model.config import ModelConfig
from psyche_client.planning import (
    CARD_BYTES,
    LINE_BITS_PER_SECOND,
    inference,
    lines,
    training_memory,
)

MINUTE, HOUR = 60, 3_600


def make(
    config: ModelConfig,
    *,
    topk: int,
    value_bits: int,
    moments: str,
    members: int,
    sequences: int,
    tokens: int,
) -> dict[str, Any]:
    """The plan as a JSON value."""
    training = {}
    for name, recomputes in (("whole", False), ("recomputed", True)):
        kept = kept_bytes(config, sequences, tokens, recomputes=recomputes)
        training[name] = training_memory(
            config,
            topk=topk,
            value_bits=value_bits,
            moments=moments,
            members=members,
            activations=kept,
        )
    try:
        rounds = [asdict(line) for line in lines(config, topk=topk, value_bits=value_bits)]
    except ValueError as error:
        raise CommandError(str(error), hint="write a smaller --topk") from error
    return {
        "kind": config.kind,
        "parameters": config.parameter_count(),
        "topk": topk,
        "value_bits": value_bits,
        "members": members,
        "sequences": sequences,
        "tokens": tokens,
        "training": training,
        "card_bytes": CARD_BYTES,
        "inference": [asdict(card) for card in inference(config)],
        "line_bits_per_second": LINE_BITS_PER_SECOND,
        "rounds": rounds,
    }


def text(plan: dict[str, Any]) -> Iterator[str]:
    """The plan for people."""
    yield f"{plan['parameters']:,} parameters, {plan['kind']}"
    yield ""
    yield (
        f"training with {plan['members']} members, {plan['sequences']} x {plan['tokens']} tokens "
        f"at once, k = {plan['topk']} of 4,096"
    )
    whole, recomputed = plan["training"]["whole"], plan["training"]["recomputed"]
    for phase, size in whole.items():
        again = recomputed[phase]
        less = f"   layers recomputed: {count_bytes(again)}" if again != size else ""
        yield f"  {phase:<50} {count_bytes(size):>10}{less}"
    yield ""
    yield f"inference on one card of 24 GiB ({count_bytes(plan['card_bytes'])})"
    for card in plan["inference"]:
        fits = f"{card['tokens']:,} tokens of text fit" if card["tokens"] else "does not fit"
        yield (
            f"  {card['bits']} bit   weights {count_bytes(card['weights']):>10}   "
            f"cache {count_bytes(card['cache_bytes_per_token'])} a token   {fits}"
        )
    yield ""
    yield "a round on a line of 20 Mb/s"
    yield f"  {'members':>7} {'k':>5} {'payload, most':>14} {'least':>10} {'to receive all':>15}"
    for line in plan["rounds"]:
        yield (
            f"  {line['members']:>7,} {line['topk']:>5} {count_bytes(line['payload_max']):>14} "
            f"{count_bytes(line['payload_least']):>10} {duration(line['seconds']):>15}"
        )


def duration(seconds: float) -> str:
    """Seconds for people, in the largest unit that leaves a number above 2."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.1f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.1f} min"
    return f"{seconds / HOUR:.1f} h"
