//! Published checkpoints: who publishes, what counts, and what the run keeps.

use anchor_lang::prelude::*;

use super::vote;
use crate::{
    errors::CoordinatorError,
    events::{CheckpointKept, CheckpointPublished, PublishersDrawn},
    machine::{
        draw::{shuffle, Words},
        hash::{draw_seed, Purpose},
        phase::Moment,
    },
    state::{
        Checkpoint, MemberState, RosterEntry, VoteStage, CHECKPOINT_URIS, CHECKPOINT_URI_BYTES,
        CONFIRMATIONS_MAX,
    },
    world::World,
};

/// Cooldown begins: its entropy is noted, and nothing is published yet.
pub fn begin(world: &mut World) {
    let target = super::entropy::target_slot(world.now.chain_slot);
    let run = &mut *world.run;
    run.cooldown_entropy_slot = target;
    run.cooldown_entropy_stored = 0;
    run.cooldown_entropy = [0; 32];
    run.publishers = 0;
    run.publisher_slots = [0; CHECKPOINT_URIS];
    run.publisher_member_ids = [0; CHECKPOINT_URIS];
    run.pending_checkpoint = empty();
}

/// Draws two of the members that may vote: those that are Active.
pub fn draw_publishers(world: &mut World) {
    let run = &mut *world.run;
    let mut slots: Vec<u16> = (0_u16..)
        .zip(world.roster.iter())
        .filter(|(_, entry)| entry.state == MemberState::Active as u8)
        .map(|(slot, _)| slot)
        .collect();
    let seed = draw_seed(
        &run.instance,
        run.epoch,
        run.round,
        Purpose::CheckpointPublishers,
        &run.cooldown_entropy,
    );
    shuffle(&mut Words::new(seed), &mut slots, CHECKPOINT_URIS);
    slots.truncate(CHECKPOINT_URIS);
    let places = run
        .publisher_slots
        .iter_mut()
        .zip(run.publisher_member_ids.iter_mut());
    for ((place, id), slot) in places.zip(slots.iter()) {
        *place = *slot;
        *id = world
            .roster
            .get(usize::from(*slot))
            .map_or(0, |entry| entry.member_id);
        run.publishers = run.publishers.saturating_add(1);
    }
    emit!(PublishersDrawn {
        run: world.key,
        epoch: world.run.epoch,
        round: world.run.round,
        slots,
    });
}

/// Whether a member was drawn to publish in this Cooldown.
#[must_use]
pub fn is_publisher(world: &World, slot: u16, member_id: u32) -> bool {
    let run = &*world.run;
    let drawn = run
        .publisher_slots
        .iter()
        .zip(run.publisher_member_ids.iter());
    drawn
        .take(usize::from(run.publishers))
        .any(|(place, id)| (*place, *id) == (slot, member_id))
}

/// Whether half of Cooldown went by: from then on every member that agreed may publish.
#[must_use]
pub fn half_passed(world: &World) -> bool {
    let run = &*world.run;
    let started = Moment {
        time: run.phase_started_at,
        chain_slot: run.phase_started_slot,
    };
    started.passed(run.config.cooldown_seconds / 2, world.now)
}

/// Checks a URI: printable ASCII without a space, of a length that fits.
///
/// # Errors
/// `UriInvalid`.
pub fn check_uri(uri: &str) -> Result<()> {
    let fits = !uri.is_empty() && uri.len() <= CHECKPOINT_URI_BYTES;
    let plain = uri.bytes().all(|byte| byte.is_ascii_graphic());
    require!(fits && plain, CoordinatorError::UriInvalid);
    Ok(())
}

/// Writes a URI into a free place of what is published in this epoch.
///
/// # Errors
/// `PublicationDiffers`, `PublicationsFull`.
pub fn publish(world: &mut World, slot: u16, member_id: u32, uri: &str) -> Result<()> {
    let drawn = is_publisher(world, slot, member_id);
    let (agreed, now) = (world.run.agreed, world.now);
    let pending = &mut world.run.pending_checkpoint;
    if let Some(place) = pending.publishers.iter().position(|id| *id == member_id) {
        let same = uri_of(pending, place) == uri.as_bytes();
        require!(same, CoordinatorError::PublicationDiffers);
        return Ok(());
    }
    let place = pending
        .publishers
        .iter()
        .position(|id| *id == 0)
        .ok_or(CoordinatorError::PublicationsFull)?;
    if pending.valid == 0 {
        pending.step = agreed.step;
        pending.epoch = agreed.epoch;
        pending.round = agreed.round;
        pending.digest = agreed.digest;
        pending.published_at = now.time;
        pending.valid = 1;
    }
    write(pending, place, member_id, uri);
    emit!(CheckpointPublished {
        run: world.key,
        epoch: world.run.epoch,
        step: agreed.step,
        digest: agreed.digest,
        place: u8::try_from(place).unwrap_or(u8::MAX),
        slot,
        member_id,
        drawn: u8::from(drawn),
        uri: uri.to_owned(),
    });
    Ok(())
}

/// The owner's checkpoint: the newest one from now on.
pub fn keep_owners(world: &mut World, uri: &str) {
    let mut checkpoint = empty();
    checkpoint.step = world.run.agreed.step;
    checkpoint.epoch = world.run.agreed.epoch;
    checkpoint.round = world.run.agreed.round;
    checkpoint.digest = world.run.agreed.digest;
    checkpoint.published_at = world.now.time;
    checkpoint.valid = 1;
    write(&mut checkpoint, 0, 0, uri);
    keep(world, checkpoint);
}

/// Whether something that was published in this epoch has the confirmations that it needs.
#[must_use]
pub fn confirmed(world: &World) -> bool {
    let pending = &world.run.pending_checkpoint;
    if pending.valid == 0 {
        return false;
    }
    let needed = needed(world);
    (0..CHECKPOINT_URIS).any(|place| counts(pending, place, needed))
}

/// The epoch is over: what is confirmed is kept, and an unconfirmed URI displaces nothing.
pub fn finish(world: &mut World) {
    let mut found = world.run.pending_checkpoint;
    if found.valid == 0 {
        return;
    }
    let needed = needed(world);
    world.run.pending_checkpoint = empty();
    let [first, second] = [0, 1].map(|place| counts(&found, place, needed));
    if !first && !second {
        return;
    }
    if !second {
        wipe_second(&mut found);
    }
    if !first {
        move_up(&mut found);
    }
    found.confirmations = confirmations_of(&found, 0).saturating_add(confirmations_of(&found, 1));
    keep(world, found);
}

/// How many members confirmed a URI.
#[must_use]
pub fn confirmations_of(checkpoint: &Checkpoint, place: usize) -> u8 {
    let seats = checkpoint
        .confirmed_by
        .as_chunks::<CONFIRMATIONS_MAX>()
        .0
        .get(place);
    seats.map_or(0, |seats| {
        seats
            .iter()
            .fold(0_u8, |sum, id| sum.saturating_add(u8::from(*id != 0)))
    })
}

fn keep(world: &mut World, checkpoint: Checkpoint) {
    let [_, newest] = world.run.checkpoints;
    world.run.checkpoints = [newest, checkpoint];
    emit!(CheckpointKept {
        run: world.key,
        epoch: checkpoint.epoch,
        step_before: newest.step,
        step_after: checkpoint.step,
        digest_before: newest.digest,
        digest_after: checkpoint.digest,
        confirmations: checkpoint.confirmations,
    });
}

fn counts(checkpoint: &Checkpoint, place: usize, needed: u8) -> bool {
    let published = checkpoint.publishers.get(place).is_some_and(|id| *id != 0);
    published && confirmations_of(checkpoint, place) >= needed
}

/// Confirmations that a URI needs: two, or as many as there are other members that agreed.
fn needed(world: &World) -> u8 {
    let others = agreeing(world).saturating_sub(1);
    u8::try_from(others.min(CONFIRMATIONS_MAX)).unwrap_or(u8::MAX)
}

/// Members that said the agreed digest, counted up to three.
fn agreeing(world: &World) -> usize {
    let enough = CONFIRMATIONS_MAX.saturating_add(1);
    let digest = &world.run.agreed.digest;
    let opened = |entry: &&RosterEntry| {
        entry.vote_stage == VoteStage::Revealed as u8
            && entry.vote == *digest
            && MemberState::is_member(entry.state)
    };
    // Opened words first: to compare a sealed one takes a hash.
    let plain = world.roster.iter().filter(opened).take(enough).count();
    if plain == enough {
        return plain;
    }
    let said =
        |entry: &&RosterEntry| MemberState::is_member(entry.state) && vote::said(entry, digest);
    world.roster.iter().filter(said).take(enough).count()
}

fn empty() -> Checkpoint {
    bytemuck::Zeroable::zeroed()
}

fn uri_of(checkpoint: &Checkpoint, place: usize) -> &[u8] {
    let field = if place == 0 {
        &checkpoint.uri_first
    } else {
        &checkpoint.uri_second
    };
    let length = checkpoint.uri_len.get(place).copied().unwrap_or(0);
    field.get(..usize::from(length)).unwrap_or(&[])
}

fn write(checkpoint: &mut Checkpoint, place: usize, publisher: u32, uri: &str) {
    let field = if place == 0 {
        &mut checkpoint.uri_first
    } else {
        &mut checkpoint.uri_second
    };
    let length = uri.len().min(CHECKPOINT_URI_BYTES);
    field.fill(0);
    for (to, from) in field.iter_mut().zip(uri.bytes()) {
        *to = from;
    }
    if let Some(stored) = checkpoint.uri_len.get_mut(place) {
        *stored = u8::try_from(length).unwrap_or(0);
    }
    if let Some(stored) = checkpoint.publishers.get_mut(place) {
        *stored = publisher;
    }
}

fn wipe_second(checkpoint: &mut Checkpoint) {
    let ([first, _], [one, two, _, _]) = (checkpoint.publishers, checkpoint.confirmed_by);
    let [length, _] = checkpoint.uri_len;
    checkpoint.publishers = [first, 0];
    checkpoint.confirmed_by = [one, two, 0, 0];
    checkpoint.uri_len = [length, 0];
    checkpoint.uri_second = [0; CHECKPOINT_URI_BYTES];
}

/// The second URI alone was confirmed: it becomes the first.
fn move_up(checkpoint: &mut Checkpoint) {
    let ([_, second], [_, _, three, four]) = (checkpoint.publishers, checkpoint.confirmed_by);
    let [_, length] = checkpoint.uri_len;
    checkpoint.publishers = [second, 0];
    checkpoint.confirmed_by = [three, four, 0, 0];
    checkpoint.uri_len = [length, 0];
    checkpoint.uri_first = checkpoint.uri_second;
    checkpoint.uri_second = [0; CHECKPOINT_URI_BYTES];
}
