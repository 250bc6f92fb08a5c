//! The body of a payload: which coefficients a member sends in a round, and their values.
//!
//! `docs/payload.md` has the format to the bit. A selection has exactly one body and a body at
//! most one selection; whatever the bytes are, reading them takes time and memory that the form
//! bounds. The Python package has the same coder in numpy; either one writes what the other reads.
#![forbid(unsafe_code)]

mod counts;
mod fields;
mod form;
mod ranks;
mod reading;
mod set;
mod strand;
mod writing;

pub use form::{Form, GROUP_SIZE, VALUE_BITS_MAX};

use fields::Reader;

/// The version of payloads that this crate reads and writes.
pub const VERSION: u16 = 3;

/// What one member sends in a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Coefficients of each group.
    pub counts: Vec<u16>,
    /// Indices within their groups, rising in each; one group after the other.
    pub indices: Vec<u16>,
    /// Whole numbers but 0, in the order of the indices; +1 or -1 where a value has one bit.
    pub values: Vec<i16>,
}

/// The first section of a body that is not as the format wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The counts are cut off, have another encoding, exceed a limit or do not add up.
    Counts,
    /// The body is shorter or longer than its counts and strands say.
    Length,
    /// A bit after the last value is set.
    Padding,
    /// A strand does not decode to rising indices of its groups, or has another encoding.
    Strand,
}

impl Fault {
    /// The name that the Python package gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Length => "length",
            Self::Padding => "padding",
            Self::Strand => "strand",
        }
    }
}

/// A selection that has no body: it does not have the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit(pub &'static str);

/// The one body of a selection.
///
/// # Errors
/// [`Misfit`] if counts exceed their limits, indices do not rise within their groups or are out
/// of range, or a value is 0 or has too large a magnitude.
pub fn encode(
    form: &Form,
    counts: &[u16],
    indices: &[u16],
    values: &[i16],
) -> Result<Vec<u8>, Misfit> {
    check(form, counts, indices, values)?;
    let strands = strand::cut(counts);
    let mut body = Vec::with_capacity(4 * indices.len() + 6 * strands.len() + 16);
    counts::write(&mut body, form, counts);
    fields::write_values(&mut body, values, form.value_bits());
    writing::write(&mut body, &strands, counts, indices);
    Ok(body)
}

/// The selection in a body; `sent` is the header's number of coefficients.
///
/// # Errors
/// [`Fault`] names the first section that is not as the format wants it.
pub fn decode(body: &[u8], form: &Form, sent: u32) -> Result<Selection, Fault> {
    let mut reader = Reader::new(body);
    let counts = counts::read(&mut reader, form, sent)?;
    // The counts add up to it and each has its limit, so the form bounds all that follows.
    let sent = sent as usize;
    let values = fields::read_values(&mut reader, sent, form.value_bits())?;
    let strands = strand::cut(&counts);
    let words = strand::read_words(&mut reader, &strands)?;
    let indices = reading::read(&words, &strands, &counts, form)?;
    Ok(Selection {
        counts,
        indices,
        values,
    })
}

fn check(form: &Form, counts: &[u16], indices: &[u16], values: &[i16]) -> Result<(), Misfit> {
    let above = |(group, &count): (usize, &u16)| count > form.limit(group);
    if counts.len() != form.groups() || counts.iter().enumerate().any(above) {
        return Err(Misfit("the selection's counts do not fit the form"));
    }
    let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
    if total as u64 > form.sent_max() {
        return Err(Misfit("the selection's counts do not fit the form"));
    }
    if indices.len() != total || values.len() != total {
        return Err(Misfit(
            "the selection's indices and values do not match its counts",
        ));
    }
    let largest = 1 << (form.value_bits() - 1);
    if values
        .iter()
        .any(|value| !(1..=largest).contains(&value.unsigned_abs()))
    {
        return Err(Misfit("a value is 0 or does not fit its bits"));
    }
    let mut rest = indices;
    for (group, &count) in counts.iter().enumerate() {
        let (set, after) = rest.split_at(usize::from(count));
        let rises = set.windows(2).all(|pair| pair[0] < pair[1]);
        if !rises || set.last().is_some_and(|&last| last >= form.size(group)) {
            return Err(Misfit(
                "indices do not rise within their groups, or are out of range",
            ));
        }
        rest = after;
    }
    Ok(())
}
