//! Accepted payloads that are nowhere to be had: they leave the accepted set.

use anchor_lang::prelude::*;

use super::{round, tally, vote};
use crate::{
    errors::CoordinatorError,
    events::{MissingReported, PayloadRemoved},
    machine::{
        bits::{bit, set_bit},
        complaint::{is_missing, place_for},
        hash::{chain_hash, chain_head, chain_parts, Hash},
    },
    state::{MemberState, RosterEntry, RoundsMut, VoteKind, COMPLAINTS, RECORDS},
    world::World,
};

/// Checks that payloads of a round can be missed now.
///
/// # Errors
/// `WrongRound` if its record is not kept, `ComplaintClosed`.
pub fn check_open(world: &World, epoch: u32, round: u32) -> Result<()> {
    let header = world.rounds.header(round)?;
    let kept = epoch == world.run.epoch && header.valid == 1 && header.round == round;
    require!(kept, CoordinatorError::WrongRound);
    // Whoever agreed on parameters that hold a payload has it, and they stay agreed.
    let [older, newer] = &world.run.snapshots;
    let agreed = [&world.run.agreed, newer, older]
        .iter()
        .any(|kept| kept.valid == 1 && kept.epoch == epoch && holds(world, kept.round, round));
    let open = header.settled == 1 && header.judged == 0 && header.finalised == 0 && !agreed;
    require!(open, CoordinatorError::ComplaintClosed);
    Ok(())
}

/// Whether the parameters with which `begun` trains hold the payloads of `round`.
fn holds(world: &World, begun: u32, round: u32) -> bool {
    round.saturating_add(age(world)) <= begun
}

/// Rounds from one to the first that trains on its payloads.
fn age(world: &World) -> u32 {
    u32::from(world.run.config.overlap).saturating_add(1)
}

/// Notes that a member misses an accepted payload, which goes if enough do.
///
/// # Errors
/// `ComplaintSpent`, or those of a broken account.
pub fn report(world: &mut World, round: u32, slot: u16, target: u16) -> Result<()> {
    let (key, active) = (world.key, u32::from(world.run.active));
    let complaints = world.rounds.complaints(round)?;
    let standing = complaints.place_of(target);
    let place = match standing {
        Some(place) => place,
        None => open(world, round, slot, target)?,
    };
    let mut complaints = world.rounds.complaints(round)?;
    let epoch = complaints.header.epoch;
    let field = complaints
        .voices
        .get_mut(place)
        .ok_or(CoordinatorError::IndexOutOfRange)?;
    let repeated = bit(field, usize::from(slot));
    set_bit(field, usize::from(slot), true);
    let voices = count(world.roster, field);
    if !repeated {
        world.seen(slot)?;
        emit!(MissingReported {
            run: key,
            epoch,
            round,
            target,
            slot,
            voices: u16::try_from(voices).unwrap_or(u16::MAX),
            active: world.run.active,
        });
    }
    if is_missing(voices, active) {
        world.rounds.complaints(round)?.set(place, None);
        remove(world, round, target)?;
    }
    Ok(())
}

/// Opens a complaint; the one with the fewest voices gives way where there is no room. A member
/// opens one a round, so whoever wants to crowd out others is done after a while.
fn open(world: &mut World, round: u32, slot: u16, target: u16) -> Result<usize> {
    let mut complaints = world.rounds.complaints(round)?;
    require!(
        !bit(complaints.openers, usize::from(slot)),
        CoordinatorError::ComplaintSpent
    );
    set_bit(complaints.openers, usize::from(slot), true);
    let mut voices = [0_u32; COMPLAINTS];
    for (sum, field) in voices.iter_mut().zip(&complaints.voices) {
        *sum = count(world.roster, field);
    }
    let place = place_for(complaints.header.complaints, &voices)
        .ok_or(CoordinatorError::IndexOutOfRange)?;
    complaints.set(place, Some(target));
    Ok(place)
}

/// How many of those in a bit field by slot are Active. A slot is not given to another member
/// while a record names it, so a bit is still its member's.
fn count(roster: &[RosterEntry], field: &[u8]) -> u32 {
    let active = MemberState::Active as u8;
    let mut sum = 0_u32;
    for (entries, byte) in roster.as_chunks::<8>().0.iter().zip(field.iter()) {
        let mut rest = *byte;
        for entry in entries {
            if rest == 0 {
                break;
            }
            sum = sum.wrapping_add(u32::from(rest & 1 == 1 && entry.state == active));
            rest >>= 1;
        }
    }
    sum
}

/// Takes a payload out of the accepted set of a settled round.
fn remove(world: &mut World, round: u32, target: u16) -> Result<()> {
    let chain_hash_before = world.run.chain_hash;
    let record = world.rounds.record(round)?;
    let place = usize::from(target);
    let member_id = record.member_id.get(place).copied().unwrap_or(0);
    let (first, end) = record
        .share_of(target, member_id)
        .ok_or(CoordinatorError::IndexOutOfRange)?;
    let sequences = end.saturating_sub(first);
    set_bit(record.accepted, place, false);
    let header = record.header;
    header.accepted = header.accepted.saturating_sub(1);
    header.sequences_accepted = header.sequences_accepted.saturating_sub(sequences);
    header.belied |= record.mask.get(place).copied().unwrap_or(0);
    let (segments, count) = (header.segments, usize::from(header.segment_count));
    let passed = end <= header.returned_to;
    let (epoch, sequences_accepted) = (header.epoch, header.sequences_accepted);
    let run = &mut *world.run;
    run.accepted = run
        .accepted
        .checked_sub(u64::from(sequences))
        .ok_or(CoordinatorError::Overflow)?;
    if passed {
        round::give_back(world, &segments, count, &[(first, end)])?;
    } else {
        // What was not accepted is on its way back, and comes to this share later.
        run.in_flight = run
            .in_flight
            .checked_add(u64::from(sequences))
            .ok_or(CoordinatorError::Overflow)?;
    }
    let entry = world.entry(target)?;
    if entry.member_id == member_id {
        tally::blame(entry);
        entry.rounds_served = entry.rounds_served.saturating_sub(1);
    }
    rehash(world, round)?;
    void_vote(world, epoch, round)?;
    emit!(PayloadRemoved {
        run: world.key,
        epoch,
        round,
        target,
        member_id,
        sequences,
        sequences_accepted,
        chain_hash_before,
        chain_hash_after: world.run.chain_hash,
    });
    Ok(())
}

/// Computes the chain hashes of a settled round, and of all that came after it, anew.
fn rehash(world: &mut World, from: u32) -> Result<()> {
    let first = world.rounds.header(from)?.chain_hash_before;
    let hashes = chain_hashes(&world.rounds, from, first)?;
    let after = |round: u32| {
        let place = round
            .checked_sub(from)
            .and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| hashes.get(place)).copied()
    };
    let age = age(world);
    for place in 0..u32::try_from(RECORDS).unwrap_or(0) {
        let round = from.saturating_add(place);
        let header = world.rounds.record(round)?.header;
        if header.valid == 0 || header.round != round {
            break;
        }
        if let Some(hash) = after(round) {
            header.chain_hash_after = hash;
            let before = round.checked_sub(1).and_then(after);
            header.chain_hash_before = before.unwrap_or(first);
        } else if let Some(begun) = round.checked_sub(age).and_then(after) {
            // It began with what the newest round that had settled left.
            header.chain_hash_before = begun;
        }
    }
    world.run.chain_hash = hashes.last().copied().unwrap_or(first);
    Ok(())
}

/// The chain hashes after the settled rounds from `from` on, the one before which is given.
fn chain_hashes(rounds: &RoundsMut, from: u32, before: Hash) -> Result<Vec<Hash>> {
    // The same scratch for all: a program has 32 KiB, and gets back nothing that it gave up.
    let mut parts: Vec<&[u8]> = vec![&[]; chain_parts(usize::from(rounds.capacity))];
    let mut heads = [[0; 40]; RECORDS];
    let mut hashes = Vec::with_capacity(RECORDS);
    for (round, head) in (from..).zip(&mut heads) {
        let header = rounds.header(round)?;
        if header.valid == 0 || header.round != round || header.settled == 0 {
            break;
        }
        let previous = hashes.last().unwrap_or(&before);
        *head = chain_head(previous, header.epoch, round);
        let (accepted, commitments) = rounds.applied(round)?;
        let hash = chain_hash(head, accepted, commitments, &mut parts);
        hashes.push(hash.ok_or(CoordinatorError::LayoutMismatch)?);
    }
    Ok(hashes)
}

/// A vote on parameters that held the payload is about others now, and begins again if it is open.
fn void_vote(world: &mut World, epoch: u32, round: u32) -> Result<()> {
    let vote = &world.run.vote;
    let about = vote.kind != VoteKind::None as u8 && vote.epoch == epoch;
    if about && holds(world, vote.round, round) {
        let newest = vote.round.saturating_sub(age(world));
        world.run.vote.chain_hash = world.rounds.header(newest)?.chain_hash_after;
        vote::void(world);
    }
    Ok(())
}
