//! What a finalised round is worth.

/// The points of a share of `sequences`.
#[must_use]
pub const fn share_points(sequences: u32, rate: u32) -> u64 {
    (sequences as u64).saturating_mul(rate as u64)
}

/// The witnesses, as a mask, that hold every accepted payload; none where nothing was accepted.
///
/// `accepted` has a bit a slot, `masks` an entry a slot: the witnesses that hold its payload.
#[must_use]
pub fn holders_of_all(accepted: &[u8], masks: &[u32]) -> u32 {
    let (mut all, mut any) = (u32::MAX, 0_u8);
    for (accepted, masks) in accepted.iter().zip(masks.as_chunks::<8>().0) {
        any |= *accepted;
        if *accepted == u8::MAX {
            all &= masks.iter().fold(u32::MAX, |all, mask| all & mask);
            continue;
        }
        let mut rest = *accepted;
        for mask in masks {
            if rest == 0 {
                break;
            }
            if rest & 1 == 1 {
                all &= mask;
            }
            rest >>= 1;
        }
    }
    if any == 0 {
        0
    } else {
        all
    }
}

/// What a round has to be finalised for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worth {
    /// Payloads accepted.
    pub accepted: u32,
    /// Mask of the witnesses that attested.
    pub attested: u32,
    /// Verdicts of auditors.
    pub verdicts: u32,
    /// Cases that were opened.
    pub cases: u32,
    /// Points for an accepted sequence.
    pub per_sequence: u32,
    /// Points for an attestation.
    pub per_attestation: u32,
    /// Points for a verdict.
    pub per_verdict: u32,
}

impl Worth {
    /// Whether there is anything to credit or to decide; else nothing has to be done.
    #[must_use]
    pub const fn any(&self) -> bool {
        let trained = self.per_sequence > 0 && self.accepted > 0;
        let attested = self.per_attestation > 0 && self.attested != 0 && self.accepted > 0;
        let audited = self.per_verdict > 0 && self.verdicts > 0;
        trained || attested || audited || self.cases > 0
    }
}
