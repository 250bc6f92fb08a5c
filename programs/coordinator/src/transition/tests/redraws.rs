//! The second witness draw: decided now, made by a hash that nobody knows yet.

use anchor_lang::prelude::*;

use super::world::{config, hash_at_hand, hash_lost, Memory};
use crate::{
    instructions::{behind, MemberArgs},
    machine::phase::Phase,
    state::MemberState,
};

fn other_hash(target: u64) -> Result<Option<[u8; 32]>> {
    Ok(hash_at_hand(target)?.map(|hash| hash.map(|byte| !byte)))
}

/// Eight members of whom one of two witnesses spoke: the second draw is decided and not made.
fn redrawing() -> Memory {
    let mut config = config();
    config.witness_count = 2;
    config.init_min_members = 8;
    let mut memory = Memory::started(config, 8);
    (0..8).for_each(|slot| memory.commit(slot).expect("in time"));
    memory.tick().expect("all committed");
    memory.pass(2);
    memory.tick().expect("entropy");
    let first = witnesses(&mut memory);
    memory.attest(first[0]).expect("elected");
    memory.pass(8);
    memory.tick().expect("the draw failed");
    assert_eq!(memory.phase(), Phase::Witness);
    assert_eq!(witnesses(&mut memory), first);
    memory
}

fn witnesses(memory: &mut Memory) -> Vec<u16> {
    memory.open(|world| {
        let header = &world.rounds.headers[0];
        header.witness_slots[..usize::from(header.witnesses)].to_vec()
    })
}

#[test]
fn until_the_second_draw_is_made_nobody_can_attest() {
    let mut memory = redrawing();
    let first = witnesses(&mut memory);

    for slot in first {
        let refused = memory.attest(slot).expect_err("not drawn yet").to_string();
        assert!(refused.contains("EntropyNotStored"), "{refused}");
    }
    assert!(
        memory.tick().is_err(),
        "nothing is due before the hash is known"
    );
}

#[test]
fn the_second_draw_is_made_by_the_later_hash_and_without_the_silent() {
    let (mut memory, mut other) = (redrawing(), redrawing());
    let silent = witnesses(&mut memory)[1];
    other.slot_hash = other_hash;
    for memory in [&mut memory, &mut other] {
        memory.pass(2);
        memory.tick().expect("the second draw is made");
    }
    let (one, two) = (witnesses(&mut memory), witnesses(&mut other));

    assert_ne!(one, two, "the same E(round), another later hash");
    assert!(!one.contains(&silent) && !two.contains(&silent));
    assert_eq!(memory.open(|world| world.rounds.headers[0].attested), 0);
    let roots = memory.open(|world| world.rounds.headers[0].custody_roots);
    assert_eq!(roots, [[0; 32]; 32], "those of the first draw are nobody's");
    for slot in one {
        memory.attest(slot).expect("elected");
    }
    memory.tick().expect("settles");
    assert_eq!(memory.run.round, 1);
}

#[test]
fn a_lost_hash_of_the_second_draw_is_noted_anew() {
    let mut memory = redrawing();
    memory.slot_hash = hash_lost;
    memory.pass(2);
    memory.tick().expect("stores that it was lost");

    let noted = memory.open(|world| world.rounds.headers[0].redraw_target_slot);
    assert_eq!(noted, memory.now.chain_slot + 2);
    memory.slot_hash = hash_at_hand;
    memory.pass(2);
    memory.tick().expect("the second draw is made");
    assert_eq!(memory.open(|world| world.rounds.headers[0].draws), 2);
}

#[test]
fn who_goes_aside_once_the_hash_is_known_changes_no_second_draw() {
    let (mut memory, mut aside) = (redrawing(), redrawing());
    let spoke = witnesses(&mut memory)[0];
    for memory in [&mut memory, &mut aside] {
        memory.pass(2);
    }
    memory.tick().expect("the second draw is made");
    let args = MemberArgs {
        epoch: 0,
        round: 0,
        slot: spoke,
    };
    aside
        .open(|world| behind::run(world, &Memory::wallet(spoke), &args, false))
        .expect("a member");

    assert_eq!(
        aside.open(|world| world.roster[usize::from(spoke)].state),
        MemberState::Behind as u8
    );
    assert_eq!(witnesses(&mut aside), witnesses(&mut memory));
}

#[test]
fn grace_begins_when_the_one_that_it_waited_for_goes_aside() {
    let mut config = config();
    config.init_min_members = 5;
    let mut memory = Memory::started(config, 5);
    (0..3).for_each(|slot| memory.commit(slot).expect("in time"));
    assert_eq!(
        memory.run.grace_since_slot, 0,
        "three of five are no two thirds"
    );
    let args = MemberArgs {
        epoch: 0,
        round: 0,
        slot: 3,
    };

    memory
        .open(|world| behind::run(world, &Memory::wallet(3), &args, false))
        .expect("a member");

    assert_eq!(memory.run.grace_since_slot, memory.now.chain_slot);
    memory.pass(4);
    memory.tick().expect("grace is over");
    assert_eq!(memory.phase(), Phase::Witness);
}
