"""The same bits of parameters whatever computes them: processors, threads, orders, a GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from psyche_client.optim import DisTrO, ExactnessError, Layout, selftest, transform
from psyche_client.optim.transform import Transform
from support import exact
from support.optim import TINY, random_selection, random_tensors, reference_signs, small_rule

PAYLOADS = 5
#: torch's own kernels, and those of the library that multiplies matrices.
PROCESSORS = {
    "no vectors": {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
}


@pytest.fixture(scope="module")
def agreed() -> str:
    """The hash that this process finds on one thread."""
    return exact.digest(PAYLOADS)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("processor", PROCESSORS)
def test_other_processors_find_the_same_bits(processor: str, agreed: str) -> None:
    child = [sys.executable, exact.__file__, str(PAYLOADS)]
    environment = os.environ | PROCESSORS[processor]
    found = subprocess.run(child, env=environment, capture_output=True, text=True, check=True)
    kernels = PROCESSORS[processor]["ATEN_CPU_CAPABILITY"].upper()
    assert found.stdout == f"{kernels} {agreed}"


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("count", [1, 2, 4])
def test_threads_and_the_order_of_arrival_change_no_bit(count: int, agreed: str) -> None:
    torch.set_num_threads(count)
    assert exact.digest(PAYLOADS, reverse=count == 2) == agreed


@pytest.fixture
def precisions() -> Iterator[None]:
    backends = (torch.backends.mkldnn.matmul, torch.backends.cuda.matmul)
    before = [one.fp32_precision for one in backends]
    yield
    for one, precision in zip(backends, before, strict=True):
        one.fp32_precision = precision


@pytest.mark.usefixtures("precisions")
@pytest.mark.parametrize(("backend", "precision"), [("mkldnn", "bf16"), ("cuda", "tf32")])
def test_shorter_products_of_one_backend_change_no_bit(
    backend: str, precision: str, agreed: str
) -> None:
    getattr(torch.backends, backend).matmul.fp32_precision = precision
    selftest.check()
    assert exact.digest(PAYLOADS) == agreed


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_finds_the_same_bits(agreed: str) -> None:
    selftest.check(torch.device("cuda"))
    assert exact.digest(PAYLOADS, device="cuda") == agreed


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_signs_apply_and_state_comes_back() -> None:
    device = torch.device("cuda")
    first, second = (
        DisTrO(Layout.from_shapes(TINY), small_rule(), device=device) for _ in range(2)
    )
    gradients = {name: one.to(device) for name, one in random_tensors(1, TINY).items()}
    selections = [first.generate(gradients, (0, now)) for now in range(2)]
    second.load_state_dict(first.state_dict())
    for one in (first, second):
        one.give_back((0, 0))
    assert torch.equal(first.momentum, second.momentum)
    once, twice = (
        {name: one.to(device) for name, one in random_tensors(2, TINY).items()} for _ in range(2)
    )
    first.update(once, selections, first.rule.schedule.peak)
    first.apply(twice, first.aggregate(selections), first.rule.schedule.peak)
    assert all(torch.equal(once[name], twice[name]) for name in TINY)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("cap", [0, 1])
def test_the_votes_of_1024_payloads_give_the_signs_of_whole_numbers(
    cap: int, compiled: bool
) -> None:
    rule = small_rule(vote_cap=cap, topk=64)
    replica = DisTrO(Layout.from_shapes(TINY), rule, members_max=1024, compiled=compiled)
    # As many votes as can fall on one coefficient, and others.
    selections = [random_selection(1, replica.form_at(0))] * 512
    selections += [random_selection(seed, replica.form_at(0)) for seed in range(512)]
    parameters = {name: torch.zeros(shape) for name, shape in TINY.items()}
    replica.update(parameters, selections, 1 << 40)
    expected = reference_signs(replica.layout, selections, cap)
    for name, tensor in parameters.items():
        assert np.array_equal(-tensor.numpy(), expected[name]), name


def test_the_self_test_refuses_a_broken_table(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [basis.copy() for basis in transform.BASIS]
    broken[64][5, 7] += 1
    monkeypatch.setattr(transform, "BASIS", broken)
    with pytest.raises(ExactnessError, match="64 x 64"):
        selftest.check()


def test_the_self_test_refuses_float64_that_is_made_of_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def emulated(self: Transform, votes: torch.Tensor, _peak: int) -> torch.Tensor:
        half = votes.view(-1, self.columns).double() @ self._across64
        if self.rows == 1:
            return half.view(-1)
        high = half.float()
        low = (half - high.double()).float()
        shape = (-1, self.rows, self.columns)
        sums = [self._down32.T @ part.view(shape) for part in (high, low)]
        return (sums[0].double() + sums[1].double()).view(-1)

    monkeypatch.setattr(Transform, "inverse_sums", emulated)
    with pytest.raises(ExactnessError, match="differs here"):
        selftest.check()
