//! The order of the data: a keyed permutation of a pass over the data set.

use super::hash::sha256;

/// Rounds of the Feistel network.
const ROUNDS: usize = 8;

/// A bijection of 0..n, different for each pass over the data; nothing is materialised.
///
/// A Feistel network over 2h bits with cycle walking: values from n on are mapped again.
#[derive(Clone, Debug)]
pub struct Permutation {
    keys: [u64; ROUNDS],
    half_bits: u32,
    length: u64,
}

impl Permutation {
    /// The order of pass `pass` over `length` sequences, for a run's `data_seed`.
    #[must_use]
    pub fn new(data_seed: &[u8; 32], pass: u64, length: u64) -> Self {
        let key = sha256(&[data_seed, &pass.to_le_bytes()]);
        let more = sha256(&[&key]);
        let mut keys = [0; ROUNDS];
        for (word, bytes) in keys
            .iter_mut()
            .zip(key.as_chunks().0.iter().chain(more.as_chunks().0))
        {
            *word = u64::from_le_bytes(*bytes);
        }
        // Bits of the largest value, so ceil(log2(length)).
        let bits = 64_u32.saturating_sub(length.saturating_sub(1).leading_zeros());
        Self {
            keys,
            half_bits: bits.max(16).div_ceil(2),
            length,
        }
    }

    /// The sequence at `offset` of the pass; an offset from n on is taken modulo n. 0 if n is 0.
    #[must_use]
    pub fn forward(&self, offset: u64) -> u64 {
        let Some(mut value) = offset.checked_rem(self.length) else {
            return 0;
        };
        loop {
            value = self.encrypt(value);
            if value < self.length {
                return value;
            }
        }
    }

    /// The offset at which `sequence` stands; the inverse of [`Self::forward`].
    #[must_use]
    pub fn inverse(&self, sequence: u64) -> u64 {
        let Some(mut value) = sequence.checked_rem(self.length) else {
            return 0;
        };
        loop {
            value = self.decrypt(value);
            if value < self.length {
                return value;
            }
        }
    }

    fn encrypt(&self, value: u64) -> u64 {
        let mask = self.mask();
        let mut left = value >> self.half_bits;
        let mut right = value & mask;
        for key in &self.keys {
            let mixed = left ^ (mix(right, *key) & mask);
            left = right;
            right = mixed;
        }
        (left << self.half_bits) | right
    }

    fn decrypt(&self, value: u64) -> u64 {
        let mask = self.mask();
        let mut left = value >> self.half_bits;
        let mut right = value & mask;
        for key in self.keys.iter().rev() {
            let mixed = right ^ (mix(left, *key) & mask);
            right = left;
            left = mixed;
        }
        (left << self.half_bits) | right
    }

    const fn mask(&self) -> u64 {
        (1_u64 << self.half_bits).wrapping_sub(1)
    }
}

/// The round function: the finaliser of splitmix64 over `half` + `key`.
const fn mix(half: u64, key: u64) -> u64 {
    let mut word = half.wrapping_add(key);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
