//! What `collect` takes from a slot, and what it leaves.

use anchor_lang::prelude::*;

use super::world::{config, Memory};
use crate::{
    instructions::{collect, join, JoinArgs},
    state::{MemberState, Participant, RosterEntry},
};

const BOND: u64 = 2_000_000;

/// A paused run whose members pay a bond.
fn bonded() -> Memory {
    let mut config = config();
    config.bond_lamports = BOND;
    Memory::new(config)
}

fn somebody() -> Box<Participant> {
    let mut participant: Box<Participant> = bytemuck::allocation::zeroed_box();
    participant.wallet = Memory::wallet(0);
    participant.instance = [1; 32];
    participant
}

fn enter(memory: &mut Memory, who: &mut Participant, slot: u16, most: u64) -> Result<u64> {
    let args = JoinArgs {
        slot,
        weight: 1,
        node_key: [1; 32],
        address: String::new(),
        bond_lamports_max: most,
    };
    let wallet = who.wallet;
    memory.open(|world| join::run(world, &wallet, who, &args))
}

fn take(memory: &mut Memory, who: &mut Participant, slot: u16) -> Result<collect::Taken> {
    memory
        .open(|world| collect::run(world, who, slot, false))
        .map(|taken| taken.expect("refused, if there is nothing"))
}

fn entry(memory: &mut Memory, slot: u16) -> RosterEntry {
    memory.open(|world| world.roster[usize::from(slot)])
}

/// The holder goes, with so many strikes.
fn goes(memory: &mut Memory, slot: u16, state: MemberState, strikes: u8) {
    memory.open(|world| {
        world.set_state(slot, state).expect("a slot");
        let entry = world.entry(slot).expect("a slot");
        entry.strikes += strikes;
    });
}

fn refused<T: core::fmt::Debug>(outcome: Result<T>, name: &str) {
    let said = outcome.expect_err("refused").to_string();
    assert!(said.contains(name), "{said}");
}

#[test]
fn who_left_takes_its_bond_and_the_slot_is_zero() {
    let (mut memory, mut who) = (bonded(), somebody());
    assert_eq!(
        enter(&mut memory, &mut who, 0, BOND).expect("accepted"),
        BOND
    );
    assert_eq!(memory.run.bonds_lamports, BOND);
    goes(&mut memory, 0, MemberState::Left, 0);

    let taken = take(&mut memory, &mut who, 0).expect("gone");

    assert!(taken.freed && !taken.forfeited);
    assert_eq!(taken.bond_lamports, BOND);
    assert_eq!(memory.run.bonds_lamports, 0);
    let left = entry(&mut memory, 0);
    assert!(bytemuck::bytes_of(&left).iter().all(|byte| *byte == 0));
    refused(take(&mut memory, &mut who, 0), "NothingToCollect");
}

#[test]
fn a_bond_above_the_limit_is_not_paid() {
    let (mut memory, mut who) = (bonded(), somebody());
    let before = memory.bytes();

    refused(enter(&mut memory, &mut who, 0, BOND - 1), "BondAboveLimit");

    assert_eq!(memory.bytes(), before);
}

#[test]
fn an_ejected_member_forfeits_its_bond_and_is_barred() {
    let (mut memory, mut who) = (bonded(), somebody());
    enter(&mut memory, &mut who, 0, BOND).expect("free");
    goes(&mut memory, 0, MemberState::Ejected, 2);
    refused(enter(&mut memory, &mut who, 1, BOND), "Barred");

    let taken = take(&mut memory, &mut who, 0).expect("gone");

    assert!(taken.forfeited);
    assert_eq!((who.barred, who.strikes), (1, 2));
    assert_eq!(
        (memory.run.bonds_lamports, memory.run.forfeited_lamports),
        (0, BOND)
    );
    refused(enter(&mut memory, &mut who, 1, BOND), "Barred");
}

#[test]
fn what_a_member_earned_is_taken_and_it_stays() {
    let (mut memory, mut who) = (bonded(), somebody());
    enter(&mut memory, &mut who, 0, BOND).expect("free");
    memory.open(|world| {
        let entry = &mut world.roster[0];
        (entry.points, entry.points_slashed, entry.strikes) = (9, 4, 1);
    });

    let taken = take(&mut memory, &mut who, 0).expect("points");

    assert!(!taken.freed);
    assert_eq!(
        (who.points_earned, who.points_slashed, who.strikes),
        (9, 4, 1)
    );
    let left = entry(&mut memory, 0);
    assert_eq!((left.points, left.points_slashed), (0, 0));
    assert_eq!((left.strikes, left.strikes_collected), (1, 1));
    assert_eq!(left.bond_lamports, BOND);
    refused(take(&mut memory, &mut who, 0), "NothingToCollect");
}

#[test]
fn strikes_of_memberships_add_up_in_whatever_order_they_are_collected() {
    for order in [[0, 1], [1, 0]] {
        let (mut memory, mut who) = (bonded(), somebody());
        enter(&mut memory, &mut who, 0, BOND).expect("free");
        goes(&mut memory, 0, MemberState::Left, 1);
        enter(&mut memory, &mut who, 1, BOND).expect("one strike is allowed");
        assert_eq!(entry(&mut memory, 1).strikes, 1);
        goes(&mut memory, 1, MemberState::Left, 1);
        refused(enter(&mut memory, &mut who, 2, BOND), "Barred");

        for slot in order {
            take(&mut memory, &mut who, slot).expect("gone");
        }

        assert_eq!(who.strikes, 2, "{order:?}");
        refused(enter(&mut memory, &mut who, 2, BOND), "Barred");
    }
}

#[test]
fn nobody_collects_for_another() {
    let (mut memory, mut who) = (bonded(), somebody());
    enter(&mut memory, &mut who, 0, BOND).expect("free");
    goes(&mut memory, 0, MemberState::Left, 0);
    let mut other = somebody();
    other.wallet = Memory::wallet(1);

    refused(take(&mut memory, &mut other, 0), "NotTheHolder");

    let mut earlier = somebody();
    earlier.instance = [2; 32];
    refused(take(&mut memory, &mut earlier, 0), "NotTheHolder");
    refused(take(&mut memory, &mut who, 8), "UnknownSlot");
}

#[test]
fn where_a_bond_was_paid_nothing_need_be_on_the_slot() {
    let (mut memory, mut who) = (bonded(), somebody());
    enter(&mut memory, &mut who, 0, BOND).expect("free");
    let mut other = somebody();
    other.wallet = Memory::wallet(1);
    let before = memory.bytes();

    for slot in [0, 1] {
        let taken = memory.open(|world| collect::run(world, &mut other, slot, true));
        assert_eq!(taken.expect("another's, and nobody's"), None);
    }
    let taken = memory.open(|world| collect::run(world, &mut who, 0, true));
    assert_eq!(taken.expect("a member's own"), None);

    assert_eq!(memory.bytes(), before);
    let unknown = memory.open(|world| collect::run(world, &mut who, 8, true));
    refused(unknown, "UnknownSlot");
}

#[test]
fn a_slot_that_a_record_names_is_not_freed_but_its_points_are_taken() {
    let mut memory = Memory::training(config());
    let mut who = somebody();
    goes(&mut memory, 0, MemberState::Left, 0);
    memory.open(|world| world.roster[0].points = 5);

    let taken = take(&mut memory, &mut who, 0).expect("points");

    assert!(!taken.freed);
    assert_eq!(entry(&mut memory, 0).state, MemberState::Left as u8);
    refused(take(&mut memory, &mut who, 0), "NothingToCollect");
}
