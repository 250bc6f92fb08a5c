//! The matrix product of a tile, small enough that its sums stay in registers.

/// Rows of a tile.
pub const ROWS: usize = 4;
/// Columns of a tile.
pub const LANES: usize = 16;

/// A row of vector registers.
pub type Lanes = [f32; LANES];

/// out[m][n] = sum over p of `left(p)[m] * right(p)[n]`, for p from 0 to `count`.
#[inline(always)]
pub fn product<'a, const FUSED: bool>(
    count: usize,
    left: impl Fn(usize) -> [f32; ROWS],
    right: impl Fn(usize) -> &'a Lanes,
) -> [Lanes; ROWS] {
    let mut sums = [[0.0; LANES]; ROWS];
    for p in 0..count {
        let (left, right) = (left(p), right(p));
        for (sums, left) in sums.iter_mut().zip(left) {
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = if FUSED {
                    left.mul_add(*right, *sum)
                } else {
                    *sum + left * right
                };
            }
        }
    }
    sums
}

/// The `index`-th lanes of a row whose length is a multiple of theirs.
#[inline(always)]
pub fn lanes(row: &[f32], index: usize) -> &Lanes {
    &row.as_chunks().0[index]
}

/// The `index`-th four numbers of a row.
#[inline(always)]
pub fn four(row: &[f32], index: usize) -> [f32; ROWS] {
    row.as_chunks().0[index]
}
