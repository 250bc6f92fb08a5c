//! Strands: the sets of some 2,048 coefficients as one number each.
//!
//! A number (the state) holds a set of t indices as: some index of the set, and the other t - 1.
//! Which one it was is told by the state itself, so that the order of a set costs nothing: the
//! index takes 12 bits, and gives log2 t back. Several strands are read or written side by side,
//! because each step waits for the one before.

use std::ops::Range;

use crate::fields::Reader;
use crate::Fault;

/// A strand has the groups that begin in its part of so many coefficients.
const STRAND: usize = 2_048;
/// Every state lies in 2^16..2^32; a strand begins with the least.
pub(crate) const FIRST: u32 = 1 << 16;
pub(crate) const INDEX_BITS: u32 = 12;
/// Strands side by side.
pub(crate) const LANES: usize = 8;

/// The groups and coefficients of a strand.
pub(crate) struct Strand {
    pub(crate) groups: Range<usize>,
    pub(crate) coefficients: Range<usize>,
}

/// The strands of a payload with these counts.
pub(crate) fn cut(counts: &[u16]) -> Vec<Strand> {
    let mut strands: Vec<Strand> = Vec::new();
    let mut at = 0;
    for (group, &count) in counts.iter().enumerate() {
        let end = at + usize::from(count);
        match strands.last_mut() {
            _ if count == 0 => {}
            Some(last) if last.coefficients.start / STRAND == at / STRAND => {
                last.groups.end = group + 1;
                last.coefficients.end = end;
            }
            _ => strands.push(Strand {
                groups: group..group + 1,
                coefficients: at..end,
            }),
        }
        at = end;
    }
    strands
}

/// The words of each strand; the lengths must use the body up.
pub(crate) fn read_words(
    reader: &mut Reader<'_>,
    strands: &[Strand],
) -> Result<Vec<Vec<u16>>, Fault> {
    let lengths = reader.take(2 * strands.len()).ok_or(Fault::Length)?;
    let lengths: Vec<usize> = words(lengths)
        .map(|length| 2 * usize::from(length) + 4)
        .collect();
    if lengths.iter().sum::<usize>() != reader.left() {
        return Err(Fault::Length);
    }
    let taken = lengths
        .into_iter()
        .map(|length| reader.take(length).map(|b| words(b).collect()));
    taken.collect::<Option<_>>().ok_or(Fault::Length)
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
}

/// The least and the largest count of groups that are coded side by side.
pub(crate) fn extremes(counts: &[u32; LANES]) -> (u32, u32) {
    let least = counts.iter().copied().min().unwrap_or(0);
    (least, counts.iter().copied().max().unwrap_or(0))
}
