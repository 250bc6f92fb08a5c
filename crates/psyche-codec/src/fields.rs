//! Bytes, numbers and bit fields, least significant bit first.

use crate::Fault;

/// Takes bytes from the front, never past the end.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// A number of seven bits a byte, in as few bytes as it needs.
    pub(crate) fn number(&mut self) -> Option<u32> {
        let mut value = 0u64;
        for place in 0..5 {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << (7 * place);
            if byte < 128 {
                let shortest = byte > 0 || place == 0;
                return if shortest {
                    value.try_into().ok()
                } else {
                    None
                };
            }
        }
        None
    }
}

/// Writes what [`Reader::number`] reads.
pub(crate) fn write_number(out: &mut Vec<u8>, mut value: u32) {
    while value >= 128 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Each value in `width` bits, then zeros to a whole byte.
pub(crate) fn write_fixed(out: &mut Vec<u8>, values: &[u16], width: u32) {
    let (mut held, mut bits) = (0u32, 0);
    for &value in values {
        held |= u32::from(value) << bits;
        bits += width;
        while bits >= 8 {
            out.push(held as u8);
            held >>= 8;
            bits -= 8;
        }
    }
    if bits > 0 {
        out.push(held as u8);
    }
}

/// The values that [`write_fixed`] wrote; none if a bit after the last one is set.
pub(crate) fn read_fixed(bytes: &[u8], count: usize, width: u32) -> Option<Vec<u16>> {
    let mut values = Vec::with_capacity(count);
    let (mut held, mut bits) = (0u32, 0);
    let mut bytes = bytes.iter();
    for _ in 0..count {
        while bits < width {
            held |= u32::from(*bytes.next()?) << bits;
            bits += 8;
        }
        values.push((held & ((1 << width) - 1)) as u16);
        held >>= width;
        bits -= width;
    }
    (held == 0).then_some(values)
}

/// One bit a sign, 1 for +1.
pub(crate) fn write_signs(out: &mut Vec<u8>, signs: &[i8]) {
    for eight in signs.chunks(8) {
        let bits = eight.iter().enumerate();
        out.push(bits.fold(0, |byte, (place, &sign)| byte | u8::from(sign > 0) << place));
    }
}

/// The signs that [`write_signs`] wrote.
pub(crate) fn read_signs(reader: &mut Reader<'_>, count: usize) -> Result<Vec<i8>, Fault> {
    let bytes = reader.take(count.div_ceil(8)).ok_or(Fault::Length)?;
    let mut signs = vec![0; count];
    for (eight, &byte) in signs.chunks_mut(8).zip(bytes) {
        for (place, sign) in eight.iter_mut().enumerate() {
            *sign = ((byte >> place & 1) as i8) * 2 - 1;
        }
    }
    let used = count % 8;
    let padded = used != 0 && bytes.last().is_some_and(|&last| last >> used != 0);
    if padded {
        return Err(Fault::Padding);
    }
    Ok(signs)
}
