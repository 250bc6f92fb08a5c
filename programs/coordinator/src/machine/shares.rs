//! Weights of trainers and the parts of a round that follow from them.

/// Largest weight that a member can declare; the smallest is 1.
pub const MAX_WEIGHT: u16 = 1000;

/// Values of a weight that share one bucket of the first pass of [`lower_median`].
const BUCKET: u16 = 32;
/// Buckets that hold 0..=1023, so every weight.
const BUCKETS: usize = 32;

/// The effective weight that a member begins with: min(declared, median of the Active).
#[must_use]
pub fn first_weight(declared: u16, median: Option<u16>) -> u16 {
    median
        .map_or(declared, |median| declared.min(median))
        .max(1)
}

/// The effective weight after an accepted round: doubled, at most what was declared.
#[must_use]
pub fn grown_weight(weight: u16, declared: u16) -> u16 {
    weight.saturating_mul(2).min(declared).max(1)
}

/// The effective weight after a miss: halved, rounded down, at least 1.
#[must_use]
pub const fn halved_weight(weight: u16) -> u16 {
    if weight < 2 {
        1
    } else {
        weight >> 1
    }
}

/// The median of weights (at most 1,023 each), the lower one of an even count; `None` of none. A
/// zero is no weight and does not count.
///
/// Two passes over 32 counters each: small enough for a stack frame of the chain.
#[must_use]
pub fn lower_median(weights: impl Iterator<Item = u16> + Clone) -> Option<u16> {
    let mut counts = [0_u32; BUCKETS];
    for weight in weights.clone().filter(|weight| *weight != 0) {
        if let Some(count) = counts.get_mut(usize::from(weight / BUCKET)) {
            *count = count.wrapping_add(1);
        }
    }
    let total = counts
        .iter()
        .fold(0_u32, |sum, count| sum.wrapping_add(*count));
    let rank = total.checked_sub(1)? / 2;
    let (bucket, rank) = place(&counts, rank)?;
    let first = u16::try_from(bucket).ok()?.checked_mul(BUCKET)?;
    counts = [0; BUCKETS];
    for weight in weights {
        if let Some(count) = counts.get_mut(usize::from(weight.wrapping_sub(first))) {
            *count = count.wrapping_add(1);
        }
    }
    if first == 0 {
        // These are the zeros.
        if let Some(count) = counts.first_mut() {
            *count = 0;
        }
    }
    let (offset, _) = place(&counts, rank)?;
    first.checked_add(u16::try_from(offset).ok()?)
}

/// The counter that holds the item of this rank, and the item's rank within it.
fn place(counts: &[u32; BUCKETS], rank: u32) -> Option<(usize, u32)> {
    let mut rank = rank;
    for (index, count) in counts.iter().enumerate() {
        match rank.checked_sub(*count) {
            Some(rest) => rank = rest,
            None => return Some((index, rank)),
        }
    }
    None
}

/// The largest weight that counts: floor(sum * percent / 100), at least 1.
///
/// `None` (no clamp) where `members` x `percent` is at most 100: nobody could stay below.
#[must_use]
pub fn weight_limit(sum: u32, members: u32, percent: u8) -> Option<u32> {
    let percent = u32::from(percent);
    if members.saturating_mul(percent) <= 100 {
        return None;
    }
    Some((sum.saturating_mul(percent) / 100).max(1))
}

/// Fills `ends` with where each trainer's share of `batch` sequences ends, in drawn order.
///
/// The share of trainer p is the offsets floor(B * W(p) / W) .. floor(B * W(p + 1) / W), with W(p)
/// the sum of the clamped weights before it. `weights` gives the effective weights in drawn order.
/// All ends are 0 if there are no weights. Returns how many shares are not empty.
pub fn share_ends(
    batch: u32,
    percent: u8,
    weights: impl Iterator<Item = u16> + Clone,
    ends: &mut [u32],
) -> u32 {
    let mut sum = 0_u32;
    let mut members = 0_u32;
    for weight in weights.clone() {
        sum = sum.wrapping_add(u32::from(weight));
        members = members.wrapping_add(1);
    }
    share_ends_of(batch, percent, (sum, members), weights, ends)
}

/// The same for who knows the sum of the weights and their number: a pass less.
pub fn share_ends_of(
    batch: u32,
    percent: u8,
    (sum, members): (u32, u32),
    weights: impl Iterator<Item = u16> + Clone,
    ends: &mut [u32],
) -> u32 {
    let mut total = u64::from(sum);
    let mut limit = u32::MAX;
    if let Some(largest) = weight_limit(sum, members, percent) {
        limit = largest;
        total = weights.clone().fold(0_u64, |all, weight| {
            all.wrapping_add(u64::from(u32::from(weight).min(limit)))
        });
    }
    let mut before = 0_u64;
    let (mut start, mut shares) = (0_u32, 0_u32);
    for (end, weight) in ends.iter_mut().zip(weights) {
        before = before.wrapping_add(u64::from(u32::from(weight).min(limit)));
        // Cannot wrap: 2^32 sequences times 1,024 trainers times a weight below 2^16.
        let share_end = u64::from(batch).wrapping_mul(before).checked_div(total);
        #[allow(clippy::cast_possible_truncation)] // At most the batch.
        {
            *end = share_end.unwrap_or(0) as u32;
        }
        shares = shares.wrapping_add(u32::from(*end > start));
        start = *end;
    }
    shares
}
