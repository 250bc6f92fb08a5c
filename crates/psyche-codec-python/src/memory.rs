//! Arrays of Python seen as slices, without a copy. The crate's only unsafe code.
//!
//! Whoever calls lets no other thread write to these arrays meanwhile: tensors of a round belong to
//! the thread that works on it, and torch's own functions ask the same.
#![allow(unsafe_code)]

use std::ptr::NonNull;

use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The numbers of a contiguous array.
pub fn numbers<T: Element>(buffer: &PyBuffer<T>) -> PyResult<&[T]> {
    if buffer.item_count() == 0 {
        return Ok(&[]);
    }
    // SAFETY: the pointer is aligned and the buffer, which is borrowed, keeps its memory.
    Ok(unsafe { pointer(buffer)?.as_ref() })
}

/// The numbers of contiguous arrays that are written.
///
/// Raises ValueError if one cannot be written or shares memory with another or with one of `read`.
pub fn numbers_mut<'a>(
    written: &'a mut [PyBuffer<f32>],
    read: &[&[f32]],
) -> PyResult<Vec<&'a mut [f32]>> {
    let mut pointers = Vec::with_capacity(written.len());
    for buffer in written.iter().filter(|buffer| buffer.item_count() > 0) {
        if buffer.readonly() {
            return Err(PyValueError::new_err("an array cannot be written"));
        }
        pointers.push(pointer(buffer)?);
    }
    let shared = read.iter().map(|one| (NonNull::from(*one), false));
    if overlap(pointers.iter().map(|one| (*one, true)).chain(shared)) {
        return Err(PyValueError::new_err("arrays share memory"));
    }
    // SAFETY: as in `numbers`; besides, the array may be written and overlaps no other slice here.
    let slices = pointers.into_iter().map(|mut one| unsafe { one.as_mut() });
    Ok(slices.collect())
}

fn pointer<T: Element>(buffer: &PyBuffer<T>) -> PyResult<NonNull<[T]>> {
    let none = || PyValueError::new_err("an array is not contiguous");
    buffer.as_slice_ptr().ok_or_else(none)
}

/// Whether one that is written shares bytes with any other.
fn overlap(slices: impl Iterator<Item = (NonNull<[f32]>, bool)>) -> bool {
    let mut spans: Vec<(usize, usize, bool)> = slices
        .filter(|(one, _)| !one.is_empty())
        .map(|(one, writes)| (one.addr().get(), size_of::<f32>() * one.len(), writes))
        .collect();
    spans.sort_unstable();
    let (mut end, mut written_end) = (0, 0);
    for (start, length, writes) in spans {
        if start < written_end || (writes && start < end) {
            return true;
        }
        end = end.max(start + length);
        if writes {
            written_end = start + length;
        }
    }
    false
}
