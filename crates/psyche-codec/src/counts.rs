//! How many coefficients each group sends: a list of the groups that send more or less than the plain
//! number, or a field for each group where that is shorter.

use crate::fields::{read_fixed, write_fixed, write_number, Reader};
use crate::{Fault, Form};

const LIST: u8 = 0;
const FIELDS: u8 = 1;

/// Writes the mode and the counts.
pub(crate) fn write(out: &mut Vec<u8>, form: &Form, counts: &[u16]) {
    let list = list_of(form, counts);
    if list.len() <= fields_len(form) {
        out.push(LIST);
        out.extend_from_slice(&list);
    } else {
        out.push(FIELDS);
        write_fixed(out, counts.iter().copied(), width(form));
    }
}

/// Reads what [`write`] wrote, and nothing else.
pub(crate) fn read(reader: &mut Reader<'_>, form: &Form, sent: u32) -> Result<Vec<u16>, Fault> {
    let counts = match reader.byte() {
        Some(LIST) => read_list(reader, form),
        Some(FIELDS) => read_fields(reader, form),
        _ => None,
    };
    let counts = counts.ok_or(Fault::Counts)?;
    let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    if total != u64::from(sent) || total > form.sent_max() {
        return Err(Fault::Counts);
    }
    Ok(counts)
}

fn width(form: &Form) -> u32 {
    u16::BITS - form.most().leading_zeros()
}

fn fields_len(form: &Form) -> usize {
    (form.groups() * width(form) as usize).div_ceil(8)
}

/// The number of groups that differ; for each the groups since the last one, and its difference.
fn list_of(form: &Form, counts: &[u16]) -> Vec<u8> {
    let mut pairs = Vec::new();
    let (mut listed, mut since) = (0, 0);
    for (group, &count) in counts.iter().enumerate() {
        let plain = form.plain(group);
        if count == plain {
            since += 1;
            continue;
        }
        write_number(&mut pairs, since);
        // What it lacks is 1 to the plain number, so a larger count stands for itself.
        let differs = if count < plain { plain - count } else { count };
        write_number(&mut pairs, differs.into());
        (listed, since) = (listed + 1, 0);
    }
    let mut list = Vec::with_capacity(pairs.len() + 5);
    write_number(&mut list, listed);
    list.append(&mut pairs);
    list
}

fn read_list(reader: &mut Reader<'_>, form: &Form) -> Option<Vec<u16>> {
    let before = reader.left();
    let listed = reader.number()?;
    let mut counts: Vec<u16> = (0..form.groups()).map(|group| form.plain(group)).collect();
    let mut next = 0usize;
    for _ in 0..listed {
        let group = next.checked_add(reader.number()? as usize)?;
        let differs: u16 = reader.number()?.try_into().ok()?;
        let count = counts.get_mut(group)?;
        if differs == 0 || differs > form.limit(group) {
            return None;
        }
        *count = count.checked_sub(differs).unwrap_or(differs);
        next = group + 1;
    }
    (before - reader.left() <= fields_len(form)).then_some(counts)
}

fn read_fields(reader: &mut Reader<'_>, form: &Form) -> Option<Vec<u16>> {
    let bytes = reader.take(fields_len(form))?;
    let counts = read_fixed(bytes, form.groups(), width(form), |count| count)?;
    let fit = counts
        .iter()
        .enumerate()
        .all(|(group, &count)| count <= form.limit(group));
    (fit && list_of(form, &counts).len() > fields_len(form)).then_some(counts)
}
