//! Layouts, numbers by chance and plain references, for the tests of this crate.
#![allow(dead_code)]

use psyche_transform::{Place, Plan, GROUP};

/// The table that every client has: all edges from 1 to 64, one after the other.
pub fn table() -> Vec<i16> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../client/psyche_client/optim/dct2.bin"
    );
    let bytes = std::fs::read(path).expect("the table");
    let pairs = bytes.as_chunks::<2>().0.iter();
    pairs.map(|pair| i16::from_le_bytes(*pair)).collect()
}

/// The table of one edge.
pub fn basis(table: &[i16], points: usize) -> &[i16] {
    let start = (1..points).map(|edge| edge * edge).sum();
    &table[start..start + points * points]
}

/// Splitmix64.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// From -1 to 1.
    pub fn number(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.number()).collect()
    }
}

/// Every kind of place: divided evenly, padded either way, odd edges, rows alone, one number.
pub fn places() -> Vec<Place> {
    let shapes = [
        (128, 192, 64, 64),
        (100, 130, 50, 44),
        (67, 96, 34, 48),
        (33, 63, 33, 63),
        (24, 40, 24, 40),
        (70, 5, 35, 5),
        (9, 150, 1, 50),
        (1, 1_000, 1, 64),
        (3, 1, 3, 1),
        (1, 1, 1, 64),
    ];
    let mut start = 0;
    let placed = shapes.iter().enumerate();
    placed
        .map(|(number, &(rows, columns, edge_rows, edge_columns))| {
            let place = Place {
                start,
                rows,
                columns,
                edge_rows,
                edge_columns,
                decays: number % 2 == 0,
            };
            start += rows.div_ceil(edge_rows)
                * columns.div_ceil(edge_columns)
                * edge_rows
                * edge_columns;
            place
        })
        .collect()
}

pub fn plan() -> Plan {
    Plan::new(places(), &table()).expect("a plan")
}

/// Rows and columns of a matrix for each coefficient of a place; None where it is padding.
pub fn blocks(place: &Place) -> Vec<Vec<Option<usize>>> {
    let (a, b) = (place.edge_rows, place.edge_columns);
    let mut found = Vec::new();
    for down in 0..place.rows.div_ceil(a) {
        for across in 0..place.columns.div_ceil(b) {
            let numbers = (0..a * b).map(|at| (down * a + at / b, across * b + at % b));
            let inside = |(row, column)| {
                (row < place.rows && column < place.columns).then(|| row * place.columns + column)
            };
            found.push(numbers.map(inside).collect());
        }
    }
    found
}

/// A payload's counts, indices and signs.
pub type Payload = (Vec<u16>, Vec<u16>, Vec<i16>);

/// Up to `most` distinct indices of each group.
pub fn payload(chance: &mut Chance, plan: &Plan, most: usize) -> Payload {
    let (mut counts, mut indices, mut signs) = (vec![], vec![], vec![]);
    for group in 0..plan.groups() {
        let size = GROUP.min(plan.coefficients() - GROUP * group);
        let mut set: Vec<u16> = (0..most).map(|_| chance.below(size) as u16).collect();
        set.sort_unstable();
        set.dedup();
        counts.push(set.len() as u16);
        signs.extend(
            set.iter()
                .map(|_| if chance.below(2) == 0 { 1_i16 } else { -1 }),
        );
        indices.extend(set);
    }
    (counts, indices, signs)
}
