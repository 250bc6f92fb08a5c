//! Where an epoch begins and ends.

use anchor_lang::prelude::*;

use super::{
    checkpoint, entropy, finalise, judge, members, plan::seconds_of, returns, round, vote,
};
use crate::{
    events::RatesChanged,
    instructions::set_rates,
    machine::{bits::set_bit, phase::Phase},
    state::{MemberState, VoteKind, VoteStage, ROUNDS_OPEN},
    world::World,
};

/// Enters a phase: its beginning and its deadline.
pub fn enter(world: &mut World, phase: Phase) {
    let run = &mut *world.run;
    run.phase = phase as u8;
    run.phase_started_at = world.now.time;
    run.phase_started_slot = world.now.chain_slot;
    run.phase_deadline = match phase {
        Phase::Paused | Phase::Finished | Phase::WaitingForMembers => 0,
        Phase::Warmup | Phase::Train | Phase::Witness | Phase::Cooldown => world
            .now
            .time
            .saturating_add(i64::from(seconds_of(phase, &run.config))),
    };
    if matches!(
        phase,
        Phase::Paused | Phase::Finished | Phase::WaitingForMembers
    ) {
        vote::suspend(world);
    }
    let run = &mut *world.run;
    if phase == Phase::WaitingForMembers {
        run.waiting_since = 0;
        run.waiting_since_slot = 0;
        world.count_members();
    }
    if phase == Phase::Paused {
        world.run.pause_requested = 0;
        world.run.warmup_failures = 0;
    }
}

/// WaitingForMembers -> Warmup.
pub fn start_warmup(world: &mut World) -> Result<()> {
    enter(world, Phase::Warmup);
    let run = &mut *world.run;
    run.warmup_member_id = run.next_member_id;
    run.entropy_target_slot = entropy::target_slot(world.now.chain_slot);
    run.entropy_stored = 0;
    run.entropy = [0; 32];
    vote::reopen(world);
    Ok(())
}

/// Warmup -> Train of round 0.
pub fn start(world: &mut World) -> Result<()> {
    vote::close(world)?;
    let first = world.run.warmup_member_id;
    if world.run.joined.saturating_add(world.run.behind) > 0 {
        members::drop_where(world, |entry| {
            entry.member_id < first && is_unready(entry.state)
        })?;
    }
    world.run.warmup_failures = 0;
    world.run.rounds_in_epoch = ROUNDS_OPEN;
    world.run.end_reason = 0;
    let newcomers = members::admit(world, 0)?;
    round::start(world, 0, &newcomers)
}

/// Warmup -> WaitingForMembers, or Paused.
pub fn fail_warmup(world: &mut World, to: Phase) -> Result<()> {
    vote::decide(world)?;
    members::drop_where(world, |entry| is_unready(entry.state))?;
    world.run.warmup_failures = world.run.warmup_failures.saturating_add(1);
    enter(world, to);
    Ok(())
}

fn is_unready(state: u8) -> bool {
    state == MemberState::Joined as u8 || state == MemberState::Behind as u8
}

/// Settle -> Cooldown; who was Active votes.
pub fn start_cooldown(world: &mut World, round: u32) -> Result<()> {
    vote::close(world)?;
    world.run.round = round;
    enter(world, Phase::Cooldown);
    checkpoint::begin(world);
    vote::open(world, VoteKind::Cooldown);
    Ok(())
}

/// Cooldown -> WaitingForMembers, Paused or Finished.
pub fn end(world: &mut World, to: Phase) -> Result<()> {
    vote::decide(world)?;
    checkpoint::finish(world);
    let agreed = (world.run.vote.agreed == 1).then_some(world.run.agreed.digest);
    let (mut readied, mut others) = (members::no_slots(world), members::no_slots(world));
    let (run, now) = (&mut *world.run, world.now);
    for (slot, entry) in world.roster.iter_mut().enumerate() {
        entry.silences = 0;
        if entry.state == MemberState::Active as u8 {
            entry.epochs_served = entry.epochs_served.saturating_add(1);
            let ready = agreed.is_some_and(|digest| vote::said(entry, &digest));
            let (state, slots) = if ready {
                (MemberState::Ready, &mut readied)
            } else {
                (MemberState::Joined, &mut others)
            };
            crate::world::change_state(run, entry, state, now);
            set_bit(slots, slot, true);
        }
    }
    members::tell_changed(world, MemberState::Ready, readied);
    members::tell_changed(world, MemberState::Joined, others);
    next_epoch(world);
    world.run.pause_requested = 0;
    enter(world, to);
    Ok(())
}

fn next_epoch(world: &mut World) {
    world.rounds.clear_all();
    let run = &mut *world.run;
    run.epoch = run.epoch.saturating_add(1);
    if let Some((before, after)) = set_rates::adopt(run) {
        emit!(RatesChanged {
            run: world.key,
            epoch: run.epoch,
            before,
            after,
        });
    }
    run.round = 0;
    run.rounds_in_epoch = ROUNDS_OPEN;
    run.end_reason = 0;
    run.grace_since = 0;
    run.grace_since_slot = 0;
}

/// Any phase -> Paused; what is in flight goes to the backlog, and who was Active is Joined.
///
/// In Warmup and Cooldown the vote is decided by the words that were opened; with rounds in flight
/// an abort is dear enough. No vote goes on.
///
/// # Errors
/// Those of a broken account.
pub fn abort(world: &mut World) -> Result<()> {
    if matches!(world.phase()?, Phase::Warmup | Phase::Cooldown) {
        vote::decide(world)?;
    }
    for index in 0..4 {
        let header = &*world.rounds.record(index)?.header;
        if header.valid == 0 {
            continue;
        }
        if header.settled == 1 {
            if header.returned_to < header.sequences {
                returns::give_back_all(world, index)?;
            }
            continue;
        }
        let (segments, sequences) = (header.segments, header.sequences);
        let count = usize::from(header.segment_count);
        round::give_back(world, &segments, count, &[(0, sequences)])?;
        world.run.in_flight = world.run.in_flight.saturating_sub(u64::from(sequences));
    }
    while let Some(round) = finalise::next(world) {
        if judge::is_due(world.rounds.header(round)?) {
            judge::judge(world, round)?;
        }
        finalise::finalise(world, round)?;
    }
    checkpoint::finish(world);
    vote::forget(world);
    let mut joined = members::no_slots(world);
    let (run, now) = (&mut *world.run, world.now);
    for (slot, entry) in world.roster.iter_mut().enumerate() {
        entry.silences = 0;
        entry.vote_stage = VoteStage::None as u8;
        if entry.state == MemberState::Active as u8 {
            crate::world::change_state(run, entry, MemberState::Joined, now);
            set_bit(&mut joined, slot, true);
        }
    }
    members::tell_changed(world, MemberState::Joined, joined);
    next_epoch(world);
    enter(world, Phase::Paused);
    Ok(())
}
