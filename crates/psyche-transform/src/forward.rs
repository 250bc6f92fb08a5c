//! Gradients into the momentum: M <- beta M + scale DCT(gradients), a sheet at a time.

use crate::basis::{Basis, HALF};
use crate::plan::{Sheet, EDGE};
use crate::product::{four, lanes, product, Lanes, LANES, ROWS};

/// Numbers that one sheet needs; reused.
#[repr(align(64))]
pub struct Forward {
    sheet: [[f32; EDGE]; EDGE],
    even: [[f32; EDGE]; HALF],
    odd: [[f32; EDGE]; HALF],
}

/// What the momentum and the gradients are multiplied by.
#[derive(Clone, Copy)]
pub struct Factors {
    pub beta: f32,
    pub scale: f32,
}

impl Forward {
    pub fn new() -> Box<Self> {
        Box::new(Self {
            sheet: [[0.0; EDGE]; EDGE],
            even: [[0.0; EDGE]; HALF],
            odd: [[0.0; EDGE]; HALF],
        })
    }

    /// Adds a sheet of the strip's numbers to the momentum of its coefficients.
    #[inline(always)]
    pub fn accumulate<const FUSED: bool>(
        &mut self,
        momentum: &mut [f32],
        sheet: &Sheet,
        numbers: &[f32],
        bases: (Option<&Basis>, &Basis),
        factors: Factors,
    ) {
        let (down, across) = bases;
        self.load(sheet, numbers);
        if let Some(down) = down {
            self.fold(down);
            self.transform_columns::<FUSED>(down, across.points);
        }
        for (rows, momentum) in momentum.chunks_mut(ROWS * across.points).enumerate() {
            self.transform_rows::<FUSED>(ROWS * rows, momentum, across, factors);
        }
    }

    #[inline(always)]
    fn load(&mut self, sheet: &Sheet, numbers: &[f32]) {
        for (row, into) in self.sheet.iter_mut().take(sheet.rows).enumerate() {
            let (begin, width) = sheet.segment(row, numbers.len());
            if width == EDGE {
                into.copy_from_slice(&numbers[begin..begin + EDGE]);
            } else {
                into.fill(0.0);
                if width > 0 {
                    into[..width].copy_from_slice(&numbers[begin..begin + width]);
                }
            }
        }
    }

    /// Sums and differences of mirrored rows; the middle one of an odd number stands alone.
    #[inline(always)]
    fn fold(&mut self, down: &Basis) {
        let Self { sheet, even, odd } = self;
        let folded = even.iter_mut().zip(odd);
        let mirrored = sheet[..down.points]
            .iter()
            .zip(sheet[..down.points].iter().rev());
        for ((even, odd), (early, late)) in folded.zip(mirrored).take(down.points / 2) {
            for (even, (early, late)) in even.iter_mut().zip(early.iter().zip(late)) {
                *even = early + late;
            }
            for (odd, (early, late)) in odd.iter_mut().zip(early.iter().zip(late)) {
                *odd = early - late;
            }
        }
        if down.points % 2 == 1 {
            self.even[down.half - 1] = self.sheet[down.half - 1];
            self.odd[down.half - 1] = [0.0; EDGE];
        }
    }

    #[inline(always)]
    fn transform_columns<const FUSED: bool>(&mut self, down: &Basis, columns: usize) {
        for x in 0..columns.div_ceil(LANES) {
            for y in 0..down.half.div_ceil(ROWS) {
                for (parity, (table, folded)) in [(&down.even, &self.even), (&down.odd, &self.odd)]
                    .into_iter()
                    .enumerate()
                {
                    let found = product::<FUSED>(
                        down.half,
                        |p| four(&table[p], y),
                        |p| lanes(&folded[p], x),
                    );
                    for (row, sums) in found.iter().enumerate() {
                        let at = 2 * (ROWS * y + row) + parity;
                        self.sheet[at].as_chunks_mut().0[x] = *sums;
                    }
                }
            }
        }
    }

    /// Transforms four rows and adds them to their momentum.
    #[inline(always)]
    fn transform_rows<const FUSED: bool>(
        &self,
        first: usize,
        momentum: &mut [f32],
        across: &Basis,
        factors: Factors,
    ) {
        let mut even = [[0.0; HALF]; ROWS];
        let mut odd = [[0.0; HALF]; ROWS];
        for row in 0..ROWS {
            let (sheet, even, odd) = (&self.sheet[first + row], &mut even[row], &mut odd[row]);
            // With a constant length it is a few instructions.
            match across.points {
                EDGE => fold_row(sheet, even, odd, EDGE),
                points => fold_row(sheet, even, odd, points),
            }
        }
        for x in 0..across.half.div_ceil(LANES) {
            let sums = [
                rows_product::<FUSED>(&even, &across.even, across.half, x),
                rows_product::<FUSED>(&odd, &across.odd, across.half, x),
            ];
            for (row, momentum) in momentum.chunks_exact_mut(across.points).enumerate() {
                let momentum = &mut momentum[2 * LANES * x..];
                interleave(momentum, &sums[0][row], &sums[1][row], factors);
            }
        }
    }
}

// Not closures: those are not inlined, and so not compiled for the processor at hand.

#[inline(always)]
fn rows_product<const FUSED: bool>(
    folded: &[[f32; HALF]; ROWS],
    table: &[[f32; HALF]; HALF],
    count: usize,
    x: usize,
) -> [Lanes; ROWS] {
    product::<FUSED>(
        count,
        |p| std::array::from_fn(|row| folded[row][p]),
        |p| lanes(&table[p], x),
    )
}

#[inline(always)]
fn fold_row(row: &[f32; EDGE], even: &mut [f32; HALF], odd: &mut [f32; HALF], points: usize) {
    for x in 0..points / 2 {
        let (early, late) = (row[x], row[points - 1 - x]);
        even[x] = early + late;
        odd[x] = early - late;
    }
    if points % 2 == 1 {
        even[points / 2] = row[points / 2];
    }
}

/// m <- beta m + scale s, where s are even and odd coefficients in turn.
#[inline(always)]
fn interleave(momentum: &mut [f32], even: &Lanes, odd: &Lanes, factors: Factors) {
    let sums = even.iter().zip(odd).flat_map(|(even, odd)| [even, odd]);
    if let Some(whole) = momentum.first_chunk_mut::<{ 2 * LANES }>() {
        for lane in 0..LANES {
            whole[2 * lane] = factors.beta * whole[2 * lane] + factors.scale * even[lane];
            whole[2 * lane + 1] = factors.beta * whole[2 * lane + 1] + factors.scale * odd[lane];
        }
        return;
    }
    for (one, sum) in momentum.iter_mut().zip(sums) {
        *one = factors.beta * *one + factors.scale * sum;
    }
}
