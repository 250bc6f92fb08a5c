//! A round's record with its columns, borrowed from the account's bytes.

use anchor_lang::prelude::*;
use bytemuck::AnyBitPattern;

use super::{columns_bytes, Column, RoundHeader, NO_POSITION, RECORDS};
use crate::errors::CoordinatorError;

/// The ring of records, borrowed.
pub struct RoundsMut<'a> {
    /// Entries in each column.
    pub capacity: u16,
    /// The records' headers.
    pub headers: &'a mut [RoundHeader],
    /// The four blocks of columns.
    pub columns: &'a mut [u8],
}

/// One record; see [`Column`] for what the fields hold.
#[allow(missing_docs)]
pub struct Record<'a> {
    pub header: &'a mut RoundHeader,
    pub commitment: &'a mut [[u8; 32]],
    pub bytes: &'a mut [u32],
    pub loss_micronats: &'a mut [u32],
    pub tokens: &'a mut [u32],
    pub milliseconds: &'a mut [u32],
    pub mask: &'a mut [u32],
    pub member_id: &'a mut [u32],
    pub share_end: &'a mut [u32],
    pub position: &'a mut [u16],
    pub order: &'a mut [u16],
    pub committed: &'a mut [u8],
    pub accepted: &'a mut [u8],
    pub rejected: &'a mut [u8],
    pub gone: &'a mut [u8],
}

impl RoundsMut<'_> {
    /// The header of the record that holds `round`.
    ///
    /// # Errors
    /// `IndexOutOfRange`, which cannot happen.
    pub fn header(&self, round: u32) -> Result<&RoundHeader> {
        self.headers
            .get(ring_index(round))
            .ok_or_else(|| error!(CoordinatorError::IndexOutOfRange))
    }

    /// The record that holds `round`, with its columns.
    ///
    /// # Errors
    /// `LayoutMismatch` if the bytes are too few for the capacity.
    pub fn record(&mut self, round: u32) -> Result<Record<'_>> {
        let index = ring_index(round);
        let size = columns_bytes(self.capacity);
        let first = index.saturating_mul(size);
        let mut rest = self
            .columns
            .get_mut(first..first.saturating_add(size))
            .ok_or(CoordinatorError::LayoutMismatch)?;
        let header = self
            .headers
            .get_mut(index)
            .ok_or(CoordinatorError::IndexOutOfRange)?;
        let (rest, capacity) = (&mut rest, self.capacity);
        Ok(Record {
            header,
            commitment: column(rest, Column::Commitment, capacity)?,
            bytes: column(rest, Column::Bytes, capacity)?,
            loss_micronats: column(rest, Column::LossMicronats, capacity)?,
            tokens: column(rest, Column::Tokens, capacity)?,
            milliseconds: column(rest, Column::Milliseconds, capacity)?,
            mask: column(rest, Column::Mask, capacity)?,
            member_id: column(rest, Column::MemberId, capacity)?,
            share_end: column(rest, Column::ShareEnd, capacity)?,
            position: column(rest, Column::Position, capacity)?,
            order: column(rest, Column::Order, capacity)?,
            committed: column(rest, Column::Committed, capacity)?,
            accepted: column(rest, Column::Accepted, capacity)?,
            rejected: column(rest, Column::Rejected, capacity)?,
            gone: column(rest, Column::Gone, capacity)?,
        })
    }

    /// What the chain hash of `round` covers: its accepted bit field, and commitments by slot.
    ///
    /// # Errors
    /// `LayoutMismatch` if the bytes are too few for the capacity.
    pub fn applied(&self, round: u32) -> Result<(&[u8], &[[u8; 32]])> {
        let block = columns_bytes(self.capacity).saturating_mul(ring_index(round));
        let bytes = |column: Column| {
            let first = block.saturating_add(column.offset(self.capacity));
            let end = first.saturating_add(column.bytes(self.capacity));
            self.columns
                .get(first..end)
                .ok_or(CoordinatorError::LayoutMismatch)
        };
        let (commitments, _) = bytes(Column::Commitment)?.as_chunks();
        Ok((bytes(Column::Accepted)?, commitments))
    }

    /// Zeroes the record that will hold `round`, columns included, and marks nobody as trainer.
    ///
    /// # Errors
    /// Those of [`Self::record`].
    pub fn clear(&mut self, round: u32) -> Result<Record<'_>> {
        let size = columns_bytes(self.capacity);
        let first = ring_index(round).saturating_mul(size);
        self.columns
            .get_mut(first..first.saturating_add(size))
            .ok_or(CoordinatorError::LayoutMismatch)?
            .fill(0);
        let record = self.record(round)?;
        bytemuck::bytes_of_mut(record.header).fill(0);
        record.position.fill(NO_POSITION);
        Ok(record)
    }

    /// Zeroes all records.
    pub fn clear_all(&mut self) {
        for header in self.headers.iter_mut() {
            bytemuck::bytes_of_mut(header).fill(0);
        }
        self.columns.fill(0);
    }
}

impl Record<'_> {
    /// The offsets of the share of drawn position `position`.
    #[must_use]
    pub fn share(&self, position: u16) -> (u32, u32) {
        let position = usize::from(position);
        let end = self.share_end.get(position).copied().unwrap_or(0);
        let start = position
            .checked_sub(1)
            .and_then(|before| self.share_end.get(before))
            .copied()
            .unwrap_or(0);
        (start, end)
    }

    /// The share of a slot if it trains in this round under this member id.
    #[must_use]
    pub fn share_of(&self, slot: u16, member_id: u32) -> Option<(u32, u32)> {
        let position = *self.position.get(usize::from(slot))?;
        let holder = *self.member_id.get(usize::from(slot))?;
        (position != NO_POSITION && holder == member_id).then(|| self.share(position))
    }

    /// The bit of a member among the elected witnesses.
    #[must_use]
    pub fn witness_index(&self, slot: u16, member_id: u32) -> Option<u32> {
        self.header
            .witness_slots
            .iter()
            .zip(self.header.witness_member_ids.iter())
            .take(usize::from(self.header.witnesses))
            .position(|(witness, id)| *witness == slot && *id == member_id)
            .and_then(|index| u32::try_from(index).ok())
    }
}

impl RoundHeader {
    /// Whether a second witness draw was decided and waits for its entropy.
    #[must_use]
    pub const fn redraws(&self) -> bool {
        self.redraw_target_slot != 0 && self.draws < 2
    }
}

/// The place of a round in the ring.
#[must_use]
pub const fn ring_index(round: u32) -> usize {
    (round as usize) % RECORDS
}

/// Takes a column off the front of `rest`.
fn column<'a, T: AnyBitPattern + bytemuck::NoUninit>(
    rest: &mut &'a mut [u8],
    column: Column,
    capacity: u16,
) -> Result<&'a mut [T]> {
    let (front, back) = core::mem::take(rest)
        .split_at_mut_checked(column.bytes(capacity))
        .ok_or(CoordinatorError::LayoutMismatch)?;
    *rest = back;
    bytemuck::try_cast_slice_mut(front).map_err(|_| error!(CoordinatorError::LayoutMismatch))
}
