//! What every payload of a round has in common.

/// Coefficients of a selection group; the last one may have fewer.
pub const GROUP_SIZE: u16 = 4_096;
/// Most bits of a value: its magnitude is at most 2^11.
pub const VALUE_BITS_MAX: u32 = 12;

/// The coefficients of the layout, how many of them are sent, and in how many bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    coefficients: u64,
    topk: u16,
    most: u16,
    value_bits: u32,
}

impl Form {
    /// A form in which every group of 4,096 sends at most `topk` signs.
    ///
    /// None without a coefficient, with a topk outside 1..=4096, or where a payload could have 2^32
    /// coefficients or more.
    pub fn new(coefficients: u64, topk: u16) -> Option<Self> {
        let groups = coefficients.div_ceil(GROUP_SIZE.into());
        let fits = groups.checked_mul(topk.into())? < 1 << 32;
        let valid = fits && coefficients > 0 && (1..=GROUP_SIZE).contains(&topk);
        valid.then_some(Self {
            coefficients,
            topk,
            most: topk,
            value_bits: 1,
        })
    }

    /// The same, but that a group of 4,096 sends up to `most`, though all of them no more than before,
    /// and values of so many bits.
    ///
    /// None where `most` is outside topk..=4096, or the bits outside 1..=12.
    pub fn with(self, most: u16, value_bits: u32) -> Option<Self> {
        let valid =
            (self.topk..=GROUP_SIZE).contains(&most) && (1..=VALUE_BITS_MAX).contains(&value_bits);
        valid.then_some(Self {
            most,
            value_bits,
            ..self
        })
    }

    /// The most that a group of 4,096 sends.
    pub fn most(&self) -> u16 {
        self.most
    }

    /// Bits of a value: a sign, and its magnitude less one.
    pub fn value_bits(&self) -> u32 {
        self.value_bits
    }

    /// Selection groups.
    pub fn groups(&self) -> usize {
        self.coefficients.div_ceil(GROUP_SIZE.into()) as usize
    }

    /// Coefficients of a group.
    pub fn size(&self, group: usize) -> u16 {
        let left = self.coefficients - group as u64 * u64::from(GROUP_SIZE);
        left.min(GROUP_SIZE.into()) as u16
    }

    /// What a group sends if all send alike: its share of `topk`, rounded up.
    pub fn plain(&self, group: usize) -> u16 {
        self.share(group, self.topk)
    }

    /// Most coefficients that a group sends: its share of `most`, rounded up.
    pub fn limit(&self, group: usize) -> u16 {
        self.share(group, self.most)
    }

    /// Most coefficients that a payload sends: the sum of what is plain.
    pub fn sent_max(&self) -> u64 {
        let last = self.groups() - 1;
        last as u64 * u64::from(self.topk) + u64::from(self.plain(last))
    }

    fn share(&self, group: usize, of: u16) -> u16 {
        let share = u32::from(self.size(group)) * u32::from(of);
        share.div_ceil(GROUP_SIZE.into()) as u16
    }
}
