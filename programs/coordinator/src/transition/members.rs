//! Members that are admitted, dropped, or go.

use anchor_lang::prelude::*;

use super::begin_grace;
use crate::{
    errors::CoordinatorError,
    events::{Admitted, Dropped, MembersChanged},
    machine::{
        bits::{bit, set_bit},
        phase::{Moment, Phase},
        shares::{first_weight, lower_median},
    },
    state::{MemberState, Record, RosterEntry, RECORDS},
    world::{change_state, World},
};

/// Members that were admitted without an earned weight.
#[derive(Default)]
pub struct Newcomers {
    count: u16,
    /// A bit a slot.
    slots: Vec<u8>,
}

/// Ready members become Active, in slot order; they take part from `round` on.
///
/// Who has no earned weight keeps none for now: [`place_newcomers`] finds it, once the weights are
/// gathered anyway.
pub fn admit(world: &mut World, round: u32) -> Result<Newcomers> {
    let mut newcomers = Newcomers::default();
    if world.run.ready == 0 {
        return Ok(newcomers);
    }
    let mut slots = vec![0_u8; usize::from(world.run.capacity) / 8];
    let (run, now) = (&mut *world.run, world.now);
    newcomers.slots = vec![0_u8; slots.len()];
    let mut admitted = 0_u16;
    let groups = world.roster.as_chunks_mut::<8>().0.iter_mut();
    let fields = slots.iter_mut().zip(newcomers.slots.iter_mut());
    for (entries, (bits, new)) in groups.zip(fields) {
        let (mut one, mut fresh) = (1_u8, 0_u8);
        for entry in entries {
            if entry.state == MemberState::Ready as u8 {
                entry.state = MemberState::Active as u8;
                entry.state_since = now.time;
                entry.state_since_slot = now.chain_slot;
                entry.admitted_epoch = run.epoch;
                entry.admitted_round = round;
                if entry.weight == 0 {
                    newcomers.count = newcomers.count.wrapping_add(1);
                    fresh |= one;
                }
                admitted = admitted.wrapping_add(1);
                *bits |= one;
            }
            one = one.wrapping_shl(1);
        }
        *new = fresh;
    }
    run.ready = run.ready.saturating_sub(admitted);
    run.active = run.active.saturating_add(admitted);
    emit!(Admitted {
        run: world.key,
        epoch: world.run.epoch,
        round,
        slots
    });
    Ok(newcomers)
}

/// Who was admitted without an earned weight begins with the smaller of its declared one and the
/// median of those that have one; `weights` are those of all `active` who take part, by slot.
pub fn place_newcomers(
    roster: &mut [RosterEntry],
    weights: &mut [u16],
    newcomers: &Newcomers,
    active: u16,
) {
    if newcomers.count == 0 {
        return;
    }
    // Newcomers are the zeros: if there is nobody else they begin with what they declare.
    let median = if newcomers.count == active {
        None
    } else {
        lower_median(weights.iter().copied())
    };
    let rows = roster
        .as_chunks_mut::<8>()
        .0
        .iter_mut()
        .zip(weights.as_chunks_mut::<8>().0.iter_mut());
    for ((entries, weights), bits) in rows.zip(&newcomers.slots) {
        let mut bits = *bits;
        if bits == 0 {
            continue;
        }
        for (entry, weight) in entries.iter_mut().zip(weights) {
            if bits & 1 == 1 {
                entry.weight = first_weight(entry.declared_weight, median);
                *weight = entry.weight;
            }
            bits >>= 1;
        }
    }
}

/// A bit field by slot, empty.
pub fn no_slots(world: &World) -> Vec<u8> {
    vec![0_u8; usize::from(world.run.capacity) / 8]
}

/// Tells observers whose state changed with the run, if anybody's did.
pub fn tell_changed(world: &World, state: MemberState, slots: Vec<u8>) {
    if slots.iter().any(|bits| *bits != 0) {
        emit!(MembersChanged {
            run: world.key,
            epoch: world.run.epoch,
            round: world.run.round,
            state_after: state as u8,
            slots,
        });
    }
}

/// Drops every member of which `unfit` says so; says whether there was any.
pub fn drop_where(world: &mut World, unfit: impl Fn(&RosterEntry) -> bool) -> Result<bool> {
    let mut slots = vec![0_u8; usize::from(world.run.capacity) / 8];
    let (run, now) = (&mut *world.run, world.now);
    let mut any = false;
    for (slot, entry) in world.roster.iter_mut().enumerate() {
        if unfit(entry) && MemberState::is_member(entry.state) {
            change_state(run, entry, MemberState::Dropped, now);
            set_bit(&mut slots, slot, true);
            any = true;
        }
    }
    if !any {
        return Ok(false);
    }
    excuse_witnesses(world);
    world.count_members();
    emit!(Dropped {
        run: world.key,
        epoch: world.run.epoch,
        round: world.run.round,
        slots,
    });
    Ok(true)
}

/// Drops who has missed too often, and who has been Joined or Behind too long.
pub fn drop_unfit(world: &mut World) -> Result<bool> {
    let config = &world.run.config;
    let (misses_max, ready_seconds) = (config.misses_max, config.ready_seconds);
    let now = world.now;
    let (joined, behind) = (MemberState::Joined as u8, MemberState::Behind as u8);
    drop_where(world, |entry| {
        // Whatever its state: nobody escapes by going aside before the round settles.
        if entry.misses >= misses_max {
            return true;
        }
        let since = Moment {
            time: entry.state_since,
            chain_slot: entry.state_since_slot,
        };
        (entry.state == joined || entry.state == behind) && since.passed(ready_seconds, now)
    })
}

/// While nothing runs: drops members that were silent for `ready_seconds`.
pub fn drop_silent(world: &mut World) -> Result<bool> {
    let (seconds, now) = (world.run.config.ready_seconds, world.now);
    match world.phase()? {
        Phase::Paused | Phase::Finished => drop_where(world, |entry| {
            let seen = Moment {
                time: entry.last_seen,
                chain_slot: entry.last_seen_slot,
            };
            seen.passed(seconds, now)
        }),
        _ => Ok(false),
    }
}

/// Witnesses of rounds that are not settled, and are no members any more, are not waited for.
fn excuse_witnesses(world: &mut World) {
    for header in world.rounds.headers.iter_mut() {
        if header.valid == 0 || header.settled == 1 {
            continue;
        }
        let elected = header
            .witness_slots
            .iter()
            .zip(header.witness_member_ids.iter());
        let mut mask = 1_u32;
        for (slot, id) in elected.take(usize::from(header.witnesses)) {
            let stays = world
                .roster
                .get(usize::from(*slot))
                .is_some_and(|entry| entry.member_id == *id && MemberState::is_member(entry.state));
            if !stays {
                header.witnesses_gone |= mask;
            }
            mask = mask.wrapping_shl(1);
        }
    }
}

/// Members give up their roles: what they have not committed or attested is not waited for.
///
/// # Errors
/// Those of a broken account.
pub fn depart(world: &mut World, members: &[(u16, u32)]) -> Result<()> {
    for index in 0..RECORDS {
        let index = u32::try_from(index).map_err(|_| CoordinatorError::Overflow)?;
        let header = world.rounds.header(index)?;
        if header.valid == 0 || header.settled == 1 {
            continue;
        }
        let mut record = world.rounds.record(index)?;
        for (slot, member_id) in members {
            excuse(&mut record, *slot, *member_id);
        }
    }
    // Most of those who are left may have committed already.
    begin_grace(world)
}

fn excuse(record: &mut Record, slot: u16, member_id: u32) {
    if let Some(witness) = record.witness_index(slot, member_id) {
        record.header.witnesses_gone |= 1_u32.wrapping_shl(witness);
    }
    // Who had its time to commit and did not has a miss, whatever it says afterwards.
    if record.header.train_closed_at != 0 {
        return;
    }
    let Some((start, end)) = record.share_of(slot, member_id) else {
        return;
    };
    let place = usize::from(slot);
    if start < end && !bit(record.committed, place) && !bit(record.gone, place) {
        set_bit(record.gone, place, true);
        record.header.gone = record.header.gone.saturating_add(1);
        let share = end.saturating_sub(start);
        record.header.sequences_gone = record.header.sequences_gone.saturating_add(share);
    }
}

/// A member cannot be relied on any more: out of its roles, into `state`.
///
/// # Errors
/// Those of a broken account.
pub fn step_aside(world: &mut World, slot: u16, state: MemberState) -> Result<()> {
    let entry = world.entry(slot)?;
    let (member_id, active) = (entry.member_id, entry.state == MemberState::Active as u8);
    if active {
        depart(world, &[(slot, member_id)])?;
    }
    world.set_state(slot, state)?;
    world.count_members();
    Ok(())
}
