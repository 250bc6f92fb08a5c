//! Vectors of the transition table.

use coordinator::machine::phase::{
    after_settle, due, grace_begins, grace_length, Moment, Next, Phase, PhaseView, SettledView,
    Transition,
};
use serde_json::{json, Value};

use super::Golden;

const PHASES: [Phase; 7] = [
    Phase::Paused,
    Phase::WaitingForMembers,
    Phase::Warmup,
    Phase::Train,
    Phase::Witness,
    Phase::Cooldown,
    Phase::Finished,
];

/// The table, what follows a settled round, and grace.
pub fn phase() -> Golden {
    Golden {
        name: "phase",
        reason: "Clients must know what is due before they pay for asking.",
        lists: vec![
            ("due", table()),
            ("after_settle", after()),
            ("grace_begins", beginnings()),
            ("grace_length", lengths()),
        ],
    }
}

/// Every phase, early and late, with each of its conditions met or not.
fn table() -> Vec<Value> {
    let mut rows = Vec::new();
    for phase in PHASES {
        for bits in 0..32_u32 {
            for late in [false, true] {
                let row = row(phase, &view(bits, late));
                if !rows.contains(&row) {
                    rows.push(row);
                }
            }
        }
    }
    rows
}

/// A view whose conditions are the bits of a number; the same bits mean other things elsewhere.
fn view(bits: u32, late: bool) -> PhaseView {
    let on = |index: u32| bits >> index & 1 == 1;
    let now = if late { 110 } else { 104 };
    let grace_since = on(1).then_some(Moment {
        time: 101,
        chain_slot: 1,
    });
    PhaseView {
        now: Moment {
            time: now,
            chain_slot: if on(4) { 9 } else { 25 },
        },
        started: Moment {
            time: 100,
            chain_slot: 0,
        },
        seconds: 10,
        entropy_stored: on(0),
        members: if on(0) { 3 } else { 2 },
        init_min_members: 3,
        capacity: if on(1) { 3 } else { 8 },
        enough_since: Moment {
            time: if on(2) { 94 } else { 100 },
            chain_slot: 0,
        },
        ready: if on(1) { 2 } else { 1 },
        min_members: 2,
        awaited: u32::from(on(2)),
        failed_warmups: if on(3) { 2 } else { 1 },
        uncommitted: u32::from(on(0)),
        grace_since,
        grace_length: 3,
        commitments: u32::from(on(1)),
        elected: 3,
        attested: if on(2) { 2 } else { 1 },
        unattested: u32::from(on(3)),
        second_draw: bits.count_ones() % 2 == 1,
        agreed: on(0),
        confirmed: on(3),
        pause_asked: on(1),
        step: if on(2) { 9 } else { 10 },
        total_steps: 10,
    }
}

fn row(phase: Phase, view: &PhaseView) -> Value {
    let moment = |moment: Moment| json!([moment.time, moment.chain_slot]);
    let mut row = json!({"phase": phase as u8, "now": moment(view.now)});
    let due = due(phase, view).map(transition);
    let fields = match phase {
        Phase::Paused | Phase::Finished => json!({}),
        Phase::WaitingForMembers => json!({
            "enough_since": moment(view.enough_since), "members": view.members,
            "init_min_members": view.init_min_members, "capacity": view.capacity,
        }),
        Phase::Warmup => json!({
            "entropy_stored": view.entropy_stored, "ready": view.ready,
            "min_members": view.min_members, "awaited": view.awaited,
            "failed_warmups": view.failed_warmups,
        }),
        Phase::Train => json!({
            "uncommitted": view.uncommitted, "grace_since": view.grace_since.map(moment),
            "grace_length": view.grace_length,
        }),
        Phase::Witness => json!({
            "entropy_stored": view.entropy_stored, "commitments": view.commitments,
            "elected": view.elected, "attested": view.attested,
            "unattested": view.unattested, "second_draw": view.second_draw,
        }),
        Phase::Cooldown => json!({
            "agreed": view.agreed, "confirmed": view.confirmed, "pause_asked": view.pause_asked, "step": view.step,
            "total_steps": view.total_steps,
        }),
    };
    if let (Some(row), Some(fields)) = (row.as_object_mut(), fields.as_object()) {
        row.extend(fields.clone());
        row.insert("started".to_owned(), moment(view.started));
        row.insert("seconds".to_owned(), json!(view.seconds));
        row.insert("due".to_owned(), json!(due));
    }
    row
}

/// The name that Python has for a transition.
fn transition(transition: Transition) -> String {
    match transition {
        Transition::StartWarmup => "start_warmup".to_owned(),
        Transition::StartEpoch => "start_epoch".to_owned(),
        Transition::FailWarmup => "fail_warmup".to_owned(),
        Transition::GiveUp => "give_up".to_owned(),
        Transition::CloseTrain => "close_train".to_owned(),
        Transition::RedrawWitnesses => "redraw_witnesses".to_owned(),
        Transition::Settle { failed: false } => "settle".to_owned(),
        Transition::Settle { failed: true } => "settle_failed".to_owned(),
        Transition::EndEpoch(phase) => format!("end_epoch_{}", phase as u8),
    }
}

fn after() -> Vec<Value> {
    let mut rows = Vec::new();
    for bits in 0..32_u32 {
        for overlap in [0, 1] {
            for training_rounds in [None, Some(4), Some(5)] {
                rows.push(after_row(bits, overlap, training_rounds));
            }
        }
    }
    rows
}

fn after_row(bits: u32, overlap: u8, training_rounds: Option<u32>) -> Value {
    let on = |index: u32| bits >> index & 1 == 1;
    let view = SettledView {
        round: 4,
        overlap,
        training_rounds,
        epoch_rounds: if on(0) { 5 } else { 6 },
        step: if on(1) { 50 } else { 49 },
        total_steps: 50,
        pause_asked: on(2),
        active: if on(3) { 1 } else { 2 },
        min_members: 2,
        draws_failed: on(4),
    };
    let (next, rounds) = after_settle(&view);
    let next = match next {
        Next::Train => "train",
        Next::Drain => "drain",
        Next::Cooldown => "cooldown",
    };
    json!({
        "round": view.round, "overlap": overlap, "training_rounds": training_rounds,
        "epoch_rounds": view.epoch_rounds, "step": view.step, "total_steps": view.total_steps,
        "pause_asked": view.pause_asked, "active": view.active,
        "min_members": view.min_members, "draws_failed": view.draws_failed,
        "next": next, "rounds": rounds,
    })
}

fn beginnings() -> Vec<Value> {
    let case = |(trainers, committed, weight, done): (u32, u32, u64, u64)| {
        json!([
            trainers,
            committed,
            weight,
            done,
            grace_begins(trainers, committed, weight, done)
        ])
    };
    [
        (0, 0, 0, 0),
        (4, 2, 90, 60),
        (4, 2, 90, 59),
        (4, 1, 90, 80),
        (3, 2, 10, 7),
        (3, 1, 1, 1),
    ]
    .into_iter()
    .map(case)
    .collect()
}

fn lengths() -> Vec<Value> {
    let case = |(started, now, seconds): (i64, i64, u32)| {
        json!([started, now, seconds, grace_length(started, now, seconds)])
    };
    [(100, 121, 5), (100, 104, 5), (100, 90, 5), (0, 1 << 40, 2)]
        .into_iter()
        .map(case)
        .collect()
}
