"""The Rust extension computes what torch does: the same parameters, and a momentum as near."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from psyche_client.optim import (
    DisTrO,
    ExactnessError,
    Layout,
    LayoutError,
    Selection,
    native,
    selftest,
)
from psyche_client.optim.compiled import Compiled
from support.optim import (
    SHAPES,
    TINY,
    accumulate,
    bits,
    random_selection,
    random_tensors,
    small_rule,
)

pytestmark = pytest.mark.skipif(
    native.TRANSFORM is None,
    reason="psyche_codec is not installed: `make native` builds it, with Rust",
)
#: More than one strip and group for each of three threads, one of them within a group's tensor.
WIDE: dict[str, tuple[int, ...]] = {**SHAPES, "a.wide.weight": (448, 192)}
#: What float32 may make of a sum of 64 x 64 products, relative to a coefficient's size.
ROUNDING = 4e-6


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def both(shapes: dict[str, tuple[int, ...]], **changes: object) -> tuple[DisTrO, DisTrO]:
    """Optimizers by the extension and by torch."""
    rule = small_rule(**changes)
    layout = Layout.from_shapes(shapes, rule.embeddings)
    fast, plain = DisTrO(layout, rule), DisTrO(layout, rule, compiled=False)
    assert fast._compiled is not None
    assert plain._compiled is None
    return fast, plain


def negated(one: Selection) -> Selection:
    return Selection(one.counts, one.indices, -one.values)


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, tuple[int, ...]]:
    dimensions = st.lists(st.integers(1, 140), min_size=1, max_size=2)
    drawn = draw(st.lists(dimensions, min_size=1, max_size=3))
    named = {f"{number}.weight": tuple(shape) for number, shape in enumerate(drawn)}
    if draw(st.booleans()):
        named["lm_head.weight"] = (draw(st.integers(1, 100)), draw(st.integers(1, 130)))
    return named


@settings(max_examples=60, deadline=None)
@given(
    shapes=shapes(),
    cap=st.integers(0, 3),
    value_bits=st.sampled_from([1, 4]),
    topk=st.sampled_from([1, 8, 64, 700]),
    payloads=st.integers(1, 6),
    embeddings=st.sampled_from(["block", "row"]),
)
def test_parameters_move_by_the_same_bits(
    *,
    shapes: dict[str, tuple[int, ...]],
    cap: int,
    value_bits: int,
    topk: int,
    payloads: int,
    embeddings: str,
) -> None:
    fast, plain = both(
        shapes,
        vote_cap=cap << (value_bits - 1),
        value_bits=value_bits,
        topk=topk,
        embeddings=embeddings,
        weight_decay_micro=100_000,
    )
    selections = [random_selection(seed, fast.form_at(0)) for seed in range(payloads)]
    # One that cancels another leaves sums that are zero.
    selections.append(negated(selections[0]))
    once, twice = random_tensors(1, shapes), random_tensors(1, shapes)
    fast.update(once, selections, fast.rule.schedule.peak)
    plain.update(twice, selections, fast.rule.schedule.peak)
    assert bits(once) == bits(twice)


@settings(max_examples=40, deadline=None)
@given(
    shapes=shapes(),
    topk=st.sampled_from([1, 8, 64, 65, 256, 300, 4096]),
    embeddings=st.sampled_from(["block", "row"]),
)
def test_a_momentum_is_as_near_as_float32_allows_and_its_largest_are_taken(
    shapes: dict[str, tuple[int, ...]], topk: int, embeddings: str
) -> None:
    fast, plain = both(shapes, topk=topk, embeddings=embeddings, clip_micro=0)
    for now in range(2):
        before = fast.momentum.clone()
        plain.momentum.copy_(before)
        gradients = random_tensors(now, shapes)
        accumulate(plain, gradients)
        selection = fast.generate(gradients, (0, now))
        _check_taken(fast, selection, plain.momentum, now)


def _check_taken(fast: DisTrO, selection: Selection, momentum: Tensor, now: int) -> None:
    """What was taken is largest in this momentum, and the rest was left."""
    tolerance = ROUNDING * float(momentum.abs().max())
    taken = fast._in_flight[0, now]
    left = momentum.clone()
    left[taken.positions] = 0.0
    assert torch.allclose(fast.momentum, left, rtol=0, atol=tolerance)
    assert torch.allclose(taken.values, momentum[taken.positions], rtol=0, atol=tolerance)
    assert np.array_equal(selection.values, taken.values.sign().numpy())
    assert np.array_equal(selection.positions(), taken.positions.numpy())
    assert (np.diff(taken.positions.numpy()) > 0).all()
    start = 0
    for group, (count, limit) in enumerate(
        zip(selection.counts.tolist(), fast.form_at(0).limits, strict=True)
    ):
        part = slice(4096 * group, 4096 * (group + 1))
        assert min(limit, int((momentum[part].abs() > tolerance).sum())) <= count <= limit
        if count:
            least = taken.values[start : start + count].abs().min()
            assert left[part].abs().max() <= least + tolerance
        start += count


@pytest.mark.usefixtures("threads")
def test_the_number_of_threads_changes_no_bit() -> None:
    found = set()
    for count in (1, 2, 3, 7):
        torch.set_num_threads(count)
        fast, _ = both(WIDE, topk=40, weight_decay_micro=100_000)
        selections = [fast.generate(random_tensors(now, WIDE), (0, now)) for now in range(3)]
        parameters = random_tensors(5, WIDE)
        fast.update(parameters, selections, fast.rule.schedule.peak)
        made = [array.tobytes() for s in selections for array in (s.indices, s.values)]
        found.add((fast.momentum.numpy().tobytes(), bits(parameters), *made))
    assert len(found) == 1


def test_nan_and_infinity_take_a_place_leave_the_momentum_and_are_not_sent() -> None:
    fast, plain = both(TINY, topk=400)
    for one in (fast, plain):
        one.momentum[:] = 1.0
        one.momentum[5], one.momentum[6], one.momentum[7:1200] = float("nan"), -float("inf"), 0.0
        none = {name: torch.full(shape, float("nan")) for name, shape in TINY.items()}
        one.generate(none, (0, 0))
    taken, expected = fast._in_flight[0, 0], plain._in_flight[0, 0]
    assert len(taken.values) == len(expected.values) == fast.form_at(0).limits[0] - 2
    assert torch.equal(fast.momentum.sort().values, plain.momentum.sort().values)


DAMAGE: dict[str, Callable[[Selection], Selection]] = {
    "index": lambda s: Selection(s.counts, s.indices + np.uint16(4096), s.values),
    "counts": lambda s: Selection(s.counts[:-1], s.indices, s.values),
    "sum": lambda s: Selection(s.counts, s.indices[:-1], s.values[:-1]),
    "signs": lambda s: Selection(s.counts, s.indices, s.values[:-1]),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_selection_of_another_layout_is_refused_and_moves_nothing(kind: str) -> None:
    fast, _ = both(TINY)
    parameters = random_tensors(1, TINY)
    good = random_selection(1, fast.form_at(0))
    with pytest.raises(LayoutError, match="payload"):
        fast.update(parameters, [good, DAMAGE[kind](good)], 1 << 20)
    assert bits(parameters) == bits(random_tensors(1, TINY))


def test_parameters_that_share_memory_are_refused() -> None:
    fast, _ = both({"a": (40, 32), "b": (40, 32)})
    one = torch.zeros(40, 32)
    with pytest.raises(LayoutError, match="share memory"):
        fast.update({"a": one, "b": one}, [random_selection(1, fast.form_at(0))], 1 << 20)


def test_what_the_extension_does_not_hold_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, _ = both(TINY, vote_cap=0)
    chosen = fast._compiled
    assert chosen is not None
    assert not chosen.takes(torch.zeros(2, dtype=torch.float64))
    assert not chosen.takes(torch.zeros(2, 3).T)
    assert not chosen.moves([random_selection(1, fast.form_at(0))] * 8_192)
    assert chosen.moves([random_selection(1, fast.form_at(0))] * 8_191)
    monkeypatch.setattr(native, "TRANSFORM", None)
    assert Compiled.of(fast.layout, fast.rule) is None


def test_an_extension_of_another_version_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "TRANSFORM_VERSION", 999)
    assert native.load_transform() is None


def test_the_self_test_refuses_an_extension_that_finds_other_signs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Wrong:
        @staticmethod
        def block_signs(*given: object) -> bytearray:
            signs: bytearray = genuine.block_signs(*given)
            signs[77] ^= 1
            return signs

    genuine = native.TRANSFORM
    monkeypatch.setattr(native, "TRANSFORM", Wrong)
    with pytest.raises(ExactnessError, match="psyche_codec"):
        selftest.check()
