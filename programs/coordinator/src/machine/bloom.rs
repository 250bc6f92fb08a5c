//! Bloom filters: a witness's word about many payloads in few bytes.
//!
//! The keys of a filter come from entropy that nobody knew when the payloads were committed to, so no
//! commitment can be chosen to hit a filter, and no filter made before. Commitments are hashes, so
//! that two keyed products of theirs are hash enough: the i-th position of a commitment is the upper
//! half of x + i * y, scaled to the filter's bits. The slot is part of x: whoever commits to another's
//! hash is not vouched for by those who hold the other's payload.

use super::{
    bits::set_bit,
    hash::{draw_seed, sha256, Hash, Purpose},
};

/// Most bytes of a filter: a transaction has 1,232 in all.
pub const BLOOM_BYTES_MAX: u32 = 800;
/// Most keys: more than the least rate needs.
pub const KEYS_MAX: u32 = 32;
/// Words of a filter that is looked up; more than 800 bytes, and a power of two.
const FILTER_WORDS: usize = 128;
/// Bits of the fraction of a binary logarithm.
const FRACTION_BITS: u32 = 16;
/// 1 / ln 2, by `FRACTION_BITS`, rounded up.
const INVERSE_LN_2: u64 = 94_549;
const MILLION: u64 = 1_000_000;

/// Size of a filter and number of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Bits.
    pub bits: u32,
    /// Bits that each commitment sets.
    pub keys: u32,
}

impl Form {
    /// The form for `count` commitments with `ppm` false positives in a million.
    ///
    /// bits = ceil(count * log2(10^6 / ppm) / ln 2): the smallest filter of that rate (Bloom, 1970).
    /// keys = log2(10^6 / ppm) rounded down, at least 1: each costs the chain the same, and one less
    /// than the best number worsens the rate by a fifth at most. The logarithm has 16 bits of fraction.
    #[must_use]
    pub fn new(count: u32, ppm: u32) -> Self {
        let log = log2(ppm);
        let a_commitment = log.wrapping_mul(INVERSE_LN_2); // below 2^22 * 2^17
        let bits = u64::from(count)
            .saturating_mul(a_commitment)
            .div_ceil(1 << (2 * FRACTION_BITS));
        let keys = log >> FRACTION_BITS;
        Self {
            bits: u32::try_from(bits).unwrap_or(u32::MAX).max(1),
            keys: u32::try_from(keys).unwrap_or(KEYS_MAX).clamp(1, KEYS_MAX),
        }
    }

    /// Bytes of the filter.
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        self.bits.div_ceil(8)
    }

    /// Most ones that an honest filter of `count` commitments has: five eighths of the bits are far
    /// from the half that chance sets, and each commitment sets no more than its keys.
    #[must_use]
    pub const fn ones_max(&self, count: u32) -> u32 {
        let chance = (self.bits / 8)
            .saturating_mul(5)
            .saturating_add(self.bits.isqrt().saturating_mul(2))
            .saturating_add(8);
        let set = count.saturating_mul(self.keys);
        if set < chance {
            set
        } else {
            chance
        }
    }
}

/// log2(10^6 / ppm) with 16 bits of fraction, rounded down; 0 for a rate of all.
fn log2(ppm: u32) -> u64 {
    // As a number from 1 to 2 with 31 bits of fraction, and how often it was halved for that.
    let scaled = (MILLION << 31).checked_div(u64::from(ppm)).unwrap_or(0);
    let Some(whole) = scaled.checked_ilog2().and_then(|log| log.checked_sub(31)) else {
        return 0;
    };
    let mut mantissa = scaled.wrapping_shr(whole);
    let mut log = u64::from(whole);
    for _ in 0..FRACTION_BITS {
        mantissa = mantissa.wrapping_mul(mantissa) >> 31;
        let one = mantissa >> 32;
        log = log << 1 | one;
        mantissa >>= one;
    }
    log
}

/// The keys of one witness's filter of one round.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    words: [u64; 3],
}

impl Keys {
    /// From sha256(seed | witness), where the seed is that of the round's Bloom keys and the witness
    /// its place in the draw, a byte. Its first three words, little-endian; the last two are made odd.
    #[must_use]
    pub fn new(instance: &Hash, epoch: u32, round: u32, entropy: &Hash, witness: u8) -> Self {
        let seed = draw_seed(instance, epoch, round, Purpose::BloomKeys, entropy);
        let words = words_of(&sha256(&[&seed, &[witness]]));
        Self {
            words: [words[0], words[1] | 1, words[2] | 1],
        }
    }

    /// Whether the filter has all bits of a slot's commitment, given as its first two words.
    #[inline]
    #[must_use]
    pub const fn holds(
        &self,
        filter: &Filter,
        form: Form,
        slot: u64,
        commitment: [u64; 2],
    ) -> bool {
        let (x, y) = self.start(slot, commitment);
        filter.all(form.bits as u64, form.keys as u64, x, y) == 1
    }

    /// Sets all bits of a slot's commitment, given as its first two words, in a filter of `form`.
    pub fn add(&self, filter: &mut [u8], form: Form, slot: u64, commitment: [u64; 2]) {
        let (mut x, y) = self.start(slot, commitment);
        for _ in 0..form.keys {
            let place = usize::try_from(position(x, u64::from(form.bits))).unwrap_or(usize::MAX);
            set_bit(filter, place, true);
            x = x.wrapping_add(y);
        }
    }

    #[inline]
    const fn start(&self, slot: u64, commitment: [u64; 2]) -> (u64, u64) {
        let [first, second] = commitment;
        let [a, b, c] = self.words;
        let x = first.wrapping_add(a).wrapping_add(slot).wrapping_mul(b);
        (x, (second ^ x).wrapping_mul(c))
    }
}

/// A filter as words, so that looking a bit up takes few steps; its rest is zero.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    words: [u64; FILTER_WORDS],
}

impl Filter {
    /// The bits of a filter of at most 1,024 bytes; what is beyond is left out.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut words = [0; FILTER_WORDS];
        let (whole, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        let eights = whole.iter().chain(core::iter::once(&last));
        for (word, eight) in words.iter_mut().zip(eights) {
            *word = u64::from_le_bytes(*eight);
        }
        Self { words }
    }

    /// The number of bits that are set in the first `bits`, rounded up to words.
    #[must_use]
    pub fn ones(&self, bits: u32) -> u32 {
        let words = self.words.iter().take(bits.div_ceil(64) as usize);
        words.fold(0, |sum, word| sum.wrapping_add(word.count_ones()))
    }

    /// 1 if all places of a commitment are set, else 0.
    ///
    /// A function of its own, with words for all numbers and two places a turn: a third of what the
    /// plain loop costs on chain, where a filter has many commitments and each many places.
    #[inline(never)]
    const fn all(&self, bits: u64, keys: u64, mut x: u64, y: u64) -> u64 {
        let mut set = 1;
        let mut left = keys;
        if left & 1 == 1 {
            set = self.bit(position(x, bits));
            x = x.wrapping_add(y);
            left = left.wrapping_sub(1);
        }
        while left != 0 {
            set &= self.bit(position(x, bits));
            x = x.wrapping_add(y);
            set &= self.bit(position(x, bits));
            x = x.wrapping_add(y);
            left = left.wrapping_sub(2);
        }
        set & 1
    }

    /// Bit `place`, modulo 8,192; what is above the lowest bit is of no meaning.
    #[allow(clippy::cast_possible_truncation)] // six bits
    #[inline]
    const fn bit(&self, place: u64) -> u64 {
        self.words[(place >> 6) as usize % FILTER_WORDS].wrapping_shr((place & 63) as u32)
    }
}

/// The first two words of a commitment, little-endian: as uniform as the hash that it is.
#[must_use]
pub fn first_words(commitment: &Hash) -> [u64; 2] {
    let [first, second, ..] = words_of(commitment);
    [first, second]
}

#[inline]
const fn position(x: u64, bits: u64) -> u64 {
    (x >> 32).wrapping_mul(bits) >> 32
}

#[inline]
fn words_of(hash: &Hash) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(hash.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}
