//! Selections by chance, for every kind of form.

use psyche_codec::{Form, Selection, GROUP_SIZE};

/// xorshift64*: the same numbers everywhere.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % limit
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// How counts differ from the plain ones.
#[derive(Clone, Copy)]
pub enum Counts {
    Plain,
    AFewOthers,
    Anything,
    Zero,
}

pub const COUNTS: [Counts; 4] = [
    Counts::Plain,
    Counts::AFewOthers,
    Counts::Anything,
    Counts::Zero,
];

pub fn form(chance: &mut Chance) -> Form {
    let topk = chance.pick(&[1, 2, 3, 8, 64, 300, 2_048, 4_096]);
    let coefficients = 1 + chance.below(4 * u64::from(GROUP_SIZE));
    let most = chance.pick(&[topk, topk, topk.max(40), GROUP_SIZE]);
    let value_bits = chance.pick(&[1, 1, 2, 4, 12]);
    let form = Form::new(coefficients, topk).and_then(|form| form.with(most, value_bits));
    form.expect("a valid form")
}

pub fn selection(chance: &mut Chance, form: &Form, counts: Counts) -> Selection {
    let (mut made, mut left) = (Selection::default(), form.sent_max());
    for group in 0..form.groups() {
        let (plain, limit) = (u64::from(form.plain(group)), u64::from(form.limit(group)));
        let count = match counts {
            Counts::Plain => plain,
            Counts::AFewOthers if chance.below(8) > 0 => plain,
            Counts::AFewOthers | Counts::Anything => chance.below(limit + 1),
            Counts::Zero => 0,
        };
        let count = count.min(left);
        left -= count;
        made.counts.push(count as u16);
        made.indices
            .extend(indices(chance, form.size(group), count as usize));
    }
    let largest = 1 << (form.value_bits() - 1);
    made.values = (made.indices.iter())
        .map(|_| chance.pick(&[-1, 1]) * (1 + chance.below(largest) as i16))
        .collect();
    made
}

fn indices(chance: &mut Chance, size: u16, count: usize) -> Vec<u16> {
    let mut all: Vec<u16> = (0..size).collect();
    for place in 0..count {
        let other = place + chance.below((all.len() - place) as u64) as usize;
        all.swap(place, other);
    }
    all.truncate(count);
    all.sort_unstable();
    all
}

pub fn encode(form: &Form, selection: &Selection) -> Vec<u8> {
    let Selection {
        counts,
        indices,
        values,
    } = selection;
    psyche_codec::encode(form, counts, indices, values).expect("a selection of that form")
}
