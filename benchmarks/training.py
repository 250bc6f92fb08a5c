"""What DisTrO selects in training: a few steps of one model, its gradients given to every k."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from psyche_client.model.config import MlaConfig
from psyche_client.model.init import initial_parameters
from psyche_client.model.lm import build
from psyche_client.optim import Form, Layout, Selection, UpdateRule, rate_units
from psyche_client.optim.distro import DisTrO
from psyche_client.optim.schedule import Schedule

MODEL = MlaConfig(
    vocab_size=256, hidden_size=512, intermediate_size=1_536, num_hidden_layers=10,
    num_attention_heads=8, q_lora_rank=128, kv_lora_rank=128,
    qk_nope_head_dim=32, qk_rope_head_dim=32, v_head_dim=64,
)  # fmt: skip
SEQUENCES, TOKENS = 8, 128
#: Steps after which selections are taken.
SHOWN = (0, 12)
#: The parameters move by what this k selects.
LEADER = 32


def selections(topks: Sequence[int]) -> Iterator[tuple[int, int, Form, Selection]]:
    """Step, k, form and selection of one member that trains alone."""
    torch.set_num_threads(1)
    model = build(MODEL, initial_parameters(MODEL, bytes(32)))
    parameters = {name: parameter.data for name, parameter in model.named_parameters()}
    layout = Layout.from_shapes({name: tuple(data.shape) for name, data in parameters.items()})
    schedule = Schedule(peak=rate_units("0.001"))
    rules = {topk: UpdateRule(topk=topk, schedule=schedule) for topk in topks}
    optimizers = {topk: DisTrO(layout, rule, members_max=1) for topk, rule in rules.items()}
    text, rng = _text(), np.random.default_rng(0)
    for step in range(SHOWN[-1] + 1):
        starts = rng.integers(0, len(text) - TOKENS - 1, SEQUENCES)
        batch = np.stack([text[start : start + TOKENS + 1] for start in starts])
        model.zero_grad()
        torch.autograd.backward(model.loss(torch.from_numpy(batch)))
        gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        for topk, optimizer in optimizers.items():
            selection = optimizer.generate(gradients, (0, step))
            optimizer.settled((0, step), accepted=True)
            if step in SHOWN:
                yield step, topk, optimizer.form_at(0), selection
            if topk == LEADER:
                optimizer.update(parameters, [selection], schedule.lr_at(step))


def _text() -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Bytes of some files of Python's own library."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:100]
    return np.frombuffer(b"".join(file.read_bytes() for file in files), np.uint8).astype(np.int64)
