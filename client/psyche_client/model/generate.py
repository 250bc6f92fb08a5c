"""Text from a model, one token at a time, by the latent cache."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch

from .errors import ModelError
from .layers import Cache
from .lm import CausalLM


class TextCodec(Protocol):
    """What generation needs of a tokenizer."""

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids."""


def generate(
    model: CausalLM,
    tokenizer: TextCodec,
    prompt: str,
    tokens: int,
    *,
    seed: int = 0,
    temperature: float = 0.8,
) -> str:
    """`prompt` continued by at most `tokens` tokens; the same seed gives the same text.

    Temperature 0 takes the likeliest token each time. Ends early at the end-of-text token and
    where the model's positions end.
    """
    ids = tokenizer.encode(prompt) or [model.config.eos_token_id]
    new = list(generate_ids(model, ids, tokens, seed=seed, temperature=temperature))
    return prompt + tokenizer.decode(new)


@torch.no_grad()
def generate_ids(
    model: CausalLM, prompt: Sequence[int], tokens: int, *, seed: int, temperature: float
) -> Iterator[int]:
    """At most `tokens` token ids that follow `prompt`, as they are drawn."""
    if not prompt or temperature < 0:
        raise ModelError("generation needs a prompt and a temperature of at least 0")
    random = np.random.Generator(np.random.Philox(seed))
    cache = Cache()
    device = model.model.embed_tokens.weight.device
    # The prompt keeps its end, and leaves room for what is asked where it can.
    positions = model.config.max_position_embeddings
    window = list(prompt)[-max(1, positions - tokens) :]
    for _ in range(tokens):
        if cache.length() + len(window) > positions:
            return
        logits = model.next_logits(torch.tensor([window], device=device), cache)[0]
        drawn = _draw(logits.double().cpu().numpy(), temperature, random)
        if drawn == model.config.eos_token_id:
            return
        yield drawn
        window = [drawn]


def _draw(
    logits: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
    temperature: float,
    random: np.random.Generator,
) -> int:
    point = random.random()
    if temperature == 0:
        return int(logits.argmax())
    weights = np.exp((logits - logits.max()) / temperature)
    sums = np.cumsum(weights)
    return int(min(np.searchsorted(sums, point * sums[-1], side="right"), len(sums) - 1))
