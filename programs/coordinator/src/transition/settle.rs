//! Settling: the accepted set of the target is fixed, and the run moves on.

use anchor_lang::prelude::*;

use super::{epoch, members, plan::training_rounds, round, vote};
use crate::{
    errors::CoordinatorError,
    events::RoundSettled,
    machine::{
        backlog::{Interval, SEGMENTS},
        bits::{bit, set_bit},
        hash::{chain_hash, chain_head, chain_parts},
        phase::{after_settle, Next, SettledView},
        shares::{grown_weight, halved_weight},
        tally::{Outcome, Tally},
    },
    state::{EndReason, Record, RosterEntry, ROUNDS_OPEN},
    world::World,
};

/// Settles the target of the present round, then begins what follows.
///
/// # Errors
/// `Overflow`, or those of a broken account.
pub fn settle(world: &mut World, failed: bool) -> Result<()> {
    let present = world.run.round;
    if let Some(target) = world.target() {
        settle_target(world, target, failed)?;
    }
    members::drop_unfit(world)?;
    let (next, rounds) = what_follows(world, failed);
    world.run.rounds_in_epoch = rounds.unwrap_or(ROUNDS_OPEN);
    let following = present.checked_add(1).ok_or(CoordinatorError::Overflow)?;
    match next {
        Next::Train => {
            if world.run.config.admit_anytime == 1 {
                members::admit(world, following)?;
            }
            round::start(world, following)?;
            vote::at_round(world)
        }
        Next::Drain => round::start_drain(world, following),
        Next::Cooldown => epoch::start_cooldown(world, following),
    }
}

fn what_follows(world: &mut World, failed: bool) -> (Next, Option<u32>) {
    let run = &mut *world.run;
    let view = SettledView {
        round: run.round,
        overlap: run.config.overlap,
        training_rounds: training_rounds(run.rounds_in_epoch),
        epoch_rounds: run.config.epoch_rounds,
        step: run.step,
        total_steps: run.config.total_steps,
        pause_asked: run.pause_requested == 1,
        active: u32::from(run.active),
        min_members: u32::from(run.config.min_members),
        draws_failed: failed,
    };
    let (next, rounds) = after_settle(&view);
    if view.training_rounds.is_none() && rounds.is_some() {
        run.end_reason = end_reason(&view) as u8;
    }
    (next, rounds)
}

fn end_reason(view: &SettledView) -> EndReason {
    if view.draws_failed {
        EndReason::WitnessesFailed
    } else if view.active < view.min_members {
        EndReason::TooFewMembers
    } else if view.pause_asked {
        EndReason::Pause
    } else if view.step >= view.total_steps {
        EndReason::TotalSteps
    } else {
        EndReason::EpochRounds
    }
}

/// What came out of the tally.
#[derive(Default)]
struct Counted {
    payloads: u16,
    sequences: u32,
    tokens: u64,
    loss: u64,
    milliseconds: u32,
}

fn settle_target(world: &mut World, target: u32, failed: bool) -> Result<()> {
    let before = world.run.chain_hash;
    let mut returned = Vec::new();
    let mut record = world.rounds.record(target)?;
    let tally = tally_of(&record, failed);
    let counted = count(&mut record, world.roster, &tally, &mut returned);
    let after = hash(&record, &before)?;
    let header = &mut *record.header;
    header.chain_hash_before = before;
    header.chain_hash_after = after;
    header.accepted = counted.payloads;
    header.sequences_accepted = counted.sequences;
    header.settled = 1;
    header.failed = u8::from(failed);
    let (segments, pieces) = (header.segments, usize::from(header.segment_count));
    let sequences = u64::from(header.sequences);
    tell(world.key, &record, &counted);
    world.run.chain_hash = after;
    account(world, &counted, sequences)?;
    for (first, end) in returned {
        give_back(world, &segments, pieces, first, end)?;
    }
    if !failed {
        round::count_silences(world, target)?;
    }
    Ok(())
}

fn give_back(
    world: &mut World,
    segments: &[Interval; SEGMENTS],
    pieces: usize,
    first: u32,
    end: u32,
) -> Result<()> {
    round::give_back(world, segments, pieces, first, end)
}

/// Moves the round's positions out of flight; those accepted are done.
fn account(world: &mut World, counted: &Counted, sequences: u64) -> Result<()> {
    let run = &mut *world.run;
    run.in_flight = run
        .in_flight
        .checked_sub(sequences)
        .ok_or(CoordinatorError::Overflow)?;
    run.accepted = run
        .accepted
        .checked_add(u64::from(counted.sequences))
        .ok_or(CoordinatorError::Overflow)?;
    Ok(())
}

fn tally_of(record: &Record, failed: bool) -> Tally {
    let header = &*record.header;
    if failed {
        Tally::new(0, 0)
    } else if header.committed == 0 {
        Tally::nothing_committed()
    } else {
        Tally::new(u32::from(header.witnesses), header.attested.count_ones())
    }
}

/// Goes over the shares in drawn order: accepts, blames, and lists what goes back.
fn count(
    record: &mut Record,
    roster: &mut [RosterEntry],
    tally: &Tally,
    returned: &mut Vec<(u32, u32)>,
) -> Counted {
    let mut sum = Counted::default();
    let mut start = 0_u32;
    let trainers = usize::from(record.header.trainers);
    let shares = record.order.iter().zip(record.share_end.iter());
    for (slot, end) in shares.take(trainers) {
        let share = (start, *end);
        start = *end;
        if share.0 >= share.1 {
            continue;
        }
        let slot = usize::from(*slot);
        let Some(votes) = record.mask.get(slot).map(|mask| mask.count_ones()) else {
            continue;
        };
        let committed = bit(record.committed, slot);
        let mut outcome = tally.outcome(committed, bit(record.rejected, slot), votes);
        if outcome == Outcome::Missed && !committed && bit(record.gone, slot) {
            outcome = Outcome::Returned;
        }
        let id = record.member_id.get(slot).copied();
        let trainer = roster
            .get_mut(slot)
            .filter(|entry| Some(entry.member_id) == id);
        if let Some(entry) = trainer {
            judge(entry, outcome);
        }
        if outcome == Outcome::Accepted {
            set_bit(record.accepted, slot, true);
            sum.payloads = sum.payloads.saturating_add(1);
            sum.sequences = sum
                .sequences
                .saturating_add(share.1.saturating_sub(share.0));
            let read = |column: &[u32]| column.get(slot).copied().unwrap_or(0);
            sum.tokens = sum.tokens.saturating_add(u64::from(read(record.tokens)));
            sum.loss = sum
                .loss
                .saturating_add(u64::from(read(record.loss_micronats)));
            sum.milliseconds = sum.milliseconds.max(read(record.milliseconds));
        } else {
            // Neighbours go back together.
            match returned.last_mut() {
                Some(last) if last.1 == share.0 => last.1 = share.1,
                _ => returned.push(share),
            }
        }
    }
    sum
}

/// What an outcome means for its trainer.
fn judge(entry: &mut RosterEntry, outcome: Outcome) {
    match outcome {
        Outcome::Accepted => {
            entry.misses = 0;
            entry.weight = grown_weight(entry.weight, entry.declared_weight);
        }
        Outcome::Missed => {
            entry.misses = entry.misses.saturating_add(1);
            entry.weight = halved_weight(entry.weight);
        }
        Outcome::Returned => {}
    }
}

fn hash(record: &Record, before: &[u8; 32]) -> Result<[u8; 32]> {
    let head = chain_head(before, record.header.epoch, record.header.round);
    let mut parts: Vec<&[u8]> = vec![&[]; chain_parts(record.commitment.len())];
    chain_hash(&head, record.accepted, record.commitment, &mut parts)
        .ok_or_else(|| error!(CoordinatorError::LayoutMismatch))
}

fn tell(run: Pubkey, record: &Record, counted: &Counted) {
    let header = &*record.header;
    let mean = counted
        .loss
        .checked_div(u64::from(counted.payloads))
        .unwrap_or(0);
    emit!(RoundSettled {
        run,
        epoch: header.epoch,
        round: header.round,
        step: header.step,
        accepted: record.accepted.to_vec(),
        committed: record.committed.to_vec(),
        chain_hash_before: header.chain_hash_before,
        chain_hash_after: header.chain_hash_after,
        witnesses: header.witnesses,
        attested: u8::try_from(header.attested.count_ones()).unwrap_or(u8::MAX),
        sequences: header.sequences,
        sequences_accepted: header.sequences_accepted,
        tokens: counted.tokens,
        loss_micronats: u32::try_from(mean).unwrap_or(u32::MAX),
        milliseconds_max: counted.milliseconds,
        failed: header.failed,
    });
}
