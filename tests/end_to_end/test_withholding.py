"""A trainer commits, attests to its own payload, and gives it to nobody: the others take it out."""

from pathlib import Path

import pytest

from psyche_sdk.localnet import LocalnetProcess, packaged_program
from support.chains import SLOT_MS
from support.small_run import assert_nothing_lost, small_run

HONEST, WITHHOLDER = (0, 1), 2
#: It is over before: the only witness of a round is the withholder every third time.
LONG = 10_000


@pytest.mark.slow
def test_what_a_trainer_withholds_is_taken_out_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]), prepend=":")
    sizes = {"wallets": 3, "members": 3, "steps": LONG, "epoch_rounds": LONG, "train_seconds": 20}
    with (
        LocalnetProcess(slot_ms=SLOT_MS, programs=packaged_program()) as chain,
        small_run(chain.url, tmp_path, **sizes, witnesses=1, misses_max=100) as run,
    ):
        run.start(*HONEST)
        run.start(WITHHOLDER, module="support.withholder")
        run.wait(lambda: all(run.events(one, "missing") for one in HONEST), "it is missed")
        missed = {(one["epoch"], one["round"]) for one in run.events(0, "missing")}
        run.wait_step(run.facts().step + 3)

        assert_nothing_lost(run.facts())
        for number in HONEST:
            assert not run.events(number, "resync"), "nobody had applied it"
        applied = [rounds(run.events(number, "round")) for number in HONEST]
        assert missed <= set(applied[0])
        assert len({tuple(one[key] for key in missed) for one in applied}) == 1


def rounds(events: list[dict[str, object]]) -> dict[tuple[object, object], object]:
    """How many payloads a client applied, by round."""
    return {(one["epoch"], one["round"]): one["accepted"] for one in events}
