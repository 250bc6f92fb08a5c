//! Votes to signs of the inverse transform, exact in every case.
//!
//! The rows' half is whole numbers. The columns' half is float32, which may be off by no more than
//! a bound that is proven below; where a sum is within it, whole numbers decide.

use crate::basis::{Basis, HALF};
use crate::plan::{Misfit, EDGE};
use crate::product::{four, lanes, product, Lanes, LANES, ROWS};
use crate::simd::{dispatch, Job};

/// Sums of a sheet; reused.
#[repr(align(64))]
pub struct Inverse {
    /// Votes times the rows' basis; only rows in `used` hold something.
    half: [[i32; EDGE]; EDGE],
    used: u64,
    mass: u64,
    /// Rows in use, even ones and odd ones, and their parts of the columns' basis.
    rows: [[[f32; EDGE]; HALF]; 2],
    bases: [[[f32; HALF]; HALF]; 2],
    /// Numbers that have the signs of the sums.
    pub sums: [[f32; EDGE]; EDGE],
}

impl Inverse {
    pub fn new() -> Box<Self> {
        Box::new(Self {
            half: [[0; EDGE]; EDGE],
            used: 0,
            mass: 0,
            rows: [[[0.0; EDGE]; HALF]; 2],
            bases: [[[0.0; HALF]; HALF]; 2],
            sums: [[0.0; EDGE]; EDGE],
        })
    }

    /// Forgets all votes.
    #[inline(always)]
    pub fn clear(&mut self) {
        (self.used, self.mass) = (0, 0);
    }

    /// Adds a vote of a row and column. Sums stay below 2^31 for votes up to `VOTE_MAX`.
    #[inline(always)]
    pub fn vote(&mut self, row: usize, column: usize, vote: i32, across: &Basis) {
        let (sums, basis) = (&mut self.half[row % EDGE], &across.whole[column % EDGE]);
        if self.used >> row & 1 == 0 {
            self.used |= 1 << row;
            *sums = [0; EDGE];
        }
        self.mass += u64::from(vote.unsigned_abs());
        for (sum, basis) in sums.iter_mut().zip(basis) {
            *sum = sum.wrapping_add(basis.wrapping_mul(vote));
        }
    }

    /// Fills `sums`; without a basis of columns, the rows' half is all there is.
    #[inline(always)]
    pub fn add_up<const FUSED: bool>(&mut self, down: Option<&Basis>, across: &Basis) {
        if self.used == 0 {
            self.sums = [[0.0; EDGE]; EDGE];
            return;
        }
        let Some(down) = down else {
            for (row, (sums, half)) in self.sums.iter_mut().zip(&self.half).enumerate() {
                let used = self.used >> row & 1 == 1;
                *sums = half.map(|one| if used { one as f32 } else { 0.0 });
            }
            return;
        };
        let counts = self.split(down);
        self.transform_columns::<FUSED>(down, across.points, counts);
        self.settle_doubts(down, across);
    }

    /// Rows in use as float32, even ones and odd ones apart; how many there are of each.
    #[inline(always)]
    fn split(&mut self, down: &Basis) -> [usize; 2] {
        let mut counts = [0; 2];
        let mut left = self.used;
        while left != 0 {
            let row = left.trailing_zeros() as usize;
            left &= left - 1;
            let (parity, at) = (row % 2, counts[row % 2]);
            self.rows[parity][at] = self.half[row].map(|one| one as f32);
            self.bases[parity][at] = down.early[row];
            counts[parity] += 1;
        }
        counts
    }

    #[inline(always)]
    fn transform_columns<const FUSED: bool>(
        &mut self,
        down: &Basis,
        columns: usize,
        counts: [usize; 2],
    ) {
        for x in 0..columns.div_ceil(LANES) {
            for y in 0..down.half.div_ceil(ROWS) {
                let even = self.columns_product::<FUSED>(0, counts[0], x, y);
                let odd = self.columns_product::<FUSED>(1, counts[1], x, y);
                for row in 0..ROWS.min(down.half - ROWS * y) {
                    let at = ROWS * y + row;
                    let (early, late) = (at, down.points - 1 - at);
                    for lane in 0..LANES {
                        let (even, odd) = (even[row][lane], odd[row][lane]);
                        self.sums[late][LANES * x + lane] = even - odd;
                        self.sums[early][LANES * x + lane] = even + odd;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn columns_product<const FUSED: bool>(
        &self,
        parity: usize,
        count: usize,
        x: usize,
        y: usize,
    ) -> [Lanes; ROWS] {
        let (rows, bases) = (&self.rows[parity], &self.bases[parity]);
        product::<FUSED>(count, |p| four(&bases[p], y), |p| lanes(&rows[p], x))
    }

    /// A sum has `used` products of a row's number, which was rounded, and a whole number, added in
    /// any order, fused or not, and one addition more: it is off by at most gamma(used + 2) times
    /// the sum of magnitudes (Higham, Accuracy and Stability, 3.1), which the tables' largest
    /// entries and the votes' mass bound. gamma(n) is n 2^-24 / (1 - n 2^-24), less than 1.01 n
    /// 2^-24 here; this is about twice that, to be on the safe side.
    #[inline(always)]
    fn settle_doubts(&mut self, down: &Basis, across: &Basis) {
        let used = f64::from(self.used.count_ones());
        let entries = f64::from(down.peak) * f64::from(across.peak);
        let doubt = (2.0 * (used + 8.0) * 2.0_f64.powi(-24) * entries * self.mass as f64) as f32;
        for y in 0..down.points {
            let unsure = |sums: &[f32; EDGE]| {
                sums.iter()
                    .fold(false, |any, sum| any | (sum.abs() <= doubt))
            };
            if unsure(&self.sums[y]) {
                self.settle_row(y, doubt, down, across.points);
            }
        }
    }

    fn settle_row(&mut self, y: usize, doubt: f32, down: &Basis, columns: usize) {
        for x in 0..columns {
            if self.sums[y][x].abs() <= doubt {
                let rows = (0..down.points).filter(|row| self.used >> row & 1 == 1);
                let products =
                    rows.map(|k| i64::from(down.whole[k][y]) * i64::from(self.half[k][x]));
                self.sums[y][x] = products.sum::<i64>().signum() as f32;
            }
        }
    }
}

/// Signs of the inverse transform of whole blocks of votes, by the code that `update` runs.
///
/// For a self-test: tables are those of `rows` and `columns` points, votes those of any number of
/// blocks, none above `VOTE_MAX` in magnitude.
///
/// # Errors
/// [`Misfit`] if an edge is out of range, a table or the votes have another size, or a vote is too
/// large.
pub fn block_signs(
    (rows, columns): (usize, usize),
    (down, across): (&[i16], &[i16]),
    votes: &[i32],
) -> Result<Vec<i8>, Misfit> {
    let fits =
        |edge: usize, table: &[i16]| (1..=EDGE).contains(&edge) && table.len() == edge * edge;
    if !fits(rows, down) || !fits(columns, across) || !votes.len().is_multiple_of(rows * columns) {
        return Err(Misfit("the tables or the votes have another size"));
    }
    if votes
        .iter()
        .any(|vote| vote.unsigned_abs() > crate::VOTE_MAX)
    {
        return Err(Misfit("a vote is too large"));
    }
    let down = if rows > 1 {
        Some(Basis::new(rows, down)?)
    } else {
        None
    };
    let across = Basis::new(columns, across)?;
    let signs = Signs {
        rows,
        down: down.as_deref(),
        across: &across,
        votes,
    };
    Ok(dispatch(signs))
}

struct Signs<'a> {
    rows: usize,
    down: Option<&'a Basis>,
    across: &'a Basis,
    votes: &'a [i32],
}

impl Job for Signs<'_> {
    type Output = Vec<i8>;

    #[inline(always)]
    fn run<const FUSED: bool>(self) -> Vec<i8> {
        let columns = self.across.points;
        let mut inverse = Inverse::new();
        let mut signs = Vec::with_capacity(self.votes.len());
        for block in self.votes.chunks_exact(self.rows * columns) {
            inverse.clear();
            for (at, &vote) in block.iter().enumerate().filter(|(_, &vote)| vote != 0) {
                inverse.vote(at / columns, at % columns, vote, self.across);
            }
            inverse.add_up::<FUSED>(self.down, self.across);
            for sums in &inverse.sums[..self.rows] {
                signs.extend(
                    sums[..columns]
                        .iter()
                        .map(|&sum| i8::from(sum > 0.0) - i8::from(sum < 0.0)),
                );
            }
        }
        signs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_without_fused_products_find_the_same_signs() {
        // Any symmetric table will do.
        let entry = |k: usize, i: usize| (k * (63 - 2 * i as isize).unsigned_abs() % 97) as i16 + 3;
        let signed = |k: usize, i: usize| {
            if k % 2 == 1 && i > 31 {
                -entry(k, i)
            } else {
                entry(k, i)
            }
        };
        let table: Vec<i16> = (0..64 * 64).map(|at| signed(at / 64, at % 64)).collect();
        let basis = Basis::new(64, &table).expect("symmetric");
        let votes: Vec<i32> = (0..20 * 64 * 64)
            .map(|at| (at * 7_919 % 64 == 3).into())
            .collect();
        let job = || Signs {
            rows: 64,
            down: Some(&basis),
            across: &basis,
            votes: &votes,
        };
        let plain = job().run::<false>();
        assert_eq!(plain, job().run::<true>());
        assert_eq!(plain, dispatch(job()));
    }
}
