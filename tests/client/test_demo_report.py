"""What a finished demo says: its sums, and the folder from which the run is replayed."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from psyche_client.demo.costs import Costs, Transaction
from psyche_client.demo.director import Play
from psyche_client.demo.report import disagreement, report, training_share, write_folder
from support.client import START, settled
from support.sights import snapshot

PAYLOADS = [b"first", b"second", b"third"]


@dataclass
class Client:
    """A client as the report knows it."""

    name: str
    home: Path = field(default_factory=Path)


def event(name: str, t: float = 0.0, **facts: Any) -> dict[str, Any]:
    return {"t": t, "event": name} | facts


@pytest.fixture
def stage(tmp_path: Path) -> Any:
    initial = {"a": np.zeros(10, np.float32), "b": np.zeros((5, 2), np.float32)}
    return SimpleNamespace(
        work=tmp_path,
        config=SimpleNamespace(rounds=SimpleNamespace(total_steps=24)),
        founding=SimpleNamespace(initial=initial),
    )


@pytest.fixture
def play() -> Play:
    made: Any = Play(killed=["client-1"], joined=["client-2"], accounts=snapshot(step=24))
    made.rent_lamports = 4
    made.clients = [Client(f"client-{number}") for number in range(3)]
    made.events = {
        "client-0": [
            event("joined", slot=0),
            event("validation", loss=7.0),
            event("committed", bytes=600, coefficients=400),
            event("validation", loss=5.0),
            event("sample", text="def f"),
            event("stop", digest="aa"),
        ],
        "client-1": [event("joined", slot=1), event("committed", bytes=200, coefficients=100)],
        "client-2": [event("joined", slot=2), event("stop", digest="bb")],
    }
    return made


def state(*losses: float) -> dict[str, Any]:
    return {"losses": list(enumerate(losses))}


def told(stage: Any, play: Play, *losses: float) -> dict[str, Any]:
    return report(stage, play, Costs(), state(*losses))


def test_bytes_and_bits_are_means_over_all_commitments(stage: Any, play: Play) -> None:
    found = told(stage, play)
    assert found["payload_bytes_mean"] == 400
    assert found["bits_per_coefficient"] == 8 * 800 / 500
    assert found["dense_bytes"] == 80


def test_first_and_last_loss_are_means_of_three_rounds(stage: Any, play: Play) -> None:
    found = told(stage, play, 6.0, 5.0, 4.0, 9.0, 3.0, 2.0, 1.0)
    assert (found["first_loss"], found["last_loss"]) == (5.0, 2.0)


def test_digests_are_those_of_clients_that_ended_by_themselves(stage: Any, play: Play) -> None:
    play.events["client-1"].append(event("stop", digest="cc"))
    assert told(stage, play)["digests"] == {"client-0": "aa", "client-2": "bb"}


def end_with(play: Play, **chain_hashes: tuple[str, str]) -> None:
    """Lets clients end with (chain hash, digest)."""
    for name, (chain_hash, digest) in chain_hashes.items():
        ended = event("stop", digest=digest, chain_hash=chain_hash, step=20)
        play.events[name.replace("_", "-")].append(ended)


def test_clients_in_step_with_equal_digests_do_not_disagree(stage: Any, play: Play) -> None:
    last = told(stage, play)["chain_hash"]
    end_with(play, client_0=(last, "aa"), client_2=(last, "aa"), client_1=("00", "cc"))
    assert disagreement(play) is None  # client-1 was killed


def test_a_client_that_ended_before_the_last_round_is_named(stage: Any, play: Play) -> None:
    last = told(stage, play)["chain_hash"]
    end_with(play, client_0=(last, "aa"), client_2=("00", "bb"))
    trouble = disagreement(play)
    assert trouble == "not every client came to the last round: client-2 at step 20"


def test_who_came_after_the_last_round_never_joined(stage: Any, play: Play) -> None:
    last = told(stage, play)["chain_hash"]
    end_with(play, client_0=(last, "aa"))
    play.events["client-2"] = [event("stop", digest="bb", chain_hash="00", step=0)]
    found = told(stage, play)
    assert (found["joined"], found["digests"]) == ([], {"client-0": "aa"})
    assert disagreement(play) is None


def test_clients_in_step_with_other_bits_are_named_first(stage: Any, play: Play) -> None:
    last = told(stage, play)["chain_hash"]
    end_with(play, client_0=(last, "aa"), client_2=(last, "bb"))
    trouble = disagreement(play)
    assert trouble == "client-0, client-2 applied the same rounds and hold different parameters"


def test_who_was_killed_and_who_joined_is_told(stage: Any, play: Play) -> None:
    found = told(stage, play)
    assert (found["clients"], found["killed"], found["joined"]) == (2, ["client-1"], ["client-2"])
    assert (found["rounds"], found["step"]) == (24, 24)


def test_validation_and_sample_come_from_the_client_that_made_them(stage: Any, play: Play) -> None:
    found = told(stage, play)
    assert (found["validation_loss_first"], found["validation_loss_last"]) == (7.0, 5.0)
    assert found["sample"] == "def f"


def test_costs_are_those_read_from_the_chain(stage: Any, play: Play) -> None:
    costs = Costs()
    costs.add([Transaction(("tick",), (), 50, 5000, False)])
    costs.add([Transaction(("commit",), (), 70, 5000, False)])
    found = report(stage, play, costs, state())
    assert list(found["compute_units"].items()) == [("commit", 70), ("tick", 50)]
    assert (found["transactions"], found["lamports_spent"]) == (2, 10_000)
    assert found["lamports_rent"] == 4


def test_a_demo_in_which_nothing_happened_has_nulls_and_is_json(stage: Any, play: Play) -> None:
    play.events = {}
    found = told(stage, play)
    empty = ["first_loss", "payload_bytes_mean", "bits_per_coefficient", "training_share"]
    assert [found[name] for name in empty] == [None] * 4
    assert json.loads(json.dumps(found)) == found


def trained(t: float, seconds: float) -> dict[str, Any]:
    return event("training_seconds", t=t, seconds=seconds)


def test_the_training_share_is_of_the_time_since_each_clients_first_round(play: Play) -> None:
    play.training_ended = 30.0
    play.events = {
        "client-0": [trained(12.0, 2.0), trained(20.0, 8.0)],  # 10 of 20 seconds
        "client-1": [trained(12.0, 12.0)],  # was killed
        "client-2": [trained(25.0, 5.0)],  # 5 of 10 seconds: it joined late
    }
    assert training_share(play) == 0.5


def test_no_share_is_told_of_a_run_that_did_not_train(play: Play) -> None:
    play.events = {"client-0": [trained(1.0, 1.0)]}
    assert training_share(play) is None


def written(stage: Any, play: Play, histories: dict[str, str]) -> Path:
    """The folder that is written for clients with these histories."""
    for name in ("initial.safetensors", "model.json"):
        (stage.work / name).write_bytes(name.encode())
    for number, client in enumerate(play.clients):
        client.home = stage.work / client.name
        (client.home / "payloads").mkdir(parents=True)
        (client.home / "payloads" / f"0-{number}-1.bin").write_bytes(PAYLOADS[number])
        (client.home / "events.jsonl").write_text(client.name)
        (client.home / "rounds.jsonl").write_text(histories.get(client.name, ""))
    out: Path = stage.work / "out"
    write_folder(out, stage, play)
    return out


def test_the_folder_has_each_round_once_in_order(stage: Any, play: Play) -> None:
    rounds, last = [], START
    for number, payload in enumerate(PAYLOADS):
        rounds.append(settled(number, {1: payload}, last))
        last = rounds[-1].chain_hash
    lines = [one.to_json() + "\n" for one in rounds]
    out = written(stage, play, {"client-0": lines[2] + lines[1], "client-2": lines[0] + lines[1]})
    assert (out / "rounds.jsonl").read_text() == "".join(lines)


def test_the_history_of_a_killed_client_is_not_taken(stage: Any, play: Play) -> None:
    torn = settled(0, {1: b"x"}).to_json()[:40]
    out = written(stage, play, {"client-1": torn})
    assert (out / "rounds.jsonl").read_text() == ""


def test_the_folder_has_payloads_accounts_and_each_clients_words(stage: Any, play: Play) -> None:
    assert play.accounts is not None
    out = written(stage, play, {})
    assert {path.name for path in (out / "payloads").iterdir()} == {
        "0-0-1.bin",
        "0-1-1.bin",
        "0-2-1.bin",
    }
    assert (out / "accounts" / "run.bin").read_bytes() == play.accounts.run.data
    assert (out / "client-1" / "events.jsonl").read_text() == "client-1"
    assert (out / "model.json").read_bytes() == b"model.json"
