//! How many sequences a round trains.

/// B = start + floor((end - start) * min(step, ramp) / ramp); `end` where there is no ramp.
#[must_use]
pub fn batch_sequences(start: u32, end: u32, ramp_steps: u64, step: u64) -> u32 {
    if step >= ramp_steps || end <= start {
        return end;
    }
    let span = u64::from(end.saturating_sub(start));
    // Steps are below 2^40 and the span below 2^32: split the product so that it fits 64 bits.
    let whole = (span >> 16)
        .saturating_mul(step)
        .checked_div(ramp_steps)
        .unwrap_or(0);
    let whole_rest = (span >> 16)
        .saturating_mul(step)
        .checked_rem(ramp_steps)
        .unwrap_or(0);
    let low = (span & 0xffff)
        .saturating_mul(step)
        .saturating_add(whole_rest << 16)
        .checked_div(ramp_steps)
        .unwrap_or(0);
    let grown = (whole << 16).saturating_add(low);
    start.saturating_add(u32::try_from(grown).unwrap_or(u32::MAX))
}
