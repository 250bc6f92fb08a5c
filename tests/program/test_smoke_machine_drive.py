"""Whole runs on LiteSVM with invented members, hashes and time."""

from __future__ import annotations

import pytest

from support.chain_drive import (
    ACTIVE,
    COOLDOWN,
    FINISHED,
    PAUSED,
    TRAIN,
    WAITING,
    WITNESS,
    Drive,
    Field,
    config,
    sha,
)


def play(drive: Drive, *, until: int) -> None:
    """Everybody does what is to be done, round after round, until the run is in a phase."""
    for _ in range(200):
        run = drive.view()
        if run.phase == until:
            return
        target = run.round - drive.config.overlap
        if run.phase == TRAIN:
            (index, *_) = waiting(drive, drive.trainers(run.round), run.round, "committed")
            drive.must(drive.commit(index))
        elif run.phase == WITNESS and target >= 0 and drive.record(target).entropy_stored:
            header = drive.record(target)
            silent = [n for n in range(header.witnesses) if not header.attested >> n & 1]
            drive.must(drive.attest(drive.witnesses(target)[silent[0]]))
        elif run.phase == WITNESS:
            drive.pass_slots(3)
            drive.must(drive.tick())
        else:
            raise AssertionError(f"stands in phase {run.phase}")
    raise AssertionError("did not get there")


def waiting(drive: Drive, slots: list[int], number: int, column: str) -> list[int]:
    """The slots whose bit is not set."""
    bits = drive.column(number, column)
    return [slot for slot in slots if not bits[slot // 8] >> slot % 8 & 1]


def vote(drive: Drive, digest: bytes) -> None:
    """Everybody seals and opens the same digest; one publishes, the others confirm."""
    for index in range(len(drive.members)):
        assert drive.seal(index, digest).error is None
    for index in range(len(drive.members)):
        assert drive.reveal(index, digest).error is None
    drive.pass_slots(3)
    assert drive.tick().error is None
    first, *_ = drive.publishers()
    drive.must(drive.publish(first, b"https://example.org/parameters"))
    for index in range(len(drive.members)):
        if index != first:
            drive.must(drive.confirm(index, 0))
    assert drive.tick().error is None


@pytest.mark.parametrize("overlap", [0, 1])
def test_three_members_take_a_run_from_paused_to_finished(overlap: int) -> None:
    drive = Drive(config(overlap=overlap, total_steps=6))

    drive.start()
    assert drive.view().phase == TRAIN
    play(drive, until=COOLDOWN)
    assert drive.view().round == 6 + overlap
    vote(drive, sha(b"after"))

    run = drive.view()
    assert run.phase == FINISHED
    assert run.step == 6
    assert run.accepted == run.fresh_cursor == 6 * 30
    assert run.in_flight == run.repeated == run.backlog_count == 0
    assert Field("StateRecord", run.raw("agreed")).raw("digest") == sha(b"after")


def test_an_epoch_ends_and_the_next_begins() -> None:
    drive = Drive(config(epoch_rounds=2, total_steps=4))
    drive.start()
    play(drive, until=COOLDOWN)
    vote(drive, sha(b"one"))
    run = drive.view()
    assert (run.phase, run.epoch, run.ready) == (WAITING, 1, 3)

    drive.pass_seconds(drive.config.waiting_seconds)
    assert drive.tick().error is None
    drive.pass_slots(3)
    assert drive.tick().error is None
    play(drive, until=COOLDOWN)
    vote(drive, sha(b"two"))

    assert drive.view().phase == FINISHED


def test_the_owner_pauses_after_the_round_is_settled() -> None:
    drive = Drive()
    drive.start()

    assert drive.owner_does("pause").error is None
    play(drive, until=COOLDOWN)
    vote(drive, sha(b"paused"))

    run = drive.view()
    assert (run.phase, run.step, run.pause_requested) == (PAUSED, 1, 0)
    assert drive.entry(0).state != ACTIVE
