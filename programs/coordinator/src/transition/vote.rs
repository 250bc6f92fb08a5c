//! Votes on the parameters: sealed first, then opened.

use anchor_lang::prelude::*;

use super::members::{depart, no_slots, tell_changed};
use crate::{
    events::{DigestAgreed, VoteOpened},
    machine::{
        bits::set_bit,
        phase::Moment,
        vote::{agreed, agreed_digest, sealed_digest},
    },
    state::{MemberState, RosterEntry, StateRecord, VoteKind, VoteStage},
    world::{change_state, World},
};

/// Whether a vote can be cast or opened at present.
#[must_use]
pub fn vote_open(world: &World) -> bool {
    world.run.vote.kind != VoteKind::None as u8 && world.run.vote.opened_slot != 0
}

/// Whether the round that comes next ends the vote on a snapshot, of which words are still to be
/// counted: a step of its own, so that a round's beginning does not get dearer by it.
#[must_use]
pub fn snapshot_ends(world: &World) -> bool {
    let vote = &world.run.vote;
    vote.kind == VoteKind::Snapshot as u8
        && vote_open(world)
        && vote.agreed == 0
        && vote.revealed > 0
        && world.run.round.saturating_add(1) >= vote.close_round
}

/// Whether digests are being revealed: all have voted, or half of the time went by.
#[must_use]
pub fn reveals_open(world: &World) -> bool {
    let vote = &world.run.vote;
    if vote.revealed > 0 || vote.committed.saturating_add(vote.absent) >= vote.eligible {
        return vote.committed > 0;
    }
    if vote.kind == VoteKind::Snapshot as u8 {
        return world.run.epoch == vote.epoch && world.run.round >= vote.reveal_round;
    }
    let opened = Moment {
        time: vote.opened_at,
        chain_slot: vote.opened_slot,
    };
    let half = vote.reveal_at.saturating_sub(vote.opened_at);
    u32::try_from(half).is_ok_and(|half| opened.passed(half, world.now))
}

/// Opens a vote on the present parameters among the Active members.
pub fn open(world: &mut World, kind: VoteKind) {
    for entry in world.roster.iter_mut() {
        // May is 1 and None 0: without a branch, for every slot of a large run.
        entry.vote_stage = u8::from(entry.state == MemberState::Active as u8);
    }
    let run = &mut *world.run;
    let vote = &mut run.vote;
    vote.step = run.step;
    vote.chain_hash = run.chain_hash;
    vote.epoch = run.epoch;
    vote.round = run.round;
    vote.eligible = run.active;
    vote.reveal_round = 0;
    vote.close_round = 0;
    begin(world, kind, u64::from(world.run.config.cooldown_seconds));
}

/// In Warmup: the vote of the last Cooldown again, if it brought no agreement.
pub fn reopen(world: &mut World) {
    if world.run.vote.kind == VoteKind::None as u8 || world.run.vote.agreed == 1 {
        return;
    }
    let seconds = world.run.config.warmup_seconds;
    again(world, VoteKind::Warmup, seconds);
}

/// The parameters are others than those of an open vote: what was said is void, and the same
/// members say what they are now.
pub fn void(world: &mut World) {
    if !vote_open(world) {
        return;
    }
    if world.run.vote.kind == VoteKind::Snapshot as u8 {
        again(world, VoteKind::Snapshot, 0);
        // Its halves are rounds.
        world.run.vote.reveal_at = 0;
    } else {
        let seconds = world.run.config.cooldown_seconds;
        again(world, VoteKind::Cooldown, seconds);
    }
}

/// The vote begins again, with nothing said.
fn again(world: &mut World, kind: VoteKind, seconds: u32) {
    let mut eligible = 0_u16;
    for entry in world.roster.iter_mut() {
        if entry.vote_stage != VoteStage::None as u8 && MemberState::is_member(entry.state) {
            entry.vote_stage = VoteStage::May as u8;
            eligible = eligible.saturating_add(1);
        } else {
            entry.vote_stage = VoteStage::None as u8;
        }
    }
    // The set stays what it was: who is gone since counts as absent.
    world.run.vote.eligible = world.run.vote.eligible.max(eligible);
    begin(world, kind, u64::from(seconds));
    world.run.vote.absent = world.run.vote.eligible.saturating_sub(eligible);
}

fn begin(world: &mut World, kind: VoteKind, seconds: u64) {
    let now = world.now;
    let vote = &mut world.run.vote;
    vote.kind = kind as u8;
    vote.opened_at = now.time;
    vote.opened_slot = now.chain_slot;
    vote.reveal_at = now
        .time
        .saturating_add(i64::try_from(seconds / 2).unwrap_or(0));
    vote.committed = 0;
    vote.revealed = 0;
    vote.absent = 0;
    vote.agreed = 0;
    emit!(VoteOpened {
        run: world.key,
        kind: vote.kind,
        epoch: vote.epoch,
        round: vote.round,
        eligible: vote.eligible,
    });
}

/// At the start of a training round: closes a snapshot's vote that is over, opens a new one.
///
/// # Errors
/// Those of a broken account.
pub fn at_round(world: &mut World) -> Result<()> {
    let every = world.run.config.snapshot_rounds;
    let round = world.run.round;
    if world.run.vote.kind == VoteKind::Snapshot as u8 && round >= world.run.vote.close_round {
        close(world)?;
    }
    if every == 0 || round.checked_rem(every) != Some(0) {
        return Ok(());
    }
    // The parameters are those with which this round trains: before it counts as started.
    open(world, VoteKind::Snapshot);
    let vote = &mut world.run.vote;
    vote.step = vote.step.saturating_sub(1);
    vote.reveal_at = 0;
    vote.reveal_round = round.saturating_add(every.div_ceil(2));
    vote.close_round = round.saturating_add(every);
    Ok(())
}

/// Notes a digest that was opened, and decides as soon as nothing can change the outcome.
///
/// # Errors
/// Those of a broken account.
pub fn record_reveal(world: &mut World, slot: u16, digest: [u8; 32]) -> Result<()> {
    let entry = world.entry(slot)?;
    entry.vote = digest;
    entry.vote_stage = VoteStage::Revealed as u8;
    world.run.vote.revealed = world.run.vote.revealed.saturating_add(1);
    if world.run.vote.agreed == 1 {
        return demote(world, &agreed_now(world));
    }
    let same = count_revealed(world, &digest);
    let (committed, eligible) = (world.run.vote.committed, world.run.vote.eligible);
    let min_members = u32::from(world.run.config.min_members);
    // Those who sealed a vote and did not open it yet count as if they said something else.
    if agreed(
        u32::from(same),
        u32::from(committed),
        u32::from(eligible),
        min_members,
    ) {
        agree(world, digest, same)?;
    }
    Ok(())
}

/// At the end of a vote's time: decides by those who opened theirs.
///
/// # Errors
/// Those of a broken account.
pub fn decide(world: &mut World) -> Result<()> {
    let said = world.run.vote.revealed > 0;
    if !vote_open(world) || world.run.vote.agreed == 1 || !said {
        return Ok(());
    }
    let revealed = world
        .roster
        .iter()
        .filter(|entry| counts(entry))
        .map(|entry| &entry.vote);
    let eligible = u32::from(world.run.vote.eligible);
    let min_members = u32::from(world.run.config.min_members);
    let Some(digest) = agreed_digest(revealed, eligible, min_members).copied() else {
        return Ok(());
    };
    let votes = count_revealed(world, &digest);
    agree(world, digest, votes)
}

/// Decides, then forgets the vote: the parameters move on.
///
/// # Errors
/// Those of a broken account.
pub fn close(world: &mut World) -> Result<()> {
    decide(world)?;
    forget(world);
    Ok(())
}

/// Decides, and takes no more words; without an agreement the vote comes back in the next Warmup.
///
/// # Errors
/// Those of a broken account.
pub fn end(world: &mut World) -> Result<()> {
    decide(world)?;
    world.run.vote.opened_slot = 0;
    Ok(())
}

/// Nobody votes at present; a vote without an agreement comes back in Warmup.
pub fn suspend(world: &mut World) {
    if world.run.vote.agreed == 1 {
        forget(world);
    }
    world.run.vote.opened_slot = 0;
}

/// There is no vote any more.
pub fn forget(world: &mut World) {
    bytemuck::bytes_of_mut(&mut world.run.vote).fill(0);
}

/// Whether a member said `digest`, opened or still sealed.
#[must_use]
pub fn said(entry: &RosterEntry, digest: &[u8; 32]) -> bool {
    if entry.vote_stage == VoteStage::Revealed as u8 {
        return entry.vote == *digest;
    }
    entry.vote_stage == VoteStage::Committed as u8
        && entry.vote == sealed_digest(digest, &entry.wallet.to_bytes())
}

/// Whether an opened word counts: those of who is gone do not.
fn counts(entry: &RosterEntry) -> bool {
    entry.vote_stage == VoteStage::Revealed as u8 && MemberState::is_member(entry.state)
}

fn count_revealed(world: &World, digest: &[u8; 32]) -> u16 {
    world.roster.iter().fold(0, |sum: u16, entry| {
        let same = counts(entry) && entry.vote == *digest;
        sum.saturating_add(u16::from(same))
    })
}

/// The digest that the open vote agreed on.
fn agreed_now(world: &World) -> [u8; 32] {
    let [_, newest] = world.run.snapshots;
    if world.run.vote.kind == VoteKind::Snapshot as u8 {
        newest.digest
    } else {
        world.run.agreed.digest
    }
}

fn agree(world: &mut World, digest: [u8; 32], votes: u16) -> Result<()> {
    let digest_before = world.run.agreed.digest;
    let vote = &mut world.run.vote;
    vote.agreed = 1;
    let (kind, epoch, round, step) = (vote.kind, vote.epoch, vote.round, vote.step);
    let agreed = StateRecord {
        step,
        epoch,
        round,
        digest,
        chain_hash: vote.chain_hash,
        valid: 1,
        reserved: [0; 7],
    };
    if kind == VoteKind::Snapshot as u8 {
        let [_, older] = world.run.snapshots;
        world.run.snapshots = [older, agreed];
    } else {
        world.run.agreed = agreed;
    }
    emit!(DigestAgreed {
        run: world.key,
        kind,
        epoch,
        round,
        step,
        digest_before,
        digest_after: digest,
        votes,
    });
    demote(world, &digest)
}

/// Who said something else than what was agreed has other parameters: it becomes Joined.
fn demote(world: &mut World, digest: &[u8; 32]) -> Result<()> {
    let mut changed = no_slots(world);
    let (run, now) = (&mut *world.run, world.now);
    let mut others = Vec::new();
    for (slot, entry) in (0_u16..).zip(world.roster.iter_mut()) {
        if entry.vote_stage != VoteStage::Revealed as u8 || entry.vote == *digest {
            continue;
        }
        let active = entry.state == MemberState::Active as u8;
        if active {
            others.push((slot, entry.member_id));
        }
        if active || entry.state == MemberState::Ready as u8 {
            change_state(run, entry, MemberState::Joined, now);
            set_bit(&mut changed, usize::from(slot), true);
        }
    }
    tell_changed(world, MemberState::Joined, changed);
    depart(world, &others)
}
