//! Votes on the parameters.

use anchor_lang::prelude::Result;

use super::world::{config, Memory};
use crate::{
    instructions::{abort, attest_state, pause, reveal_state},
    machine::{phase::Phase, vote::sealed_digest},
    state::{MemberState, VoteKind},
};

const RIGHT: [u8; 32] = [4; 32];
const WRONG: [u8; 32] = [5; 32];

pub fn seal(memory: &mut Memory, slot: u16, digest: [u8; 32]) -> Result<()> {
    let wallet = Memory::wallet(slot);
    let args = attest_state::AttestStateArgs {
        epoch: memory.run.vote.epoch,
        round: memory.run.vote.round,
        slot,
        vote: sealed_digest(&digest, &wallet.to_bytes()),
    };
    memory.open(|world| attest_state::run(world, &wallet, &args))
}

pub fn reveal(memory: &mut Memory, slot: u16, digest: [u8; 32]) -> Result<()> {
    let wallet = Memory::wallet(slot);
    let args = reveal_state::RevealStateArgs {
        epoch: memory.run.vote.epoch,
        round: memory.run.vote.round,
        slot,
        digest,
    };
    memory.open(|world| reveal_state::run(world, &wallet, &args))
}

fn state(memory: &mut Memory, slot: usize) -> u8 {
    memory.open(|world| world.roster[slot].state)
}

#[test]
fn two_of_three_agree_and_the_third_becomes_joined() {
    let mut memory = Memory::cooling(config());
    for (slot, digest) in [(0, RIGHT), (1, RIGHT), (2, WRONG)] {
        seal(&mut memory, slot, digest).expect("in time");
    }
    reveal(&mut memory, 2, WRONG).expect("all have voted");
    reveal(&mut memory, 0, RIGHT).expect("all have voted");
    assert_eq!(memory.run.vote.agreed, 0);
    reveal(&mut memory, 1, RIGHT).expect("all have voted");
    memory.pass(12);
    memory.tick().expect("cooldown is over");

    assert_eq!(memory.phase(), Phase::WaitingForMembers);
    assert_eq!(memory.run.agreed.digest, RIGHT);
    assert_eq!((memory.run.agreed.epoch, memory.run.agreed.round), (0, 1));
    assert_eq!(state(&mut memory, 1), MemberState::Ready as u8);
    assert_eq!(state(&mut memory, 2), MemberState::Joined as u8);
}

#[test]
fn a_sealed_vote_for_the_agreed_digest_counts_at_the_end() {
    let mut memory = Memory::cooling(config());
    (0..3).for_each(|slot| seal(&mut memory, slot, RIGHT).expect("in time"));
    (0..2).for_each(|slot| reveal(&mut memory, slot, RIGHT).expect("all have voted"));
    memory.pass(12);
    memory.tick().expect("cooldown is over");

    assert_eq!(state(&mut memory, 2), MemberState::Ready as u8);
}

#[test]
fn digests_stay_sealed_until_half_of_the_time_went_by() {
    let mut memory = Memory::cooling(config());
    (0..2).for_each(|slot| seal(&mut memory, slot, RIGHT).expect("in time"));
    assert!(reveal(&mut memory, 0, RIGHT).is_err());
    memory.pass(6);

    assert!(reveal(&mut memory, 0, WRONG).is_err());
    reveal(&mut memory, 0, RIGHT).expect("half of the time went by");

    assert!(seal(&mut memory, 2, RIGHT).is_err());
}

#[test]
fn nobody_votes_for_another() {
    let mut memory = Memory::cooling(config());
    let args = attest_state::AttestStateArgs {
        epoch: 0,
        round: 1,
        slot: 0,
        vote: [1; 32],
    };
    let before = memory.bytes();

    assert!(memory
        .open(|world| attest_state::run(world, &Memory::wallet(1), &args))
        .is_err());

    assert_eq!(memory.bytes(), before);
}

#[test]
fn without_an_agreement_the_same_set_votes_again_in_warmup() {
    let mut memory = Memory::cooling(config());
    memory.pass(12);
    memory.tick().expect("cooldown is over");
    assert_eq!(state(&mut memory, 0), MemberState::Joined as u8);
    memory.pass(5);
    memory.tick().expect("warmup is due");
    assert_eq!(memory.run.vote.kind, VoteKind::Warmup as u8);
    assert_eq!(memory.run.vote.eligible, 3);

    (0..3).for_each(|slot| seal(&mut memory, slot, RIGHT).expect("in time"));
    (0..3).for_each(|slot| reveal(&mut memory, slot, RIGHT).expect("all have voted"));

    assert_eq!(memory.run.agreed.digest, RIGHT);
}

/// Four members in Cooldown; nobody has voted.
fn four() -> Memory {
    let mut config = config();
    config.epoch_rounds = 1;
    let mut memory = Memory::started(config, 4);
    memory.round(4);
    assert_eq!(memory.phase(), Phase::Cooldown);
    memory
}

/// All seal the same, and two open it: enough if nobody says anything else.
fn speak(memory: &mut Memory) {
    (0..4).for_each(|slot| seal(memory, slot, RIGHT).expect("in time"));
    (0..2).for_each(|slot| reveal(memory, slot, RIGHT).expect("all have voted"));
    assert_eq!(
        memory.run.vote.agreed, 0,
        "the others may say something else"
    );
}

#[test]
fn an_abort_counts_the_words_that_were_opened_and_ends_the_vote() {
    let mut memory = four();
    speak(&mut memory);
    memory.pass(11 * 12);
    memory.open(abort::run).expect("it hangs");

    assert_eq!(memory.phase(), Phase::Paused);
    assert_eq!(memory.run.agreed.digest, RIGHT);
    assert_eq!(memory.run.vote.kind, VoteKind::None as u8);
}

#[test]
fn an_abort_in_mid_round_decides_no_snapshot() {
    let mut config = config();
    config.snapshot_rounds = 2;
    let mut memory = Memory::started(config, 4);
    for _ in 0..2 {
        memory.round(4);
    }
    assert_eq!(memory.run.vote.kind, VoteKind::Snapshot as u8);
    speak(&mut memory);
    memory.pass(11 * 20);
    memory.open(abort::run).expect("it hangs");

    assert_eq!(memory.run.vote.kind, VoteKind::None as u8);
    assert_eq!(memory.run.snapshots[1].valid, 0);
}

#[test]
fn a_pause_in_warmup_counts_the_words_that_were_opened() {
    let mut memory = four();
    memory.pass(12);
    memory
        .tick()
        .expect("cooldown is over without an agreement");
    memory.pass(5);
    memory.tick().expect("warmup is due");
    assert_eq!(memory.run.vote.kind, VoteKind::Warmup as u8);
    speak(&mut memory);
    memory.open(pause::run).expect("nothing is in flight");

    assert_eq!(memory.phase(), Phase::Paused);
    assert_eq!(memory.run.agreed.digest, RIGHT);
}

#[test]
fn a_word_that_is_opened_again_changes_nothing_whatever_is_due() {
    let mut memory = four();
    speak(&mut memory);
    memory.pass(2);
    let before = memory.bytes();

    reveal(&mut memory, 0, RIGHT).expect("it said that");
    assert!(reveal(&mut memory, 0, WRONG).is_err());

    assert_eq!(memory.bytes(), before);
    memory
        .tick()
        .expect("the entropy of Cooldown was due, and still is");
}

#[test]
fn a_snapshot_is_agreed_while_rounds_go_on() {
    let mut config = config();
    config.snapshot_rounds = 2;
    let mut memory = Memory::training(config);
    for _ in 0..2 {
        memory.round(3);
    }
    let (round, step) = (memory.run.vote.round, memory.run.vote.step);
    assert_eq!(
        (memory.run.vote.kind, round, step),
        (VoteKind::Snapshot as u8, 2, 2)
    );
    assert_eq!(memory.run.vote.chain_hash, memory.run.chain_hash);

    for (slot, digest) in [(0, RIGHT), (1, RIGHT), (2, WRONG)] {
        seal(&mut memory, slot, digest).expect("in time");
    }
    for (slot, digest) in [(2, WRONG), (0, RIGHT), (1, RIGHT)] {
        reveal(&mut memory, slot, digest).expect("all have voted");
    }

    assert_eq!(memory.run.snapshots[1].digest, RIGHT);
    assert_eq!(memory.run.snapshots[1].round, 2);
    // Whose parameters differ takes no more part: it is not waited for.
    assert_eq!(state(&mut memory, 2), MemberState::Joined as u8);
    assert_eq!(memory.open(|world| world.rounds.headers[2].gone), 1);
}
