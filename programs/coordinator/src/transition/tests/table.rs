//! Every row of the transition table, on a whole run.

use super::world::{config, Memory};
use crate::{
    instructions::{leave, pause, resume, MemberArgs},
    machine::phase::Phase,
    state::{EndReason, MemberState, VoteKind},
};

/// A row: from a run that stands somewhere, after something happened, to a phase.
struct Row {
    name: &'static str,
    from: fn() -> Memory,
    happens: fn(&mut Memory),
    to: Phase,
}

fn nothing(_: &mut Memory) {}

fn waiting() -> Memory {
    let mut memory = Memory::new(config());
    memory.open(resume::run).expect("paused");
    memory
}

fn full_warmup() -> Memory {
    let mut memory = Memory::warmed(config());
    for slot in 0..3 {
        memory.ready(slot).expect("in time");
    }
    memory
}

fn last_epoch() -> Memory {
    let mut config = config();
    config.total_steps = 1;
    Memory::cooling(config)
}

const ROWS: [Row; 13] = [
    Row {
        name: "enough members and the wait is over",
        from: waiting,
        happens: |memory| {
            (0..3).for_each(|slot| memory.join(slot).expect("free"));
            memory.pass(5);
        },
        to: Phase::Warmup,
    },
    Row {
        name: "every slot is taken",
        from: waiting,
        happens: |memory| (0..8).for_each(|slot| memory.join(slot).expect("free")),
        to: Phase::Warmup,
    },
    Row {
        name: "everybody is ready",
        from: full_warmup,
        happens: nothing,
        to: Phase::Train,
    },
    Row {
        name: "enough are ready and warmup is over",
        from: || Memory::warmed(config()),
        happens: |memory| {
            (0..2).for_each(|slot| memory.ready(slot).expect("in time"));
            memory.pass(10);
        },
        to: Phase::Train,
    },
    Row {
        name: "too few are ready when warmup is over",
        from: || Memory::warmed(config()),
        happens: |memory| memory.pass(10),
        to: Phase::WaitingForMembers,
    },
    Row {
        name: "the third warmup fails",
        from: || Memory::warmed(config()),
        happens: |memory| {
            memory.run.warmup_failures = 2;
            memory.pass(10);
        },
        to: Phase::Paused,
    },
    Row {
        name: "everybody committed",
        from: || Memory::training(config()),
        happens: |memory| (0..3).for_each(|slot| memory.commit(slot).expect("in time")),
        to: Phase::Witness,
    },
    Row {
        name: "training time is over",
        from: || Memory::training(config()),
        happens: |memory| {
            memory.commit(0).expect("in time");
            memory.pass(20);
        },
        to: Phase::Witness,
    },
    Row {
        name: "grace is over",
        from: || Memory::training(config()),
        happens: |memory| {
            (0..2).for_each(|slot| memory.commit(slot).expect("in time"));
            memory.pass(4);
        },
        to: Phase::Witness,
    },
    Row {
        name: "all witnesses attested",
        from: || Memory::witnessing(config()),
        happens: |memory| (0..3).for_each(|slot| memory.attest(slot).expect("in time")),
        to: Phase::Train,
    },
    Row {
        name: "witness time is over with two of three",
        from: || Memory::witnessing(config()),
        happens: |memory| {
            (0..2).for_each(|slot| memory.attest(slot).expect("in time"));
            memory.pass(8);
        },
        to: Phase::Train,
    },
    Row {
        name: "cooldown is over without a digest",
        from: || Memory::cooling(config()),
        happens: |memory| memory.pass(12),
        to: Phase::WaitingForMembers,
    },
    Row {
        name: "cooldown is over and all steps are trained",
        from: last_epoch,
        happens: |memory| memory.pass(12),
        to: Phase::Finished,
    },
];

#[test]
fn each_row_leads_where_the_table_says() {
    for row in &ROWS {
        let mut memory = (row.from)();
        (row.happens)(&mut memory);
        memory
            .tick()
            .unwrap_or_else(|error| panic!("{}: {error}", row.name));
        assert_eq!(memory.phase(), row.to, "{}", row.name);
    }
}

#[test]
fn a_second_draw_gets_a_new_deadline_and_a_third_none() {
    let mut memory = Memory::witnessing(config());
    memory.attest(0).expect("in time");
    memory.pass(8);
    memory.tick().expect("the draw failed");
    assert_eq!(memory.phase(), Phase::Witness);
    assert_eq!(memory.run.phase_deadline, memory.now.time + 8);

    memory.pass(2);
    memory.tick().expect("the second draw is made");
    memory.pass(6);
    memory.tick().expect("the second failed too");

    assert_eq!(memory.phase(), Phase::Cooldown);
    assert_eq!(memory.run.end_reason, EndReason::WitnessesFailed as u8);
    assert_eq!((memory.run.accepted, memory.run.in_flight), (0, 0));
    let misses = memory.open(|world| {
        world
            .roster
            .iter()
            .map(|e| u32::from(e.misses))
            .sum::<u32>()
    });
    assert_eq!(misses, 0);
}

#[test]
fn what_fails_goes_to_the_backlog_and_is_drawn_first() {
    let mut memory = Memory::training(config());
    memory.commit(0).expect("in time");
    memory.commit(1).expect("in time");
    memory.pass(20);
    memory.tick().expect("training is over");
    memory.pass(2);
    memory.tick().expect("entropy");
    (0..3).for_each(|slot| memory.attest(slot).expect("in time"));
    memory.tick().expect("settles");

    assert_eq!(memory.run.round, 1);
    assert_eq!(memory.run.accepted, 20);
    assert_eq!(memory.run.in_flight, 30);
    assert_eq!(memory.run.fresh_cursor, 50);
    assert_eq!(memory.open(|world| world.roster[2].misses), 1);
}

#[test]
fn a_dead_member_is_dropped_after_its_misses() {
    let mut memory = Memory::training(config());
    for _ in 0..2 {
        memory.commit(0).expect("in time");
        memory.commit(1).expect("in time");
        memory.pass(20);
        memory.tick().expect("training is over");
        memory.pass(2);
        memory.tick().expect("entropy");
        memory.attest(0).expect("in time");
        memory.attest(1).expect("in time");
        memory.pass(8);
        memory.tick().expect("settles");
    }
    let states: Vec<u8> = memory.open(|world| world.roster.iter().map(|e| e.state).collect());
    assert_eq!(states[..3], [3, 3, MemberState::Dropped as u8]);
    assert_eq!(memory.run.active, 2);
}

#[test]
fn a_trainer_that_leaves_is_not_waited_for_and_has_no_miss() {
    let mut memory = Memory::training(config());
    memory.commit(0).expect("in time");
    memory.commit(1).expect("in time");
    let args = MemberArgs {
        epoch: 0,
        round: 0,
        slot: 2,
    };
    memory
        .open(|world| leave::run(world, &Memory::wallet(2), &args, true))
        .expect("a member");

    assert_eq!(memory.phase(), Phase::Witness);
    assert_eq!(memory.open(|world| world.roster[2].misses), 0);
}

#[test]
fn overlap_drains_what_is_in_flight_before_cooldown() {
    let mut config = config();
    config.overlap = 1;
    config.epoch_rounds = 1;
    let mut memory = Memory::training(config);
    (0..3).for_each(|slot| memory.commit(slot).expect("in time"));
    memory.tick().expect("round 0 has no target");
    assert_eq!((memory.phase(), memory.run.round), (Phase::Witness, 1));
    memory.pass(2);
    memory.tick().expect("entropy");
    (0..3).for_each(|slot| memory.attest(slot).expect("in time"));

    memory.tick().expect("settles round 0");

    assert_eq!(memory.phase(), Phase::Cooldown);
    assert_eq!((memory.run.accepted, memory.run.in_flight), (30, 0));
    assert_eq!(memory.run.vote.kind, VoteKind::Cooldown as u8);
}

#[test]
fn a_pause_waits_for_the_round_and_for_cooldown() {
    let mut memory = Memory::witnessing(config());
    memory.open(pause::run).expect("running");
    (0..3).for_each(|slot| memory.attest(slot).expect("in time"));
    memory.tick().expect("settles");
    assert_eq!(memory.phase(), Phase::Cooldown);
    memory.pass(12);
    memory.tick().expect("cooldown is over");

    assert_eq!(memory.phase(), Phase::Paused);
    assert_eq!(memory.run.pause_requested, 0);
}

#[test]
fn a_newcomer_is_admitted_at_the_next_settle() {
    let mut memory = Memory::witnessing(config());
    memory.join(3).expect("free");
    memory.ready(3).expect("knows the digest");
    (0..3).for_each(|slot| memory.attest(slot).expect("in time"));
    memory.tick().expect("settles");

    let (state, round) =
        memory.open(|world| (world.roster[3].state, world.roster[3].admitted_round));
    assert_eq!((state, round), (MemberState::Active as u8, 1));
    assert_eq!(memory.open(|world| world.rounds.headers[1].trainers), 4);
}
