//! Audits of a round's payloads: the last column of its record.

use anchor_lang::prelude::*;

use super::{
    columns_bytes, ring_index, MemberState, RosterEntry, RoundHeader, RoundsMut, VERIFIERS,
    VERIFIER_BYTES,
};
use crate::errors::CoordinatorError;

/// Who audits a payload of a round, and what came of it; in drawn order.
#[zero_copy]
#[derive(Debug)]
pub struct Auditor {
    /// Member id.
    pub member_id: u32,
    /// A flag: chain slots from the start of the audited round's Train to the one whose hash draws
    /// the committee.
    pub committee_delay: u32,
    /// Slot.
    pub slot: u16,
    /// Slot of the audited trainer; 65,535: the auditor has nothing to audit, or not yet.
    pub target: u16,
    /// Similarity of index sets that it found, per mille.
    pub jaccard_permille: u16,
    /// Distance of signs, per mille.
    pub hamming_permille: u16,
    /// Distance of values, per mille.
    pub manhattan_permille: u16,
    /// Alignment with its own gradient, per mille; may be negative.
    pub alignment_permille: i16,
    /// A [`Word`](crate::machine::audit::Word).
    pub verdict: u8,
    /// A [`CaseStage`](crate::machine::audit::CaseStage).
    pub case_stage: u8,
    /// Its case's first seat.
    pub first_seat: u8,
    /// Seats of its case.
    pub seats: u8,
}

/// A seat of a committee that judges a flagged payload.
#[zero_copy]
#[derive(Debug)]
pub struct Seat {
    /// sha256(verdict, salt, wallet).
    pub sealed: [u8; 32],
    /// Member id.
    pub member_id: u32,
    /// Slot.
    pub slot: u16,
    /// Similarity of index sets that it found, per mille.
    pub jaccard_permille: u16,
    /// Distance of signs, per mille.
    pub hamming_permille: u16,
    /// Distance of values, per mille.
    pub manhattan_permille: u16,
    /// Alignment with its own gradient, per mille; may be negative.
    pub alignment_permille: i16,
    /// The auditor whose flag opened the case: its place among the auditors.
    pub case: u8,
    /// A [`SeatStage`](crate::machine::audit::SeatStage).
    pub stage: u8,
    /// A [`Word`](crate::machine::audit::Word), once it is opened.
    pub verdict: u8,
    /// For later versions; zero.
    pub reserved: [u8; 7],
}

const _: () = assert!(core::mem::size_of::<Auditor>() == 24);
const _: () = assert!(core::mem::size_of::<Seat>() == 56);
const _: () =
    assert!(core::mem::size_of::<Auditor>() + core::mem::size_of::<Seat>() == VERIFIER_BYTES);

/// Bytes of all auditors' entries.
const AUDITORS_BYTES: usize = VERIFIERS * core::mem::size_of::<Auditor>();

/// The audits of a round, borrowed.
pub struct Audits<'a> {
    /// The record's header.
    pub header: &'a RoundHeader,
    /// The auditors, in drawn order.
    pub auditors: &'a [Auditor],
    /// The seats of its committees, one committee after the other.
    pub seats: &'a [Seat],
}

/// The audits of a round, to be written.
pub struct AuditsMut<'a> {
    /// The record's header.
    pub header: &'a mut RoundHeader,
    /// Room for auditors.
    pub auditors: &'a mut [Auditor],
    /// Room for seats.
    pub seats: &'a mut [Seat],
}

impl RoundsMut<'_> {
    /// The audits of `round`: those auditors and seats that are in use.
    ///
    /// # Errors
    /// `LayoutMismatch` if the bytes are too few for the capacity.
    pub fn audits(&self, round: u32) -> Result<Audits<'_>> {
        let header = self.header(round)?;
        let (first, end) = self.verifiers(round);
        let bytes = self.columns.get(first..end);
        let (auditors, seats) = bytes
            .and_then(|bytes| bytes.split_at_checked(AUDITORS_BYTES))
            .ok_or(CoordinatorError::LayoutMismatch)?;
        let auditors: &[Auditor] = cast(auditors)?;
        let seats: &[Seat] = cast(seats)?;
        Ok(Audits {
            header,
            auditors: auditors
                .get(..usize::from(header.auditors))
                .unwrap_or(auditors),
            seats: seats.get(..usize::from(header.seats)).unwrap_or(seats),
        })
    }

    /// The audits of `round`, with all the room that there is for them.
    ///
    /// # Errors
    /// `LayoutMismatch` if the bytes are too few for the capacity.
    pub fn audits_mut(&mut self, round: u32) -> Result<AuditsMut<'_>> {
        let (first, end) = self.verifiers(round);
        let header = self
            .headers
            .get_mut(ring_index(round))
            .ok_or(CoordinatorError::IndexOutOfRange)?;
        let bytes = self.columns.get_mut(first..end);
        let (auditors, seats) = bytes
            .and_then(|bytes| bytes.split_at_mut_checked(AUDITORS_BYTES))
            .ok_or(CoordinatorError::LayoutMismatch)?;
        Ok(AuditsMut {
            header,
            auditors: crate::world::cast(auditors)?,
            seats: crate::world::cast(seats)?,
        })
    }

    /// Where the verifiers' column of a round begins and ends: it is the last of its record.
    fn verifiers(&self, round: u32) -> (usize, usize) {
        let size = columns_bytes(self.capacity);
        let end = ring_index(round).saturating_add(1).saturating_mul(size);
        let bytes = VERIFIERS.saturating_mul(VERIFIER_BYTES);
        (end.saturating_sub(bytes), end)
    }
}

impl Audits<'_> {
    /// The place of a member among the auditors.
    #[must_use]
    pub fn auditor(&self, slot: u16, member_id: u32) -> Option<usize> {
        let mut auditors = self.auditors.iter();
        auditors.position(|one| one.slot == slot && one.member_id == member_id)
    }

    /// The place of a member's seat in the committee that judges the payload of `target`.
    #[must_use]
    pub fn seat(&self, slot: u16, member_id: u32, target: u16) -> Option<usize> {
        self.seats.iter().position(|seat| {
            let case = self.auditors.get(usize::from(seat.case));
            seat.slot == slot
                && seat.member_id == member_id
                && case.is_some_and(|auditor| auditor.target == target)
        })
    }

    /// The seats of the case that an auditor's flag opened.
    #[must_use]
    pub fn committee(&self, auditor: &Auditor) -> &[Seat] {
        let first = usize::from(auditor.first_seat);
        let end = first.saturating_add(usize::from(auditor.seats));
        self.seats.get(first..end).unwrap_or(&[])
    }
}

/// Whether a slot is still held by the member with this id.
#[must_use]
pub fn still_member(roster: &[RosterEntry], slot: u16, member_id: u32) -> bool {
    roster
        .get(usize::from(slot))
        .is_some_and(|entry| entry.member_id == member_id && MemberState::is_member(entry.state))
}

fn cast<T: bytemuck::Pod>(bytes: &[u8]) -> Result<&[T]> {
    bytemuck::try_cast_slice(bytes).map_err(|_| error!(CoordinatorError::LayoutMismatch))
}
