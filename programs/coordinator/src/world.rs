//! A run with its roster and its round records, open for one instruction.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::expect_used,
        clippy::float_arithmetic,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::todo,
        clippy::unwrap_used
    )
)]

use anchor_lang::prelude::*;

use crate::{
    errors::CoordinatorError,
    machine::{
        backlog::Backlog,
        phase::{Moment, Phase},
    },
    state::{
        check_whole, entries_mut, rounds_bytes, MemberState, RosterEntry, RoundHeader, Rounds,
        RoundsHeader, RoundsMut, Run, VoteStage, DISCRIMINATOR_BYTES, RECORDS,
    },
};

/// What an instruction can ask the chain; the host's tests answer by themselves.
#[derive(Clone, Copy)]
pub struct Chain {
    /// The hash of the newest chain slot that is not above the given one.
    pub slot_hash: fn(u64) -> Result<Option<[u8; 32]>>,
}

/// The chain that the program runs on.
pub const CHAIN: Chain = Chain {
    slot_hash: crate::syscalls::slot_hash,
};

/// A run, open.
pub struct World<'a> {
    /// The run's address.
    pub key: Pubkey,
    /// The run.
    pub run: &'a mut Run,
    /// Its members, by slot.
    pub roster: &'a mut [RosterEntry],
    /// Its round records.
    pub rounds: RoundsMut<'a>,
    /// The time.
    pub now: Moment,
    /// What can be asked.
    pub chain: Chain,
}

impl<'a> World<'a> {
    /// Opens a run, which the caller has checked, with its two accounts, if they are whole. Their
    /// bytes include the discriminators.
    ///
    /// # Errors
    /// `WrongVersion`, `RunIncomplete`, `LayoutMismatch`.
    pub fn open(
        key: Pubkey,
        run: &'a mut Run,
        roster: &'a mut [u8],
        rounds: &'a mut [u8],
        now: Moment,
        chain: Chain,
    ) -> Result<Self> {
        let capacity = run.capacity;
        let roster = entries_mut(roster, capacity)?;
        check_whole(rounds, rounds_bytes(capacity))?;
        let fixed = core::mem::size_of::<Rounds>();
        let (headers, columns) = rounds
            .get_mut(DISCRIMINATOR_BYTES..)
            .and_then(|bytes| bytes.split_at_mut_checked(fixed))
            .ok_or(CoordinatorError::LayoutMismatch)?;
        let headers = headers
            .get_mut(core::mem::size_of::<RoundsHeader>()..)
            .ok_or(CoordinatorError::LayoutMismatch)?;
        let headers: &mut [RoundHeader] = cast(headers)?;
        Ok(Self {
            key,
            run,
            roster,
            rounds: RoundsMut {
                capacity,
                headers,
                columns,
            },
            now,
            chain,
        })
    }

    /// The phase.
    ///
    /// # Errors
    /// `LayoutMismatch` for a byte that is none.
    pub fn phase(&self) -> Result<Phase> {
        Phase::from_byte(self.run.phase).ok_or_else(|| error!(CoordinatorError::LayoutMismatch))
    }

    /// The round whose payloads are attested and settled in the present one, if there is one.
    #[must_use]
    pub fn target(&self) -> Option<u32> {
        self.run
            .round
            .checked_sub(u32::from(self.run.config.overlap))
    }

    /// Checks that a member instruction names the present epoch and round.
    ///
    /// # Errors
    /// `WrongRound`.
    pub fn check_round(&self, epoch: u32, round: u32) -> Result<()> {
        let right = epoch == self.run.epoch && round == self.run.round;
        require!(right, CoordinatorError::WrongRound);
        Ok(())
    }

    /// The entry of a slot, after a check that `wallet` holds it.
    ///
    /// # Errors
    /// `UnknownSlot`, `NotYourSlot`, `NotAMember`.
    pub fn member(&mut self, slot: u16, wallet: &Pubkey) -> Result<&mut RosterEntry> {
        member(self.roster, slot, wallet)
    }

    /// Notes that a member was heard of.
    ///
    /// # Errors
    /// `UnknownSlot`.
    pub fn seen(&mut self, slot: u16) -> Result<()> {
        let now = self.now;
        let entry = self.entry(slot)?;
        entry.last_seen = now.time;
        entry.last_seen_slot = now.chain_slot;
        Ok(())
    }

    /// The entry of a slot.
    ///
    /// # Errors
    /// `UnknownSlot`.
    pub fn entry(&mut self, slot: u16) -> Result<&mut RosterEntry> {
        self.roster
            .get_mut(usize::from(slot))
            .ok_or_else(|| error!(CoordinatorError::UnknownSlot))
    }

    /// Whether a record that is kept names the slot.
    ///
    /// # Errors
    /// `UnknownSlot`, `LayoutMismatch`.
    pub fn is_named(&self, slot: u16) -> Result<bool> {
        let entry = self
            .roster
            .get(usize::from(slot))
            .ok_or(CoordinatorError::UnknownSlot)?;
        let kept = u32::try_from(RECORDS).unwrap_or(0);
        // In Cooldown no record is that of the run's round: the four before it are kept.
        let resting = u32::from(self.phase()? == Phase::Cooldown);
        let newest = self.run.round.saturating_sub(resting);
        // Who was never Active has no weight, and no record names it.
        Ok(entry.weight > 0
            && entry.named_epoch == self.run.epoch
            && newest < entry.named_round.saturating_add(kept))
    }

    /// Members: who holds a slot.
    #[must_use]
    pub fn members(&self) -> u32 {
        [
            self.run.joined,
            self.run.ready,
            self.run.active,
            self.run.behind,
        ]
        .iter()
        .fold(0, |sum: u32, count| sum.saturating_add(u32::from(*count)))
    }

    /// Puts a member into another state and keeps the counts.
    ///
    /// # Errors
    /// `UnknownSlot`.
    pub fn set_state(&mut self, slot: u16, state: MemberState) -> Result<()> {
        let (run, now) = (&mut *self.run, self.now);
        let entry = self
            .roster
            .get_mut(usize::from(slot))
            .ok_or(CoordinatorError::UnknownSlot)?;
        change_state(run, entry, state, now);
        Ok(())
    }

    /// The positions to be trained again.
    pub fn backlog(&mut self) -> Backlog<'_> {
        Backlog {
            intervals: &mut self.run.backlog,
            count: &mut self.run.backlog_count,
        }
    }

    /// Notes when enough members are there to start, after their number changed.
    pub fn count_members(&mut self) {
        if self.members() < u32::from(self.run.config.init_min_members) {
            self.run.waiting_since = 0;
            self.run.waiting_since_slot = 0;
        } else if self.run.waiting_since_slot == 0 {
            self.run.waiting_since = self.now.time;
            self.run.waiting_since_slot = self.now.chain_slot;
        }
    }

    /// What must hold after every change, cheap enough to be checked every time.
    ///
    /// # Errors
    /// `InvariantMembers`, `InvariantPositions`.
    pub fn invariant(&self) -> Result<()> {
        let members = self.members();
        // I1: no more members than slots.
        require!(
            members <= u32::from(self.run.capacity),
            CoordinatorError::InvariantMembers
        );
        // I2: fresh cursor + repeated = accepted + in flight + backlog.
        let used = self
            .run
            .backlog
            .iter()
            .take(self.run.backlog_count as usize);
        let waiting = used.fold(0, |sum: u64, interval| {
            sum.saturating_add(interval.positions())
        });
        let drawn = self.run.fresh_cursor.checked_add(self.run.repeated);
        let placed = self
            .run
            .accepted
            .checked_add(self.run.in_flight)
            .and_then(|sum| sum.checked_add(waiting));
        require!(
            drawn.is_some() && drawn == placed,
            CoordinatorError::InvariantPositions
        );
        Ok(())
    }
}

/// The entry of a slot, after a check that `wallet` holds it.
///
/// # Errors
/// `UnknownSlot`, `NotYourSlot`, `NotAMember`.
pub fn member<'a>(
    roster: &'a mut [RosterEntry],
    slot: u16,
    wallet: &Pubkey,
) -> Result<&'a mut RosterEntry> {
    let entry = roster
        .get_mut(usize::from(slot))
        .ok_or(CoordinatorError::UnknownSlot)?;
    require!(entry.wallet == *wallet, CoordinatorError::NotYourSlot);
    require!(
        MemberState::is_member(entry.state),
        CoordinatorError::NotAMember
    );
    Ok(entry)
}

/// Puts an entry into another state and keeps the run's counts.
pub fn change_state(run: &mut Run, entry: &mut RosterEntry, state: MemberState, now: Moment) {
    if let Some(count) = counter(run, entry.state) {
        *count = count.saturating_sub(1);
    }
    entry.state = state as u8;
    entry.state_since = now.time;
    entry.state_since_slot = now.chain_slot;
    if let Some(count) = counter(run, entry.state) {
        *count = count.saturating_add(1);
    } else if entry.vote_stage == VoteStage::May as u8 {
        run.vote.absent = run.vote.absent.saturating_add(1);
        entry.vote_stage = VoteStage::None as u8;
    }
}

fn counter(run: &mut Run, state: u8) -> Option<&mut u16> {
    Some(match state {
        1 => &mut run.joined,
        2 => &mut run.ready,
        3 => &mut run.active,
        4 => &mut run.behind,
        _ => return None,
    })
}

/// The bytes as entries of `T`.
///
/// # Errors
/// `LayoutMismatch`.
pub fn cast<T: bytemuck::Pod>(bytes: &mut [u8]) -> Result<&mut [T]> {
    bytemuck::try_cast_slice_mut(bytes).map_err(|_| error!(CoordinatorError::LayoutMismatch))
}
