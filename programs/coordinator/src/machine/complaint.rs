//! When an accepted payload counts as missing.

/// Whether so many voices take a payload out: two thirds of the Active members, at least one.
#[must_use]
pub const fn is_missing(voices: u32, active: u32) -> bool {
    voices > 0 && voices.saturating_mul(3) >= active.saturating_mul(2)
}

/// The place of a new complaint: a free one, else that with the fewest voices; the lowest of equals.
///
/// `voices` has an entry a place, `taken` a bit a place.
#[must_use]
pub fn place_for(taken: u8, voices: &[u32]) -> Option<usize> {
    let free = |place: &usize| {
        taken
            .checked_shr(u32::try_from(*place).ok()?)
            .map(|left| left & 1)
    };
    let places = 0..voices.len();
    places
        .clone()
        .find(|place| free(place) == Some(0))
        .or_else(|| {
            let counted = places.zip(voices);
            counted
                .min_by_key(|(_, voices)| **voices)
                .map(|(place, _)| place)
        })
}
