//! Where tensors lie in the row of coefficients, and how the row is cut into work.

use crate::basis::Basis;

/// Coefficients of a selection group.
pub const GROUP: usize = 4_096;
/// The longest edge of a block.
pub const EDGE: usize = 64;

/// Something that does not fit the plan, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit(pub &'static str);

/// One tensor's place: a matrix in blocks, from `start` on in the row of coefficients.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its first coefficient.
    pub start: usize,
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix.
    pub columns: usize,
    /// Rows of a block, from 1 to 64; 1: the transform is one of rows alone.
    pub edge_rows: usize,
    /// Columns of a block, from 1 to 64.
    pub edge_columns: usize,
    /// Weight decay applies.
    pub decays: bool,
}

impl Place {
    pub(crate) fn across(&self) -> usize {
        self.columns.div_ceil(self.edge_columns)
    }

    /// Coefficients of a block.
    pub(crate) fn block(&self) -> usize {
        self.edge_rows * self.edge_columns
    }

    fn end(&self) -> Option<usize> {
        let blocks = self
            .rows
            .div_ceil(self.edge_rows)
            .checked_mul(self.across())?;
        blocks.checked_mul(self.block())?.checked_add(self.start)
    }

    /// Numbers of its matrix in a strip; the last one may have fewer.
    pub(crate) fn strip_numbers(&self) -> usize {
        self.strip_down() * self.edge_rows * self.columns
    }

    /// Block rows of a strip: one, but of rows alone as many as make a sheet.
    fn strip_down(&self) -> usize {
        if self.edge_rows > 1 {
            1
        } else {
            EDGE.div_ceil(self.across())
        }
    }
}

/// A layout with the bases of its edges. Build it once.
pub struct Plan {
    places: Vec<Place>,
    bases: Vec<Option<Box<Basis>>>,
    coefficients: usize,
}

impl Plan {
    /// Takes places in the order of their starts, and the table of every edge from 1 to 64 on.
    ///
    /// # Errors
    /// [`Misfit`] if places leave gaps or overlap, an edge is out of range, or the table has
    /// another size or lacks its symmetry.
    pub fn new(places: Vec<Place>, table: &[i16]) -> Result<Self, Misfit> {
        let mut coefficients = 0;
        for place in &places {
            let edges = [place.edge_rows, place.edge_columns];
            let in_range = edges.iter().all(|edge| (1..=EDGE).contains(edge));
            if !in_range || place.rows == 0 || place.columns == 0 {
                return Err(Misfit(
                    "a place's matrix or its blocks are empty or too large",
                ));
            }
            if place.start != coefficients {
                return Err(Misfit("places leave gaps or overlap"));
            }
            coefficients = place
                .end()
                .ok_or(Misfit("places have too many coefficients"))?;
        }
        let mut bases = vec![None];
        let mut rest = table;
        for points in 1..=EDGE {
            let entries = rest.split_off(..points * points);
            let entries = entries.ok_or(Misfit("the table is too short"))?;
            let used = places
                .iter()
                .any(|p| p.edge_rows == points || p.edge_columns == points);
            bases.push(if used {
                Some(Basis::new(points, entries)?)
            } else {
                None
            });
        }
        Ok(Self {
            places,
            bases,
            coefficients,
        })
    }

    /// The places.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Coefficients in all.
    pub fn coefficients(&self) -> usize {
        self.coefficients
    }

    /// Selection groups, the last perhaps smaller.
    pub fn groups(&self) -> usize {
        self.coefficients.div_ceil(GROUP)
    }

    /// Bases of a place's columns of blocks (None for rows alone) and of their rows.
    pub(crate) fn bases(&self, place: &Place) -> (Option<&Basis>, &Basis) {
        let basis = |edge: usize| self.bases[edge].as_deref();
        let down = if place.edge_rows > 1 {
            basis(place.edge_rows)
        } else {
            None
        };
        let across = basis(place.edge_columns);
        (
            down,
            across.expect("a plan has the bases of its places' edges"),
        )
    }

    /// All strips in the order of the row, each with the index of its place.
    pub(crate) fn strips(&self) -> impl Iterator<Item = (usize, Strip<'_>)> {
        self.places.iter().enumerate().flat_map(|(index, place)| {
            let down = place.strip_down();
            let whole = place.rows.div_ceil(place.edge_rows);
            (0..whole).step_by(down).map(move |first| {
                let strip = Strip {
                    place,
                    first,
                    down: down.min(whole - first),
                };
                (index, strip)
            })
        })
    }
}

/// A few block rows of one tensor: what a thread does at a time.
#[derive(Clone, Copy)]
pub(crate) struct Strip<'a> {
    pub place: &'a Place,
    /// Its first block row.
    first: usize,
    down: usize,
}

impl Strip<'_> {
    /// Its first coefficient.
    pub fn start(&self) -> usize {
        self.place.start + self.first * self.place.across() * self.place.block()
    }

    /// The end of its coefficients.
    pub fn end(&self) -> usize {
        self.start() + self.blocks() * self.place.block()
    }

    /// Its numbers in its tensor's matrix.
    pub fn numbers<'m>(&self, matrix: &'m [f32]) -> &'m [f32] {
        let begin = self.first * self.place.edge_rows * self.place.columns;
        &matrix[begin..matrix.len().min(begin + self.place.strip_numbers())]
    }

    fn blocks(&self) -> usize {
        self.down * self.place.across()
    }

    /// Sheets of up to 64 x 64 coefficients: a block each, or many blocks of rows alone.
    pub fn sheets(&self) -> impl Iterator<Item = Sheet<'_>> {
        let alone = self.place.edge_rows == 1;
        let step = if alone { EDGE } else { 1 };
        let blocks = self.blocks();
        (0..blocks).step_by(step).map(move |block| Sheet {
            place: self.place,
            alone,
            block,
            start: self.start() + block * self.place.block(),
            rows: if alone {
                step.min(blocks - block)
            } else {
                self.place.edge_rows
            },
        })
    }
}

/// Rows of coefficients that are transformed at once.
#[derive(Clone, Copy)]
pub(crate) struct Sheet<'a> {
    place: &'a Place,
    alone: bool,
    block: usize,
    /// Its first coefficient.
    pub start: usize,
    pub rows: usize,
}

impl Sheet<'_> {
    /// The end of its coefficients.
    pub fn end(&self) -> usize {
        self.start + self.rows * self.place.edge_columns
    }

    /// Where a row begins in the strip's numbers, and how many it has there; the rest is padding.
    #[inline(always)]
    pub fn segment(&self, row: usize, numbers: usize) -> (usize, usize) {
        let (block, row) = if self.alone {
            (self.block + row, 0)
        } else {
            (self.block, row)
        };
        let place = self.place;
        let (down, column) = (
            block / place.across(),
            block % place.across() * place.edge_columns,
        );
        let begin = (down * place.edge_rows + row) * place.columns + column;
        let width = if begin < numbers {
            place.edge_columns.min(place.columns - column)
        } else {
            0
        };
        (begin, width)
    }
}
