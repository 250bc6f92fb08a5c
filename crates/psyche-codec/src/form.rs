//! What every payload of a run has in common.

/// Coefficients of a selection group; the last one may have fewer.
pub const GROUP_SIZE: u16 = 4_096;

/// The coefficients of the layout, and the most that a group of 4,096 sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    coefficients: u64,
    topk: u16,
}

impl Form {
    /// A form; none without a coefficient, with a topk outside 1..=4096, or where a payload could
    /// have 2^32 coefficients or more.
    pub fn new(coefficients: u64, topk: u16) -> Option<Self> {
        let groups = coefficients.div_ceil(GROUP_SIZE.into());
        let fits = groups.checked_mul(topk.into())? < 1 << 32;
        let valid = fits && coefficients > 0 && (1..=GROUP_SIZE).contains(&topk);
        valid.then_some(Self { coefficients, topk })
    }

    /// The most that a group of 4,096 sends.
    pub fn topk(&self) -> u16 {
        self.topk
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

    /// Most coefficients that a group sends: its share of `topk`, rounded up.
    pub fn limit(&self, group: usize) -> u16 {
        let share = u32::from(self.size(group)) * u32::from(self.topk);
        share.div_ceil(GROUP_SIZE.into()) as u16
    }
}
