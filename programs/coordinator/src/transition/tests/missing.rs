//! Accepted payloads that are nowhere to be had.

use anchor_lang::prelude::Result;

use super::{
    votes::{reveal, seal},
    world::{config, Memory},
};
use crate::{
    errors::CoordinatorError,
    instructions::{missing, MissingArgs},
    machine::{
        bits::{bit, set_bit},
        config::RunConfig,
        hash::sha256,
        phase::Phase,
    },
    state::{MemberState, RoundHeader},
    transition::{apply, plan, Step},
};

const RIGHT: [u8; 32] = [4; 32];
const WRONG: [u8; 32] = [5; 32];

fn args(slot: u16, round: u32, target: u16) -> MissingArgs {
    MissingArgs {
        epoch: 0,
        round,
        slot,
        target,
    }
}

fn say(memory: &mut Memory, slot: u16, round: u32, target: u16) -> Result<()> {
    let args = args(slot, round, target);
    memory.open(|world| missing::run(world, &Memory::wallet(slot), &args))
}

/// What is refused, and that not a byte changed by it.
#[track_caller]
fn refused(memory: &mut Memory, wallet: u16, args: &MissingArgs, error: CoordinatorError) {
    let before = memory.bytes();
    let outcome = memory.open(|world| missing::run(world, &Memory::wallet(wallet), args));
    assert_eq!(outcome, Err(error.into()));
    assert_eq!(memory.bytes(), before);
}

fn header(memory: &mut Memory, round: u32) -> RoundHeader {
    memory.open(|world| *world.rounds.header(round).expect("a record"))
}

fn accepted(memory: &mut Memory, round: u32) -> Vec<u16> {
    let field = memory.open(|world| world.rounds.record(round).unwrap().accepted.to_vec());
    (0..8)
        .filter(|slot| bit(&field, usize::from(*slot)))
        .collect()
}

/// The present round comes to its end, and all in it is accepted.
fn play(memory: &mut Memory) {
    let overlap = u32::from(memory.run.config.overlap);
    let target = memory.run.round.checked_sub(overlap);
    let members = memory.run.active;
    if memory.phase() == Phase::Train {
        (0..members).for_each(|slot| memory.commit(slot).expect("in time"));
        memory.tick().expect("all committed");
    }
    memory.pass(2);
    memory.tick().expect("entropy");
    if target.is_some_and(|target| header(memory, target).committed > 0) {
        (0..members).for_each(|slot| memory.attest(slot).expect("in time"));
        memory.tick().expect("all attested");
    }
}

/// Rounds that are played; three members.
fn played(config: RunConfig, rounds: u32) -> Memory {
    let mut memory = Memory::training(config);
    (0..rounds).for_each(|_| play(&mut memory));
    memory
}

/// Eight members after round 0.
fn eight() -> Memory {
    let mut memory = Memory::new(config());
    memory
        .open(crate::instructions::resume::run)
        .expect("paused");
    (0..8).for_each(|slot| memory.join(slot).expect("free"));
    memory.tick().expect("full");
    (0..8).for_each(|slot| memory.ready(slot).expect("in time"));
    memory.pass(2);
    memory.tick().expect("starts");
    play(&mut memory);
    memory
}

/// A round's chain hash, written out.
fn hash(before: [u8; 32], round: u32, slots: &[u16]) -> [u8; 32] {
    let mut field = [0_u8];
    let mut commitments = Vec::new();
    for slot in slots {
        set_bit(&mut field, usize::from(*slot), true);
        commitments.extend([u8::try_from(*slot).unwrap() + 1; 32]);
    }
    sha256(&[
        &before,
        &0_u32.to_le_bytes(),
        &round.to_le_bytes(),
        &field,
        &commitments,
    ])
}

#[test]
fn what_two_thirds_miss_leaves_the_accepted_set() {
    let mut memory = played(config(), 2);
    let (accepted_before, before) = (memory.run.accepted, header(&mut memory, 0));
    let share = memory.open(|world| {
        let record = world.rounds.record(0).unwrap();
        record.share_of(1, record.member_id[1]).unwrap()
    });
    let weight = memory.open(|world| world.roster[1].weight);

    say(&mut memory, 0, 0, 1).expect("one of three");
    assert_eq!(accepted(&mut memory, 0), [0, 1, 2]);
    say(&mut memory, 2, 0, 1).expect("two of three");

    assert_eq!(accepted(&mut memory, 0), [0, 2]);
    let sequences = share.1 - share.0;
    let after = header(&mut memory, 0);
    assert_eq!((after.accepted, after.complaints), (2, 0));
    assert_eq!(
        after.sequences_accepted + sequences,
        before.sequences_accepted
    );
    assert_eq!(memory.run.accepted + u64::from(sequences), accepted_before);
    let back = memory.run.backlog[0];
    assert_eq!(memory.run.backlog_count, 1);
    assert_eq!(
        (back.start, back.end),
        (u64::from(share.0), u64::from(share.1))
    );
    let (first, second) = (hash([2; 32], 0, &[0, 2]), after.chain_hash_after);
    assert_eq!((after.chain_hash_before, second), ([2; 32], first));
    let later = header(&mut memory, 1);
    assert_eq!(later.chain_hash_before, first);
    assert_eq!(memory.run.chain_hash, hash(first, 1, &[0, 1, 2]));
    assert_eq!(later.chain_hash_after, memory.run.chain_hash);
    assert_eq!(
        header(&mut memory, 2).chain_hash_before,
        memory.run.chain_hash
    );
    assert_eq!(memory.open(|world| world.roster[1].misses), 1);
    assert_eq!(memory.open(|world| world.roster[1].weight), weight / 2);
    assert_eq!(memory.run.step, 3);
}

#[test]
fn the_same_again_changes_nothing_until_others_are_gone() {
    let mut memory = eight();
    for slot in 0..5 {
        say(&mut memory, slot, 0, 7).expect("in time");
    }
    let before = memory.bytes();
    say(&mut memory, 0, 0, 7).expect("the same again");
    assert_eq!(memory.bytes(), before, "five of eight");

    memory
        .open(|world| world.set_state(6, MemberState::Left))
        .expect("a member");
    say(&mut memory, 0, 0, 7).expect("five of seven");

    assert_eq!(accepted(&mut memory, 0), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn who_went_aside_has_no_voice() {
    let mut memory = eight();
    for slot in 0..5 {
        say(&mut memory, slot, 0, 7).expect("in time");
    }
    memory
        .open(|world| world.set_state(0, MemberState::Behind))
        .expect("a member");
    refused(
        &mut memory,
        0,
        &args(0, 0, 7),
        CoordinatorError::WrongMemberState,
    );
    say(&mut memory, 1, 0, 7).expect("four of seven");
    assert_eq!(accepted(&mut memory, 0).len(), 8);

    say(&mut memory, 5, 0, 7).expect("five of seven");
    assert_eq!(accepted(&mut memory, 0).len(), 7);
}

#[test]
fn nothing_changes_by_what_is_refused() {
    let mut memory = played(config(), 1);
    let wrong_epoch = MissingArgs {
        epoch: 1,
        ..args(0, 0, 1)
    };
    refused(&mut memory, 0, &wrong_epoch, CoordinatorError::WrongRound);
    let never = args(0, 4, 1);
    refused(&mut memory, 0, &never, CoordinatorError::WrongRound);
    let unsettled = args(0, 1, 1);
    refused(
        &mut memory,
        0,
        &unsettled,
        CoordinatorError::ComplaintClosed,
    );
    let another = args(1, 0, 1);
    refused(&mut memory, 0, &another, CoordinatorError::NotYourSlot);
    let nobody = args(9, 0, 1);
    refused(&mut memory, 0, &nobody, CoordinatorError::UnknownSlot);
    for target in [3, 8, u16::MAX] {
        let idle = args(0, 0, target);
        refused(&mut memory, 0, &idle, CoordinatorError::NotAccepted);
    }
    say(&mut memory, 0, 0, 1).expect("one of three");
    say(&mut memory, 2, 0, 1).expect("two of three");
    refused(
        &mut memory,
        1,
        &args(1, 0, 1),
        CoordinatorError::NotAccepted,
    );
}

#[test]
fn a_member_opens_one_complaint_a_round_and_the_smallest_gives_way() {
    let mut memory = eight();
    for (slot, target) in [(0, 4), (1, 4), (2, 5), (3, 6)] {
        say(&mut memory, slot, 0, target).expect("room, or one to join");
    }
    refused(
        &mut memory,
        0,
        &args(0, 0, 7),
        CoordinatorError::ComplaintSpent,
    );
    say(&mut memory, 0, 0, 6).expect("one can join any");
    say(&mut memory, 1, 0, 7).expect("it opened none");

    let round = header(&mut memory, 0);
    assert_eq!((round.complaint_slots, round.complaints), ([4, 7, 6], 7));
    let voices = memory.open(|world| world.rounds.complaints(0).unwrap().voices[1].to_vec());
    assert_eq!(voices, [0b10]);
    // Who was crowded out, and has opened one, waits for somebody else to open it again.
    refused(
        &mut memory,
        2,
        &args(2, 0, 5),
        CoordinatorError::ComplaintSpent,
    );
}

#[test]
fn the_last_rounds_hashes_follow_with_overlap_too() {
    let mut config = config();
    config.overlap = 1;
    let mut memory = played(config, 3);
    assert_eq!((memory.run.round, memory.phase()), (3, Phase::Train));
    for slot in [0, 2] {
        say(&mut memory, slot, 0, 1).expect("in time");
    }

    let first = hash([2; 32], 0, &[0, 2]);
    let second = hash(first, 1, &[0, 1, 2]);
    assert_eq!(memory.run.chain_hash, second);
    // Round 2 began when 0 had settled, round 3 when 1 had.
    assert_eq!(header(&mut memory, 2).chain_hash_before, first);
    assert_eq!(header(&mut memory, 3).chain_hash_before, second);
}

#[test]
fn a_share_that_is_on_its_way_back_is_not_given_back_twice() {
    let mut memory = Memory::training(config());
    (0..2).for_each(|slot| memory.commit(slot).expect("in time"));
    memory.pass(21);
    memory.tick().expect("time is over");
    memory.pass(2);
    memory.tick().expect("entropy");
    (0..3).for_each(|slot| memory.attest(slot).expect("in time"));
    let step = memory.open(|world| plan(world).unwrap().unwrap());
    memory.open(|world| apply(world, step)).expect("settles");
    let next = memory.open(|world| plan(world).unwrap());
    assert_eq!(next, Some(Step::GiveBack { target: 0 }));

    for slot in [0, 2] {
        say(&mut memory, slot, 0, 1).expect("in time");
    }
    memory.tick().expect("gives back, and goes on");

    assert_eq!(accepted(&mut memory, 0), [0]);
    let taken = u64::from(header(&mut memory, 1).sequences);
    assert_eq!(memory.run.in_flight, taken);
    assert_eq!((memory.run.repeated, memory.run.backlog_count), (0, 0));
}

#[test]
fn who_attested_what_was_nowhere_earns_nothing_and_the_others_do() {
    let mut config = config();
    config.points_per_attestation = 5;
    config.points_per_sequence = 1;
    let mut memory = played(config, 1);
    // Witness 0 never had it.
    memory.open(|world| {
        let record = world.rounds.record(0).unwrap();
        let index = record.witness_index(0, record.member_id[0]).unwrap();
        record.mask[1] &= !(1 << index);
    });
    for slot in [0, 2] {
        say(&mut memory, slot, 0, 1).expect("in time");
    }
    (0..2).for_each(|_| play(&mut memory));
    let of = |memory: &mut Memory| {
        memory.open(|world| [0, 1, 2].map(|slot: usize| world.roster[slot].points))
    };
    let before = of(&mut memory);
    assert_eq!(before, [0; 3]);
    play(&mut memory);

    assert_eq!(of(&mut memory), [10 + 5, 0, 10]);
    refused(&mut memory, 0, &args(0, 0, 2), CoordinatorError::WrongRound);
    let judged = args(0, 1, 2);
    memory.open(|world| world.rounds.headers[1].finalised = 1);
    refused(&mut memory, 0, &judged, CoordinatorError::ComplaintClosed);
}

#[test]
fn words_on_parameters_that_held_it_are_void() {
    let mut memory = Memory::cooling(config());
    (0..3).for_each(|slot| seal(&mut memory, slot, WRONG).expect("in time"));
    reveal(&mut memory, 0, WRONG).expect("all sealed");
    memory.pass(7);

    for slot in [0, 2] {
        say(&mut memory, slot, 0, 1).expect("in time");
    }

    let vote = memory.run.vote;
    assert_eq!((vote.committed, vote.revealed, vote.eligible), (0, 0, 3));
    assert_eq!(vote.chain_hash, memory.run.chain_hash);
    (0..3).for_each(|slot| seal(&mut memory, slot, RIGHT).expect("half of the time is ahead"));
    (0..3).for_each(|slot| reveal(&mut memory, slot, RIGHT).expect("all sealed"));
    assert_eq!(memory.run.agreed.digest, RIGHT);
    assert_eq!(memory.run.agreed.chain_hash, memory.run.chain_hash);
    // Now somebody honest holds all that is in them.
    let late = args(0, 0, 2);
    refused(&mut memory, 0, &late, CoordinatorError::ComplaintClosed);
}

#[test]
fn a_vote_that_ended_without_agreement_is_about_the_new_parameters() {
    let mut memory = Memory::cooling(config());
    memory.pass(13);
    memory
        .open(|world| apply(world, Step::CloseVote))
        .expect("nobody spoke");
    for slot in [0, 2] {
        say(&mut memory, slot, 0, 1).expect("in time");
    }

    assert_eq!(memory.run.vote.opened_slot, 0, "it stays closed");
    assert_eq!(memory.run.vote.chain_hash, memory.run.chain_hash);
}

#[test]
fn a_snapshots_vote_begins_again_only_if_it_held_the_payload() {
    let mut config = config();
    config.snapshot_rounds = 3;
    let mut memory = played(config, 4);
    seal(&mut memory, 0, RIGHT).expect("in time");
    for slot in [0, 2] {
        say(&mut memory, slot, 3, 1).expect("in time");
    }
    assert_eq!(memory.run.vote.committed, 1, "round 3 began without it");

    for slot in [0, 2] {
        say(&mut memory, slot, 2, 1).expect("in time");
    }
    let vote = memory.run.vote;
    assert_eq!((vote.committed, vote.round, vote.reveal_at), (0, 3, 0));
    assert_eq!(vote.chain_hash, header(&mut memory, 2).chain_hash_after);
    assert_ne!(vote.chain_hash, memory.run.chain_hash);
    (0..3).for_each(|slot| seal(&mut memory, slot, RIGHT).expect("sealed again"));
    (0..3).for_each(|slot| reveal(&mut memory, slot, RIGHT).expect("all sealed"));
    assert_eq!(memory.run.snapshots[1].digest, RIGHT);
    let held = args(0, 2, 2);
    refused(&mut memory, 0, &held, CoordinatorError::ComplaintClosed);
    say(&mut memory, 1, 3, 2).expect("not in the snapshot");
}
