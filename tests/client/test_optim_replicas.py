"""Three replicas in one process, payloads through their bytes: loss falls, bits stay equal."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn

from psyche_client.optim import Layout, PayloadHeader, Schedule, decode, encode, rate_units
from psyche_client.optim.adamw import train_dense
from psyche_client.optim.distro import DisTrO
from support.optim import expectation_for, small_rule

MEMBERS, ROUNDS = 3, 60


def make_model() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(48, 96), nn.Tanh(), nn.Linear(96, 10))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model


def batch(seed: int) -> tuple[Tensor, Tensor]:
    """Points labelled by a fixed random map: something that can be learnt."""
    teacher = torch.randn(48, 10, generator=torch.Generator().manual_seed(8))
    points = torch.randn(128, 48, generator=torch.Generator().manual_seed(seed))
    return points, (points @ teacher).argmax(1)


def loss_of(model: nn.Module, seed: int) -> Tensor:
    points, labels = batch(seed)
    return nn.functional.cross_entropy(model(points), labels)


class Replica:
    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.model = make_model()
        self.parameters = dict(self.model.named_parameters())
        shapes = {name: tuple(p.shape) for name, p in self.parameters.items()}
        rule = small_rule(topk=128, weight_decay_micro=10_000)
        self.optimizer = DisTrO(Layout.from_shapes(shapes), rule, members_max=MEMBERS)

    def header(self, now: int, slot: int) -> PayloadHeader:
        return PayloadHeader(
            instance=bytes(32),
            epoch=0,
            round=now,
            slot=slot,
            member_id=slot + 1,
            layout_digest=self.optimizer.layout.digest(),
        )

    def payload(self, now: int) -> bytes:
        self.model.zero_grad()
        loss_of(self.model, 1000 * now + self.slot).backward()
        gradients = {name: p.grad for name, p in self.parameters.items()}
        selection = self.optimizer.generate(gradients, (0, now))
        return encode(self.header(now, self.slot), selection, self.optimizer.form_at(0))

    def settle(self, now: int, step: int, payloads: dict[int, bytes]) -> None:
        form = self.optimizer.form_at(0)
        selections = [
            decode(payloads[slot], expectation_for(self.header(now, slot), form))
            for slot in sorted(payloads)
        ]
        rate = self.optimizer.rule.schedule.lr_at(step)
        self.optimizer.apply(self.parameters, self.optimizer.aggregate(selections), rate)
        self.optimizer.settled((0, now), accepted=self.slot in payloads)

    def digest(self) -> str:
        data = b"".join(p.detach().numpy().tobytes() for p in self.parameters.values())
        return hashlib.sha256(data).hexdigest()


def test_three_replicas_learn_and_hold_equal_bits_though_payloads_are_refused() -> None:
    replicas = [Replica(slot) for slot in range(MEMBERS)]
    with torch.no_grad():
        first = float(loss_of(replicas[0].model, 10**6))
    for now in range(ROUNDS):
        payloads = {replica.slot: replica.payload(now) for replica in replicas}
        if now % 5 == 4:
            del payloads[now % MEMBERS]
        for replica in replicas:
            replica.settle(now, now, payloads)
        assert len({replica.digest() for replica in replicas}) == 1
    with torch.no_grad():
        last = float(loss_of(replicas[0].model, 10**6))
    assert last < 0.6 * first


def test_dense_adamw_learns_the_same_problem_alone() -> None:
    model = make_model()
    losses = train_dense(
        model,
        [torch.tensor(seed) for seed in range(ROUNDS)],
        loss=lambda m, seed: loss_of(m, int(seed)),
        schedule=Schedule(peak=rate_units("0.01")),
    )
    assert len(losses) == ROUNDS
    assert losses[-1] < 0.6 * losses[0]
