use crate::machine::phase::{due, Moment, Phase, PhaseView, Transition};

const STARTED: Moment = Moment {
    time: 1_000,
    chain_slot: 5_000,
};

/// So many seconds later, with 2.5 slots a second.
fn after(seconds: u32) -> Moment {
    Moment {
        time: STARTED.time + i64::from(seconds),
        chain_slot: STARTED.chain_slot + u64::from(seconds) * 5 / 2,
    }
}

/// A view in which the clock makes nothing due.
fn quiet() -> PhaseView {
    PhaseView {
        now: after(1),
        started: STARTED,
        seconds: 10,
        entropy_stored: true,
        ..PhaseView::default()
    }
}

fn late(view: PhaseView) -> PhaseView {
    PhaseView {
        now: after(10),
        ..view
    }
}

/// One row of the table: what is seen, and what is due.
type Row = (&'static str, PhaseView, Option<Transition>);

fn check(phase: Phase, rows: &[Row]) {
    for (name, view, expected) in rows {
        assert_eq!(due(phase, view), *expected, "{phase:?}: {name}");
    }
}

#[test]
fn nothing_is_due_while_paused_or_finished() {
    check(Phase::Paused, &[("late", late(quiet()), None)]);
    check(Phase::Finished, &[("late", late(quiet()), None)]);
}

#[test]
fn waiting_ends_with_enough_members_in_time_or_a_full_run() {
    let enough = PhaseView {
        members: 3,
        init_min_members: 3,
        capacity: 8,
        enough_since: STARTED,
        ..quiet()
    };
    let few = PhaseView {
        members: 2,
        ..enough
    };
    let full = PhaseView {
        members: 8,
        ..enough
    };
    let start = Some(Transition::StartWarmup);
    check(
        Phase::WaitingForMembers,
        &[
            ("enough, early", enough, None),
            ("enough, in time", late(enough), start),
            ("too few", late(few), None),
            ("full", full, start),
        ],
    );
}

#[test]
fn warmup_starts_an_epoch_or_fails() {
    let all = PhaseView {
        ready: 3,
        min_members: 2,
        ..quiet()
    };
    let some = PhaseView { awaited: 1, ..all };
    let blind = PhaseView {
        entropy_stored: false,
        ..all
    };
    let few = PhaseView { ready: 1, ..some };
    let second = PhaseView {
        failed_warmups: 1,
        ..few
    };
    let third = PhaseView {
        failed_warmups: 2,
        ..few
    };
    check(
        Phase::Warmup,
        &[
            ("all are ready", all, Some(Transition::StartEpoch)),
            ("one is awaited", some, None),
            ("one is late", late(some), Some(Transition::StartEpoch)),
            ("no entropy", blind, None),
            ("no entropy, late", late(blind), None),
            ("too few", few, None),
            ("too few, late", late(few), Some(Transition::FailWarmup)),
            (
                "the second time",
                late(second),
                Some(Transition::FailWarmup),
            ),
            ("the third time", late(third), Some(Transition::GiveUp)),
        ],
    );
}

#[test]
fn train_closes_when_all_committed_or_time_or_grace_is_over() {
    let waiting = PhaseView {
        uncommitted: 1,
        ..quiet()
    };
    let grace = PhaseView {
        now: after(5),
        grace_since: Some(after(2)),
        grace_length: 3,
        ..waiting
    };
    let still = PhaseView {
        now: after(4),
        ..grace
    };
    let close = Some(Transition::CloseTrain);
    check(
        Phase::Train,
        &[
            ("all committed", quiet(), close),
            ("one is awaited", waiting, None),
            ("time is over", late(waiting), close),
            ("grace is over", grace, close),
            ("grace goes on", still, None),
        ],
    );
}

#[test]
fn witness_settles_redraws_or_fails() {
    let open = PhaseView {
        commitments: 3,
        elected: 3,
        attested: 2,
        unattested: 1,
        ..quiet()
    };
    let all = PhaseView {
        attested: 3,
        unattested: 0,
        ..open
    };
    let silent = PhaseView {
        attested: 1,
        unattested: 2,
        ..open
    };
    let gone = PhaseView {
        attested: 1,
        unattested: 0,
        ..open
    };
    let nobody = PhaseView {
        elected: 0,
        attested: 0,
        unattested: 0,
        ..open
    };
    let empty = PhaseView {
        commitments: 0,
        ..open
    };
    let second = PhaseView {
        second_draw: true,
        ..silent
    };
    let blind = PhaseView {
        entropy_stored: false,
        ..all
    };
    let settle = Some(Transition::Settle { failed: false });
    let failed = Some(Transition::Settle { failed: true });
    let redraw = Some(Transition::RedrawWitnesses);
    check(
        Phase::Witness,
        &[
            ("one is awaited", open, None),
            ("two thirds in time", late(open), settle),
            ("all attested", all, settle),
            ("too few in time", late(silent), redraw),
            ("the others left", gone, redraw),
            ("nobody is eligible", nobody, redraw),
            ("nothing to attest", empty, settle),
            ("second draw, early", second, None),
            ("second draw, late", late(second), failed),
            ("no entropy", blind, None),
            ("no entropy, late", late(blind), None),
        ],
    );
}

#[test]
fn cooldown_ends_with_a_checkpoint_or_in_time() {
    let open = PhaseView {
        step: 5,
        total_steps: 9,
        ..quiet()
    };
    let agreed = PhaseView {
        agreed: true,
        ..open
    };
    let confirmed = PhaseView {
        confirmed: true,
        ..agreed
    };
    let asked = PhaseView {
        pause_asked: true,
        ..confirmed
    };
    let done = PhaseView { step: 9, ..asked };
    let to = |phase| Some(Transition::EndEpoch(phase));
    check(
        Phase::Cooldown,
        &[
            ("no agreement yet", open, None),
            ("none in time", late(open), to(Phase::WaitingForMembers)),
            ("agreement alone", agreed, None),
            (
                "no checkpoint in time",
                late(agreed),
                to(Phase::WaitingForMembers),
            ),
            ("a checkpoint", confirmed, to(Phase::WaitingForMembers)),
            ("a pause was asked for", asked, to(Phase::Paused)),
            ("all steps were trained", done, to(Phase::Finished)),
        ],
    );
}

#[test]
fn a_halted_chain_or_a_jumping_clock_expires_nothing() {
    let jumped = Moment {
        time: STARTED.time + 1_000_000,
        chain_slot: STARTED.chain_slot + 9,
    };
    let halted = Moment {
        time: STARTED.time + 9,
        chain_slot: STARTED.chain_slot + 1_000_000,
    };
    assert!(!STARTED.passed(10, jumped));
    assert!(!STARTED.passed(10, halted));
    let both = Moment {
        time: STARTED.time + 10,
        chain_slot: STARTED.chain_slot + 10,
    };
    assert!(STARTED.passed(10, both));
}
