//! The places of a set's indices, 0 upwards, of which the one of any rank can be taken out.

const WORDS: usize = 64;
/// A one in each byte.
const ONES: u64 = u64::from_le_bytes([1; 8]);
/// The highest bit of each byte.
const HIGHS: u64 = ONES << 7;

/// `SELECT[n][byte]`: the place of the byte's one that has n ones below it.
static SELECT: [[u8; 256]; 8] = select();

const fn select() -> [[u8; 256]; 8] {
    let mut table = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut place, mut rank) = (0, 0);
        while place < 8 {
            if byte >> place & 1 == 1 {
                table[rank][byte] = place as u8;
                rank += 1;
            }
            place += 1;
        }
        byte += 1;
    }
    table
}

/// A bit for each place that is left, and for each byte of bits the ones up to its end.
pub(crate) struct Ranks {
    bits: [u64; WORDS],
    sums: [u64; WORDS],
}

impl Ranks {
    pub(crate) fn new() -> Self {
        Self {
            bits: [0; WORDS],
            sums: [0; WORDS],
        }
    }

    /// Makes it hold the places below `count`, at most 4,096.
    pub(crate) fn fill(&mut self, count: usize) {
        for (word, left) in (0..count)
            .step_by(64)
            .map(|start| count - start)
            .enumerate()
        {
            self.bits[word] = u64::MAX >> (64 - left.min(64));
            self.sums[word] =
                u64::from_le_bytes(std::array::from_fn(|n| left.min(8 * n + 8) as u8));
        }
    }

    /// Takes out the place that has `rank` others before it; there must be as many and one more.
    #[inline(always)]
    pub(crate) fn take(&mut self, mut rank: u32) -> usize {
        let mut word = 0;
        while rank >= total(self.sums[word % WORDS]) {
            rank -= total(self.sums[word % WORDS]);
            word += 1;
        }
        let word = word % WORDS;
        let sums = self.sums[word];
        // The bytes that end at or before the rank keep their highest bit; no byte borrows.
        let before = ((u64::from(rank) * ONES) | HIGHS).wrapping_sub(sums) & HIGHS;
        let shift = (before >> 7).wrapping_mul(ONES) >> 56 << 3;
        let rank = rank as usize - (sums << 8 >> shift & 255) as usize;
        let byte = (self.bits[word] >> shift & 255) as usize;
        let place = shift as usize + usize::from(SELECT[rank % 8][byte]);
        self.bits[word] ^= 1 << (place % 64);
        self.sums[word] = sums.wrapping_sub(ONES << shift);
        word * 64 + place
    }
}

fn total(sums: u64) -> u32 {
    (sums >> 56) as u32
}
