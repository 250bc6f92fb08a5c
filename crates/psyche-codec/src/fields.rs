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
pub(crate) fn write_fixed(out: &mut Vec<u8>, values: impl Iterator<Item = u16>, width: u32) {
    let (mut held, mut bits) = (0u32, 0);
    for value in values {
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
pub(crate) fn read_fixed<T>(
    bytes: &[u8],
    count: usize,
    width: u32,
    value_of: impl Fn(u16) -> T,
) -> Option<Vec<T>> {
    let mut values = Vec::with_capacity(count);
    let (mut held, mut bits) = (0u32, 0);
    let mut bytes = bytes.iter();
    for _ in 0..count {
        while bits < width {
            held |= u32::from(*bytes.next()?) << bits;
            bits += 8;
        }
        values.push(value_of((held & ((1 << width) - 1)) as u16));
        held >>= width;
        bits -= width;
    }
    (held == 0).then_some(values)
}

/// Each value in `width` bits: 1 for above zero, then its magnitude less one.
pub(crate) fn write_values(out: &mut Vec<u8>, values: &[i16], width: u32) {
    let fields = values.iter().map(|&value| {
        let magnitude = value.unsigned_abs() - 1;
        magnitude << 1 | u16::from(value > 0)
    });
    write_fixed(out, fields, width);
}

/// The values that [`write_values`] wrote.
pub(crate) fn read_values(
    reader: &mut Reader<'_>,
    count: usize,
    width: u32,
) -> Result<Vec<i16>, Fault> {
    let bytes = reader
        .take((count * width as usize).div_ceil(8))
        .ok_or(Fault::Length)?;
    if width == 1 {
        return read_signs(bytes, count).ok_or(Fault::Padding);
    }
    read_fixed(bytes, count, width, |field| {
        let magnitude = (field >> 1) as i16 + 1;
        if field & 1 == 1 {
            magnitude
        } else {
            -magnitude
        }
    })
    .ok_or(Fault::Padding)
}

/// The same as [`read_fixed`] for values of one bit, eight at a time.
fn read_signs(bytes: &[u8], count: usize) -> Option<Vec<i16>> {
    let mut signs = vec![0; count];
    for (eight, &byte) in signs.chunks_mut(8).zip(bytes) {
        for (place, sign) in eight.iter_mut().enumerate() {
            *sign = i16::from(byte >> place & 1) * 2 - 1;
        }
    }
    let used = count % 8;
    let padded = used != 0 && bytes.last().is_some_and(|&last| last >> used != 0);
    (!padded).then_some(signs)
}
