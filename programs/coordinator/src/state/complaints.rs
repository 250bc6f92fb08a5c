//! Complaints about a round's missing payloads: the column before the verifiers.

use anchor_lang::prelude::*;

use super::{columns_bytes, ring_index, Column, RoundHeader, RoundsMut, COMPLAINTS};
use crate::errors::CoordinatorError;

/// The complaints of a round, to be written.
pub struct Complaints<'a> {
    /// The record's header.
    pub header: &'a mut RoundHeader,
    /// For each place, by slot: who joined the complaint in it.
    pub voices: [&'a mut [u8]; COMPLAINTS],
    /// By slot: who opened a complaint.
    pub openers: &'a mut [u8],
}

impl RoundsMut<'_> {
    /// The complaints about `round`. Kept apart from its record: settling needs none of them.
    ///
    /// # Errors
    /// `LayoutMismatch` if the bytes are too few for the capacity.
    pub fn complaints(&mut self, round: u32) -> Result<Complaints<'_>> {
        let block = columns_bytes(self.capacity).saturating_mul(ring_index(round));
        let first = block.saturating_add(Column::Missing.offset(self.capacity));
        let end = first.saturating_add(Column::Missing.bytes(self.capacity));
        let header = self
            .headers
            .get_mut(ring_index(round))
            .ok_or(CoordinatorError::IndexOutOfRange)?;
        let fields = self
            .columns
            .get_mut(first..end)
            .ok_or(CoordinatorError::LayoutMismatch)?;
        let mut fields = fields.chunks_exact_mut(usize::from(self.capacity) / 8);
        let mut next = || fields.next().ok_or(CoordinatorError::LayoutMismatch);
        Ok(Complaints {
            header,
            voices: [next()?, next()?, next()?],
            openers: next()?,
        })
    }
}

impl Complaints<'_> {
    /// The place of the complaint about the payload of `target`, if one stands.
    #[must_use]
    pub fn place_of(&self, target: u16) -> Option<usize> {
        let slots = self.header.complaint_slots.iter();
        slots
            .zip([1_u8, 2, 4])
            .position(|(slot, one)| self.header.complaints & one != 0 && *slot == target)
    }

    /// Empties a place, and gives it to a complaint about `target`, or to none.
    pub fn set(&mut self, place: usize, target: Option<u16>) {
        let one = 1_u8.wrapping_shl(u32::try_from(place).unwrap_or(0));
        if let Some(field) = self.voices.get_mut(place) {
            field.fill(0);
        }
        if let Some(slot) = self.header.complaint_slots.get_mut(place) {
            *slot = target.unwrap_or(0);
        }
        if target.is_some() {
            self.header.complaints |= one;
        } else {
            self.header.complaints &= !one;
        }
    }
}
