//! A set of indices below 4,096 that knows the rank of each: a bit an index, and for each word of
//! bits how many indices lie in the words before it.

const WORDS: usize = 64;

/// Row w has a one for every word after w.
static AFTER: [[u16; WORDS]; WORDS] = after();

const fn after() -> [[u16; WORDS]; WORDS] {
    let mut rows = [[0; WORDS]; WORDS];
    let mut word = 0;
    while word < WORDS {
        let mut later = word + 1;
        while later < WORDS {
            rows[word][later] = 1;
            later += 1;
        }
        word += 1;
    }
    rows
}

pub(crate) struct Set {
    bits: [u64; WORDS],
    below: [u16; WORDS],
    /// The words that are not zero.
    used: u64,
}

impl Set {
    pub(crate) fn new() -> Self {
        Self {
            bits: [0; WORDS],
            below: [0; WORDS],
            used: 0,
        }
    }

    /// Adds an index; returns how many smaller ones are there.
    #[inline(always)]
    pub(crate) fn insert(&mut self, index: u32) -> u32 {
        let word = (index >> 6) as usize % WORDS;
        let bit = 1 << (index % 64);
        let rank = u32::from(self.below[word]) + (self.bits[word] & (bit - 1)).count_ones();
        self.bits[word] |= bit;
        self.used |= 1 << word;
        for (below, after) in self.below.iter_mut().zip(&AFTER[word]) {
            *below = below.wrapping_add(*after);
        }
        rank
    }

    /// Empties the set into `indices`, rising; whether it had exactly as many.
    #[inline(always)]
    pub(crate) fn drain(&mut self, indices: &mut [u16]) -> bool {
        let mut places = indices.iter_mut();
        let mut fits = true;
        while self.used != 0 {
            let word = self.used.trailing_zeros();
            self.used &= self.used - 1;
            let mut bits = std::mem::take(&mut self.bits[word as usize]);
            while bits != 0 {
                match places.next() {
                    Some(place) => *place = (word * 64 + bits.trailing_zeros()) as u16,
                    None => fits = false,
                }
                bits &= bits - 1;
            }
        }
        self.below.fill(0);
        fits && places.next().is_none()
    }
}
