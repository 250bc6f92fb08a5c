"""Sides of `benchmarks.loss` that other libraries train: how workers meet, what is counted, rates.

Where the libraries are installed (the extra `bench`), a few steps of each are trained too.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import loss, loss_peers, loss_sides
from benchmarks.loss_peers import Given, Manager, Meeting, Place
from benchmarks.loss_plan import ADAMW, BASE, SMOKE, Variant
from benchmarks.loss_rows import Outcomes, rows
from benchmarks.loss_sides import Peer
from benchmarks.loss_trial import Outcome
from psyche_client.model.init import initial_parameters
from psyche_client.model.lm import CausalLM, build
from psyche_client.model.presets import preset
from psyche_client.optim import Schedule

DEMO, DILOCO = Peer(library="demo"), Peer(library="diloco", local_steps=2)
TINY = replace(SMOKE, steps=6, variants={BASE: Variant(), "demo": DEMO, "diloco": DILOCO})
WORKERS = 3


def test_workers_meet_in_the_order_of_their_slots_and_run_one_at_a_time() -> None:
    meeting, running = Meeting(WORKERS), 0
    found: list[list[tuple[int, int]]] = []

    def work(slot: int) -> None:
        nonlocal running
        for turn in range(20):
            running += 1
            assert running == 1
            running -= 1
            found.append(meeting.exchange(slot, (turn, slot)))

    meeting.run(work)
    assert len(found) == 20 * WORKERS
    for values in found:
        assert [slot for _, slot in values] == list(range(WORKERS))
        assert len({turn for turn, _ in values}) == 1


def test_the_error_of_one_worker_ends_all_and_is_raised() -> None:
    meeting = Meeting(WORKERS)

    def work(slot: int) -> None:
        meeting.exchange(slot, 0)
        if slot == 1:
            raise KeyError("one")
        meeting.exchange(slot, 0)

    with pytest.raises(KeyError, match="one"):
        meeting.run(work)


def test_the_manager_gives_all_the_mean_and_counts_bytes() -> None:
    meeting, given = Meeting(WORKERS), Given()
    tensors = [torch.tensor([1.0, 2.0]) * slot for slot in range(WORKERS)]
    managers = [Manager(Place(meeting, slot, WORKERS, given)) for slot in range(WORKERS)]
    meeting.run(lambda slot: managers[slot].allreduce(tensors[slot]).wait() and None)
    assert all(one.tolist() == [1.0, 2.0] for one in tensors)
    assert given == Given(bytes=WORKERS * 8, values=WORKERS * 2)
    with pytest.raises(ValueError, match="no quantization"):
        managers[0].allreduce(tensors[0], should_quantize=True)
    assert (managers[0].current_step(), managers[0].should_commit()) == (0, True)
    assert managers[0].current_step() == 1


def test_what_moves_as_adamw_sweeps_its_rates() -> None:
    outcomes = Outcomes(TINY, ())
    assert outcomes.rates("diloco") == outcomes.rates(ADAMW) == TINY.rates
    assert outcomes.rates("demo") == outcomes.rates(BASE) == TINY.rule_rates


def test_our_goals_are_not_asked_of_peers() -> None:
    outcomes = Outcomes(replace(TINY, name="long"), ())
    while due := outcomes.due():
        trial = due[0]
        outcomes.by_trial[trial] = Outcome(
            side=trial.side, rate=trial.rate, seed=trial.seed, loss=1.0, payload_bytes=1e6,
            votes=1.0, seconds=1.0,
        )  # fmt: skip
    judged = {row.name.split(": ")[1] for row in rows(outcomes) if row.goal}
    assert judged == {BASE}


def test_a_side_that_nobody_can_train_is_refused() -> None:
    with pytest.raises(ValueError, match="one of demo"):
        Peer(library="other")
    with pytest.raises(ValueError, match="no local steps"):
        Peer(library="demo", local_steps=2)
    with pytest.raises(ValueError, match="whole number of rounds"):
        replace(TINY, variants={"diloco": replace(DILOCO, local_steps=4)})
    with pytest.raises(ValueError, match="at least 2"):
        loss_peers.train(torch.nn.Linear(1, 1), DEMO, [], Schedule(peak=1), 1)


def test_peers_are_kept_and_read_as_they_were(tmp_path: Path) -> None:
    loss.write(tmp_path / "results.json", Outcomes(TINY, (), "ab"))
    assert loss.read(tmp_path / "results.json").setup == TINY


def test_a_library_that_is_missing_is_told_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loss_sides, "find_spec", lambda _: None)
    with pytest.raises(loss.LibraryMissing, match="einops pytorch-optimizer torchft"):
        list(loss.measure(TINY, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def _model() -> CausalLM:
    return build(preset("tiny"), initial_parameters(preset("tiny"), bytes(32)))


def _rounds(steps: int) -> Iterator[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    for _ in range(steps):
        yield list(rng.integers(0, preset("tiny").vocab_size, (WORKERS, 2, 17)))


def _flat(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([one.detach().flatten() for one in model.parameters()])


EVERY = (DEMO, Peer(library="demo", topk=8), DILOCO, Peer(library="hivemind"))
INSTALLED = [peer for peer in EVERY if not peer.absent()]
if INSTALLED:  # extras of benchmarks, that no test environment must have

    @pytest.mark.filterwarnings("default")  # other libraries' own
    @pytest.mark.parametrize(
        "peer",
        INSTALLED,
        ids=lambda peer: f"{peer.library}-{peer.topk}",
    )
    def test_workers_of_a_peer_end_with_equal_parameters(
        peer: Peer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        models: list[torch.nn.Module] = []
        maker = loss_peers.MAKERS[peer.library]
        monkeypatch.setitem(
            loss_peers.MAKERS, peer.library, lambda m, *rest: (models.append(m), maker(m, *rest))[1]
        )
        schedule, model = Schedule(peak=1 << 20), _model()
        count = sum(one.numel() for one in model.parameters())
        sent, votes = loss_peers.train(model, peer, _rounds(4), schedule, WORKERS)
        assert len(models) == WORKERS
        assert all(torch.equal(_flat(one), _flat(model)) for one in models)
        assert not torch.equal(_flat(model), _flat(_model()))
        if peer.library == "demo":
            assert sent * WORKERS == pytest.approx(12 * votes * count)
            assert votes < WORKERS * 4 * 2 * peer.topk / 64
        elif peer.library == "diloco":
            assert (sent, votes) == (4 * count * 2, 2 * WORKERS)
        else:
            assert 2 * count * 4 < sent < 2.1 * count * 4
        again = _model()
        loss_peers.train(again, peer, _rounds(4), schedule, WORKERS)
        assert torch.equal(_flat(again), _flat(model)), "no chance but the seed's"
