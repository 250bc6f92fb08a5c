//! Checkpoints: published, confirmed, kept.

use anchor_lang::prelude::Result;

use super::{
    votes::{reveal, seal},
    world::{config, hash_lost, Memory},
};
use crate::{
    instructions::{confirm_checkpoint, publish_checkpoint, set_checkpoint},
    machine::{hash::reset_chain_hash, phase::Phase},
    state::MemberState,
};

const RIGHT: [u8; 32] = [4; 32];

fn publish(memory: &mut Memory, slot: u16, uri: &str) -> Result<()> {
    let args = publish_checkpoint::PublishCheckpointArgs {
        epoch: memory.run.epoch,
        slot,
        uri: uri.to_owned(),
    };
    memory.open(|world| publish_checkpoint::run(world, &Memory::wallet(slot), &args))
}

fn confirm(memory: &mut Memory, slot: u16, place: u8) -> Result<()> {
    let args = confirm_checkpoint::ConfirmCheckpointArgs {
        epoch: memory.run.epoch,
        slot,
        place,
    };
    memory.open(|world| confirm_checkpoint::run(world, &Memory::wallet(slot), &args))
}

/// Cooldown: three members agreed, and two were drawn to publish.
fn agreed() -> Memory {
    let mut memory = Memory::cooling(config());
    memory.pass(2);
    memory.tick().expect("entropy is due");
    (0..3).for_each(|slot| seal(&mut memory, slot, RIGHT).expect("in time"));
    (0..3).for_each(|slot| reveal(&mut memory, slot, RIGHT).expect("all sealed"));
    memory
}

/// Publishers in drawn order, then the third.
fn by_role(memory: &Memory) -> [u16; 3] {
    let [first, second] = memory.run.publisher_slots;
    [first, second, 3 - first - second]
}

#[test]
fn two_of_three_are_drawn_and_the_third_must_wait() {
    let mut memory = agreed();
    let [first, second, third] = by_role(&memory);
    assert_eq!(memory.run.publishers, 2);
    assert_ne!(first, second);

    assert!(publish(&mut memory, third, "iroh:3").is_err());
    publish(&mut memory, second, "iroh:2").expect("drawn");
    publish(&mut memory, second, "iroh:2").expect("the same again");
    assert!(publish(&mut memory, second, "iroh:x").is_err());
    memory.pass(4);
    publish(&mut memory, third, "iroh:3").expect("half of the time went by");
    assert!(
        publish(&mut memory, first, "iroh:1").is_err(),
        "two are there"
    );
}

#[test]
fn cooldown_ends_once_two_others_confirmed_and_keeps_the_checkpoint() {
    let mut memory = agreed();
    let [first, second, third] = by_role(&memory);
    publish(&mut memory, first, "iroh:1").expect("drawn");
    assert!(confirm(&mut memory, first, 0).is_err(), "its own");
    assert!(confirm(&mut memory, second, 1).is_err(), "nothing there");
    confirm(&mut memory, second, 0).expect("fetched");
    confirm(&mut memory, second, 0).expect("the same again");
    assert!(memory.tick().is_err(), "one of two");
    confirm(&mut memory, third, 0).expect("fetched");

    memory.tick().expect("agreed and confirmed");

    assert_eq!(memory.phase(), Phase::WaitingForMembers);
    let [older, newest] = memory.run.checkpoints;
    assert_eq!((older.valid, newest.valid), (0, 1));
    assert_eq!((newest.digest, newest.confirmations), (RIGHT, 2));
    assert_eq!(newest.uri_first[..6], *b"iroh:1");
    assert_eq!(memory.run.pending_checkpoint.valid, 0);
}

#[test]
fn who_left_need_not_confirm() {
    let mut memory = agreed();
    let [first, second, third] = by_role(&memory);
    publish(&mut memory, first, "iroh:1").expect("drawn");
    confirm(&mut memory, second, 0).expect("fetched");
    memory
        .open(|world| world.set_state(third, MemberState::Left))
        .expect("a member");

    memory.tick().expect("two agree, one of them confirmed");

    assert_eq!(memory.run.checkpoints[1].confirmations, 1);
}

#[test]
fn an_unconfirmed_checkpoint_displaces_nothing() {
    let mut memory = agreed();
    let [first, second, _] = by_role(&memory);
    memory.run.checkpoints[1].digest = [8; 32];
    publish(&mut memory, first, "iroh:1").expect("drawn");
    confirm(&mut memory, second, 0).expect("fetched");
    memory.pass(12);

    memory.tick().expect("cooldown is over");

    assert_eq!(memory.run.checkpoints[1].digest, [8; 32]);
    assert_eq!(memory.run.pending_checkpoint.valid, 0);
}

#[test]
fn only_the_confirmed_uri_of_two_is_kept() {
    let mut memory = agreed();
    let [first, second, third] = by_role(&memory);
    publish(&mut memory, first, "iroh:dead").expect("drawn");
    publish(&mut memory, second, "iroh:2").expect("drawn");
    for slot in [first, third] {
        confirm(&mut memory, slot, 1).expect("fetched");
    }

    memory.tick().expect("one of them is confirmed");

    let kept = memory.run.checkpoints[1];
    assert_eq!((kept.uri_len, kept.confirmations), ([6, 0], 2));
    assert_eq!(kept.uri_first[..8], *b"iroh:2\0\0");
    assert_eq!(kept.uri_second, [0; 96]);
    assert_ne!(kept.publishers[0], 0);
    assert_eq!(kept.publishers[1], 0);
}

#[test]
fn publishers_wait_for_a_hash_that_is_still_known() {
    let mut memory = Memory::cooling(config());
    memory.slot_hash = hash_lost;
    memory.pass(2);
    memory.tick().expect("another slot is noted");
    assert_eq!(memory.run.cooldown_entropy_stored, 0);
    assert_eq!(memory.run.cooldown_entropy_slot, memory.now.chain_slot + 2);
    assert_eq!(memory.run.publishers, 0);
}

#[test]
fn the_owners_checkpoint_begins_a_chain_hash_of_its_own() {
    let mut memory = agreed();
    let set = set_checkpoint::SetCheckpointArgs {
        digest: [6; 32],
        uri: String::new(),
    };
    assert!(memory
        .open(|world| set_checkpoint::run(world, &set))
        .is_err());
    memory.run.pause_requested = 1;
    memory.pass(12);
    memory.tick().expect("cooldown is over");
    let (before, step) = (memory.run.chain_hash, memory.run.step);

    memory
        .open(|world| set_checkpoint::run(world, &set))
        .expect("paused");

    let after = reset_chain_hash(&before, &[6; 32]);
    assert_eq!(memory.run.chain_hash, after);
    let agreed = memory.run.agreed;
    assert_eq!((agreed.digest, agreed.step), ([6; 32], step));
    assert_eq!(agreed.chain_hash, after);
    assert_eq!((memory.run.ready, memory.run.joined), (0, 3));
    assert_eq!(memory.run.checkpoints[1].digest, [6; 32]);
}
