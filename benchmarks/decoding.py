"""Tokens a second of decoding with the cache, beside the whole sequence anew for each token.

Both ways take turns in one run, from a prompt of 512 - 16 tokens to 512, greedily, and must write
the same tokens; the ratio is of the medians. The cache has two tensors a layer: latents and rotated
keys with latent attention, keys and values with Llama's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median

import torch

from psyche_client.model.init import initial_parameters
from psyche_client.model.layers import Cache
from psyche_client.model.lm import CausalLM, build
from psyche_client.model.presets import preset

TOKENS, WRITTEN, TURNS = 512, 16, 3
MODELS = ("demo", "llama-demo")


def table() -> Iterator[tuple[str, ...]]:
    """A row for each model."""
    yield "model", "cache, numbers a token", "with cache, tokens/s", "without", "ratio"
    yield ("---",) * 5
    for name in MODELS:
        config = preset(name)
        model = build(config, initial_parameters(config, bytes(32)))
        prompt = torch.arange(TOKENS - WRITTEN)[None] % config.vocab_size
        cached, whole = in_turns(lambda m=model, p=prompt: decode(m, p), model, prompt)
        size = config.cache_elements * config.num_hidden_layers
        yield name, f"{size:,}", f"{cached:.0f}", f"{whole:.0f}", f"{cached / whole:.1f}"


def in_turns(
    with_cache: Callable[[], tuple[list[int], float]], model: CausalLM, prompt: torch.Tensor
) -> tuple[float, float]:
    """Tokens a second of both ways, after a turn of each that does not count."""
    rates: tuple[list[float], list[float]] = ([], [])
    for turn in range(TURNS + 1):
        found, seconds = with_cache()
        expected, whole_seconds = decode_anew(model, prompt)
        assert found == expected, "the cache changes what is written"
        if turn:
            rates[0].append(WRITTEN / seconds)
            rates[1].append(WRITTEN / whole_seconds)
    return median(rates[0]), median(rates[1])


@torch.no_grad()
def decode(model: CausalLM, prompt: torch.Tensor) -> tuple[list[int], float]:
    """The tokens written with the cache, and the seconds; the prompt's pass is not counted."""
    cache = Cache()
    token = model.next_logits(prompt, cache).argmax(-1, keepdim=True)
    written = []
    start = time.perf_counter()
    for _ in range(WRITTEN):
        written.append(int(token))
        token = model.next_logits(token, cache).argmax(-1, keepdim=True)
    return written, time.perf_counter() - start


@torch.no_grad()
def decode_anew(model: CausalLM, prompt: torch.Tensor) -> tuple[list[int], float]:
    """The same without a cache: a pass over all tokens for each new one."""
    token = model.next_logits(prompt).argmax(-1, keepdim=True)
    sequence, written = prompt, []
    start = time.perf_counter()
    for _ in range(WRITTEN):
        written.append(int(token))
        sequence = torch.cat((sequence, token), dim=1)
        token = model.next_logits(sequence).argmax(-1, keepdim=True)
    return written, time.perf_counter() - start
