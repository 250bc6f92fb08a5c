"""What the pictures of docs/BENCHMARKS.md show, and that the page shows them or says why not."""

import math
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import loss_points, page, pictures
from benchmarks.loss_plan import ADAMW, BASE, SMOKE, Setup, Variant
from benchmarks.loss_points import Point, shown
from benchmarks.loss_rows import Outcomes
from benchmarks.loss_trial import Outcome

PAGE = page.PAGE.read_text(encoding="utf-8")
RICE = dict.fromkeys((2, 4, 8, 16, 32, 64), 13.0)
SETUP = replace(
    SMOKE,
    rates=("0.004", "0.008", "0.016"),
    rule_rates=("0.002", "0.004", "0.008"),
    variants={BASE: Variant(), "other": Variant(topk=8)},
)


def filled(setup: Setup = SETUP) -> Outcomes:
    outcomes = Outcomes(setup, ())
    dense = 4.0 * setup.parameters * setup.steps
    sent = {ADAMW: dense, BASE: dense / 400, "other": dense / 1000}
    while due := outcomes.due():
        trial = due[0]
        outcomes.by_trial[trial] = Outcome(
            side=trial.side, rate=trial.rate, seed=trial.seed, loss=float(trial.rate) + trial.seed,
            payload_bytes=sent[trial.side], votes=1.0, seconds=1.0,
        )  # fmt: skip
    return outcomes


def test_curves_are_what_the_page_says() -> None:
    bits, times = pictures.bits(PAGE, RICE), pictures.aggregation(PAGE)
    assert all([k for k, _ in curve] == list(RICE) for curve in bits.values())
    assert all([n for n, _ in curve] == [2**i for i in range(1, 9)] for curve in times.values())
    row = "\n| bits each, k = 2, uniform | 12.5 | 12.4 | 1 | at most 1.01 | reached |\n"
    assert [c[0][1] for c in pictures.bits(row, RICE).values()] == [17, 13.0, 12.5, 12.4]
    row = "\n| 2 payloads, ms | 1.5 | 6.5 | 4.3 |  |  |\n"
    assert [curve[0] for curve in pictures.aggregation(row).values()] == [(2, 6.5), (2, 1.5)]


def test_losses_are_of_the_best_rate_and_bytes_beside_dense_ones() -> None:
    found = shown(filled())
    assert [point.side for point in found.points] == ["AdamW, dense", BASE, "other"]
    assert [point.ratio for point in found.points] == pytest.approx([1, 400, 1000])
    assert found.points[1].losses == pytest.approx([1.002, 2.002, 3.002])
    assert found.sweeps[1].losses == pytest.approx([0.002, 0.004, 0.008])


def test_what_diverged_is_no_point_and_a_gap_in_its_sweep() -> None:
    outcomes = filled()
    for trial, outcome in list(outcomes.by_trial.items()):
        if trial.side == BASE and (trial.seed == 3 or trial.rate == "0.008"):
            outcomes.by_trial[trial] = replace(outcome, loss=None)
    found = shown(outcomes)
    assert [point.side for point in found.points] == ["AdamW, dense", "other"]
    assert [math.isnan(one) for one in found.sweeps[1].losses] == [False, False, True]


def test_a_side_without_all_trials_is_not_shown_and_adamw_must_be_there() -> None:
    outcomes = filled()
    del outcomes.by_trial[next(t for t in outcomes.by_trial if t.side == "other")]
    assert [sweep.side for sweep in shown(outcomes).sweeps] == ["AdamW, dense", BASE]
    with pytest.raises(ValueError, match="AdamW's losses are missing"):
        shown(Outcomes(SETUP, ()))


def test_points_of_equal_bytes_stand_side_by_side() -> None:
    points = [Point(side="", ratio=ratio, losses=[1.0]) for ratio in (400, 1000, 402, 398)]
    places = pictures.side_by_side(points)
    assert places[1] == pytest.approx(1000)
    assert places[0] < places[2] < places[3]
    assert places[2] == pytest.approx(400, rel=0.01)


@pytest.mark.parametrize("drawn", [True, False])
def test_pictures_are_put_in_their_places_once(drawn: bool) -> None:
    other = page.with_pictures(PAGE, drawn=not drawn)
    once = page.with_pictures(other, drawn=drawn)
    assert page.with_pictures(once, drawn=drawn) == once != other
    assert once.count("](pictures/") == (4 if drawn else 0)
    assert once.count("Pictures are missing") == (0 if drawn else 1)
    assert once.count("\n| ") == PAGE.count("\n| ")


def test_a_page_written_without_matplotlib_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(*_: object) -> None:
        raise ImportError

    monkeypatch.setattr(pictures, "draw", draw)
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    page.PAGE.write_text(PAGE, encoding="utf-8")
    parts = [page.part(name, f"Of {name}.", [("a",), ("---",)]) for name in page.PICTURES]
    page.write("a machine", parts)
    text = page.PAGE.read_text(encoding="utf-8")
    assert "Pictures are missing" in text
    assert "](pictures/" not in text
    monkeypatch.setattr(pictures, "draw", lambda *_: None)
    page.write("a machine", parts)
    text = page.PAGE.read_text(encoding="utf-8")
    assert "Pictures are missing" not in text
    assert text.count("](pictures/") == 4


def test_every_picture_of_the_page_is_there_and_has_no_date() -> None:
    for shown_files in page.PICTURES.values():
        for name, said in shown_files:
            assert f"![{said}](pictures/{name})" in PAGE
            assert "<dc:date>" not in (pictures.FOLDER / name).read_text(encoding="utf-8")


if find_spec("matplotlib"):  # an extra of benchmarks, that no test environment must have

    def test_the_same_numbers_give_the_same_bytes(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loss_points, "kept", lambda: shown(filled()))
        for folder in ("a", "b"):
            pictures.draw(PAGE, RICE, tmp_path / folder)
        made = sorted((tmp_path / "a").iterdir())
        assert len(made) == 4
        for path in made:
            assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
