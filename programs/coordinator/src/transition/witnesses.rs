//! Who attests a round, and who kept silent.

use anchor_lang::prelude::*;

use super::{entropy, epoch::enter};
use crate::{
    errors::CoordinatorError,
    events::WitnessesDrawn,
    machine::{
        bits::{bit, set_bit},
        draw,
        hash::{draw_seed, Purpose},
        phase::Phase,
    },
    state::MemberState,
    world::World,
};

/// Draws the witnesses of `round`, for the `number`th time (1 or 2).
///
/// # Errors
/// Those of a broken account.
pub fn draw(world: &mut World, round: u32, number: u8) -> Result<()> {
    let (instance, epoch) = (world.run.instance, world.run.epoch);
    let misses_max = world.run.config.misses_max;
    let silent = silent_slots(world, round, number)?;
    let mut eligible = Vec::with_capacity(usize::from(world.run.active));
    for (slot, entry) in (0_u16..).zip(world.roster.iter()) {
        let heard = entry.silences < misses_max && !bit(&silent, usize::from(slot));
        if entry.state == MemberState::Active as u8 && heard {
            eligible.push(slot);
        }
    }
    if eligible.is_empty() {
        // Nobody else exists: the silent ones get another chance.
        let all = (0_u16..).zip(world.roster.iter());
        eligible.extend(
            all.filter(|(_, e)| e.state == MemberState::Active as u8)
                .map(|(s, _)| s),
        );
    }
    let record = world.rounds.record(round)?;
    let (purpose, entropy) = if number > 1 {
        (Purpose::SecondWitnesses, &record.header.redraw_entropy)
    } else {
        (Purpose::Witnesses, &record.header.entropy)
    };
    let seed = draw_seed(&instance, epoch, round, purpose, entropy);
    let count = draw::draw_witnesses(seed, &mut eligible, world.run.config.witness_count);
    eligible.truncate(count);
    record.header.witness_slots = [0; 32];
    record.header.witness_member_ids = [0; 32];
    let places = record
        .header
        .witness_slots
        .iter_mut()
        .zip(record.header.witness_member_ids.iter_mut());
    for ((place, id), slot) in places.zip(eligible.iter()) {
        *place = *slot;
        *id = world
            .roster
            .get(usize::from(*slot))
            .map_or(0, |entry| entry.member_id);
    }
    record.header.witnesses = u8::try_from(count).map_err(|_| CoordinatorError::Overflow)?;
    record.header.draws = number;
    record.header.attested = 0;
    record.header.witnesses_gone = 0;
    if number > 1 {
        // By index of the witness: those of the first draw are nobody's.
        record.header.custody_roots = [[0; 32]; 32];
    }
    record.mask.fill(0);
    emit!(WitnessesDrawn {
        run: world.key,
        epoch,
        round,
        draw: number,
        slots: eligible
    });
    Ok(())
}

/// In a second draw: a bit field of the first one's witnesses that said nothing; else empty.
fn silent_slots(world: &World, round: u32, number: u8) -> Result<Vec<u8>> {
    let header = world.rounds.header(round)?;
    let mut silent = Vec::new();
    if number > 1 {
        silent.resize(usize::from(world.run.capacity) / 8, 0);
        for (index, slot) in header.witness_slots.iter().enumerate() {
            let elected = index < usize::from(header.witnesses);
            let mask = 1_u32.wrapping_shl(u32::try_from(index).unwrap_or(0));
            if elected && header.attested & mask == 0 {
                set_bit(&mut silent, usize::from(*slot), true);
            }
        }
    }
    Ok(silent)
}

/// Witness -> Witness: a deadline anew; other witnesses are drawn once a hash is known that nobody
/// knows yet, so that nobody chooses among second draws by who is silent or goes aside.
///
/// # Errors
/// Those of a broken account.
pub fn redraw(world: &mut World) -> Result<()> {
    let target = world.target().ok_or(CoordinatorError::IndexOutOfRange)?;
    count_silences(world, target)?;
    let noted = entropy::target_slot(world.now.chain_slot);
    world.rounds.record(target)?.header.redraw_target_slot = noted;
    enter(world, Phase::Witness);
    Ok(())
}

/// Counts the silences of a draw's witnesses; who attested begins at nothing again.
///
/// # Errors
/// Those of a broken account.
pub fn count_silences(world: &mut World, target: u32) -> Result<()> {
    let header = world.rounds.header(target)?;
    let elected = header
        .witness_slots
        .iter()
        .zip(header.witness_member_ids.iter());
    let mut mask = 1_u32;
    for (slot, id) in elected.take(usize::from(header.witnesses)) {
        if let Some(entry) = world.roster.get_mut(usize::from(*slot)) {
            if entry.member_id == *id && header.attested & mask != 0 {
                entry.silences = 0;
            } else if entry.member_id == *id && MemberState::is_member(entry.state) {
                // Who fell behind meanwhile was not waited for, but was silent all the same.
                entry.silences = entry.silences.saturating_add(1);
            }
        }
        mask = mask.wrapping_shl(1);
    }
    Ok(())
}
