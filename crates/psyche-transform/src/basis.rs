//! The cosine basis of one edge: the integer table that every client shares, and parts of it.

use crate::plan::{Misfit, EDGE};

/// Points that are left of an edge when its mirrored ones are folded together.
pub const HALF: usize = EDGE / 2;
/// The table is scaled by 2 to this power.
const SCALE_BITS: i32 = 14;

/// The basis of so many points: row k, column i is `2^14 s_k cos(pi (2 i + 1) k / (2 points))`.
///
/// Even rows are symmetric and odd ones antisymmetric, in every bit. So both transforms work on
/// sums and differences of mirrored points, with half the products.
pub struct Basis {
    pub points: usize,
    /// Half of the points, rounded up.
    pub half: usize,
    /// The largest magnitude of an entry.
    pub peak: i32,
    /// Entry [i][k] is row 2 k, column i, without the scale.
    pub even: [[f32; HALF]; HALF],
    /// Entry [i][k] is row 2 k + 1, column i, without the scale.
    pub odd: [[f32; HALF]; HALF],
    /// The table as it is.
    pub whole: [[i32; EDGE]; EDGE],
    /// The first half of each of its rows.
    pub early: [[f32; HALF]; EDGE],
}

impl Basis {
    /// Takes the table's `points * points` numbers, row after row.
    pub fn new(points: usize, table: &[i16]) -> Result<Box<Self>, Misfit> {
        let mut basis = Box::new(Self {
            points,
            half: points.div_ceil(2),
            peak: table
                .iter()
                .map(|&entry| i32::from(entry).abs())
                .max()
                .unwrap_or(0),
            even: [[0.0; HALF]; HALF],
            odd: [[0.0; HALF]; HALF],
            whole: [[0; EDGE]; EDGE],
            early: [[0.0; HALF]; EDGE],
        });
        for (k, row) in table.chunks_exact(points).enumerate() {
            let sign = if k % 2 == 0 { 1 } else { -1 };
            for (i, (&entry, &mirrored)) in row.iter().zip(row.iter().rev()).enumerate() {
                if entry != sign * mirrored {
                    return Err(Misfit("the table's rows are not symmetric"));
                }
                basis.whole[k][i] = i32::from(entry);
                if i < basis.half {
                    basis.place(k, i, f32::from(entry));
                }
            }
        }
        Ok(basis)
    }

    fn place(&mut self, k: usize, i: usize, entry: f32) {
        let part = if k.is_multiple_of(2) {
            &mut self.even
        } else {
            &mut self.odd
        };
        part[i][k / 2] = entry * 2.0_f32.powi(-SCALE_BITS);
        self.early[k][i] = entry;
    }
}
