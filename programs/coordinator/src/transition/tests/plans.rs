//! Plans that find nothing, or fail: not one byte changes.

use super::{
    super::{conclude, plan, prepare},
    world::{config, hash_broken, hash_lost, Memory},
};
use crate::{instructions::abort, machine::phase::Phase};

/// A name, and how to come there.
type Place = (&'static str, fn() -> Memory);

/// Runs that stand where nothing is due.
const STILL: [Place; 6] = [
    ("paused", || Memory::new(config())),
    ("warmup, nobody ready", || Memory::warmed(config())),
    ("train, nobody committed", || Memory::training(config())),
    ("witness, nobody attested", || Memory::witnessing(config())),
    ("cooldown, nothing agreed", || Memory::cooling(config())),
    ("finished", || {
        let mut memory = Memory::new(config());
        memory.open(|world| super::super::enter(world, Phase::Finished));
        memory
    }),
];

#[test]
fn what_is_not_due_changes_no_byte_and_is_too_early() {
    for (name, build) in STILL {
        let mut memory = build();
        let before = memory.bytes();

        memory
            .open(|world| conclude(world, true))
            .expect("succeeds all the same");
        assert!(memory.tick().is_err(), "{name}");

        assert_eq!(memory.bytes(), before, "{name}");
    }
}

#[test]
fn a_plan_that_fails_changes_no_byte_and_the_instruction_succeeds() {
    for (name, build) in STILL {
        let mut memory = build();
        memory.run.phase = 99;
        let before = memory.bytes();

        assert!(memory.open(|world| plan(world).is_err()), "{name}");
        memory
            .open(|world| conclude(world, true))
            .expect("succeeds all the same");

        assert_eq!(memory.bytes(), before, "{name}");
    }
}

#[test]
fn nothing_moves_unless_the_sender_asked_for_it() {
    let mut memory = Memory::training(config());
    (0..3).for_each(|slot| memory.commit(slot).expect("in time"));
    let before = memory.bytes();

    memory
        .open(|world| prepare(world, false))
        .expect("nothing to do");
    memory
        .open(|world| conclude(world, false))
        .expect("nothing to do");

    assert_eq!(memory.bytes(), before);
    assert!(memory.open(|world| plan(world).expect("a sound run").is_some()));
}

#[test]
fn a_clock_that_jumps_expires_nothing() {
    let mut memory = Memory::training(config());
    memory.now.time += 1_000_000;
    let before = memory.bytes();

    assert!(memory.tick().is_err());

    assert_eq!(memory.bytes(), before);
}

#[test]
fn an_unreadable_sysvar_changes_no_byte() {
    let mut memory = Memory::training(config());
    (0..3).for_each(|slot| memory.commit(slot).expect("in time"));
    memory.tick().expect("all committed");
    memory.pass(2);
    memory.slot_hash = hash_broken;
    let before = memory.bytes();

    assert!(memory.tick().is_err());

    assert_eq!(memory.bytes(), before);
}

#[test]
fn a_lost_hash_is_replaced_by_a_later_slot_never_by_another_hash() {
    let mut memory = Memory::training(config());
    (0..3).for_each(|slot| memory.commit(slot).expect("in time"));
    memory.tick().expect("all committed");
    memory.pass(2_000);
    memory.slot_hash = hash_lost;

    memory.tick().expect("a new slot is noted");

    let now = memory.now.chain_slot;
    let (stored, target) = memory.open(|world| {
        let header = &world.rounds.headers[0];
        (header.entropy_stored, header.entropy_target_slot)
    });
    assert_eq!((stored, target), (0, now + 2));
    assert_eq!(memory.phase(), Phase::Witness);
}

#[test]
fn a_run_that_hangs_can_be_aborted_and_loses_no_position() {
    let mut memory = Memory::training(config());
    assert!(memory.open(abort::run).is_err());
    memory.pass(219);
    assert!(memory.open(abort::run).is_err());
    memory.pass(1);

    memory.open(abort::run).expect("hangs");

    assert_eq!(memory.phase(), Phase::Paused);
    assert_eq!((memory.run.in_flight, memory.run.backlog_count), (0, 1));
    assert_eq!((memory.run.joined, memory.run.active), (3, 0));
}
