//! Bit fields: bit i is bit i % 8 of byte i / 8, least significant first.

/// Whether bit `index` is set; a bit beyond the end is not.
#[inline]
#[must_use]
pub fn bit(field: &[u8], index: usize) -> bool {
    field
        .get(index >> 3)
        .is_some_and(|byte| byte & (1 << (index & 7)) != 0)
}

/// Sets bit `index` to `value`; beyond the end it does nothing.
#[inline]
pub fn set_bit(field: &mut [u8], index: usize, value: bool) {
    if let Some(byte) = field.get_mut(index >> 3) {
        let mask = 1 << (index & 7);
        *byte = if value { *byte | mask } else { *byte & !mask };
    }
}

/// The number of bits that are set.
#[must_use]
pub fn count_bits(field: &[u8]) -> u32 {
    field
        .iter()
        .fold(0, |sum: u32, byte| sum.saturating_add(byte.count_ones()))
}
