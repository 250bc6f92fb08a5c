//! `psyche_codec`: the payload codec and the update's arithmetic for Python. `psyche_client.optim`
//! calls it where it is there.

mod memory;
mod transform;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

type Arrays<'py> = (
    Bound<'py, PyByteArray>,
    Bound<'py, PyByteArray>,
    Bound<'py, PyByteArray>,
);

/// Coefficients, topk, most of a group, bits of a value.
type Parts = (u64, u16, u16, u32);

/// The payload codec and the update. `VERSION` is that of the payloads that it reads and writes.
#[pymodule]
mod psyche_codec {
    #[pymodule_export]
    use super::transform::{block_signs, Transform};
    #[pymodule_export]
    use super::{decode, encode};
    #[pymodule_export]
    const VERSION: u16 = ::psyche_codec::VERSION;
    #[pymodule_export]
    const TRANSFORM_VERSION: u16 = psyche_transform::VERSION;
    #[pymodule_export]
    const VOTE_MAX: u32 = psyche_transform::VOTE_MAX;
}

/// The body of a selection: counts and indices as uint16, values as int16.
///
/// The form is (coefficients, topk, most, value_bits).
/// Raises ValueError, with what is wrong, if the selection does not have the form.
#[pyfunction]
fn encode<'py>(
    py: Python<'py>,
    form: Parts,
    counts: PyBuffer<u16>,
    indices: PyBuffer<u16>,
    values: PyBuffer<i16>,
) -> PyResult<Bound<'py, PyBytes>> {
    let form = form_of(form)?;
    let (counts, indices, values) = (counts.to_vec(py)?, indices.to_vec(py)?, values.to_vec(py)?);
    let body = py.detach(|| ::psyche_codec::encode(&form, &counts, &indices, &values));
    Ok(PyBytes::new(
        py,
        &body.map_err(|misfit| PyValueError::new_err(misfit.0))?,
    ))
}

/// Counts, indices and values of a body, as the bytes of the arrays that `encode` takes.
///
/// Raises ValueError, with the name of the faulty section, if the body is not a payload's.
#[pyfunction]
fn decode<'py>(py: Python<'py>, body: &[u8], form: Parts, sent: u32) -> PyResult<Arrays<'py>> {
    let form = form_of(form)?;
    let selection = py
        .detach(|| ::psyche_codec::decode(body, &form, sent))
        .map_err(|fault| PyValueError::new_err(fault.name()))?;
    Ok((
        array(py, &selection.counts, u16::to_ne_bytes)?,
        array(py, &selection.indices, u16::to_ne_bytes)?,
        array(py, &selection.values, i16::to_ne_bytes)?,
    ))
}

fn form_of(parts: Parts) -> PyResult<::psyche_codec::Form> {
    let (coefficients, topk, most, value_bits) = parts;
    ::psyche_codec::Form::new(coefficients, topk)
        .and_then(|form| form.with(most, value_bits))
        .ok_or_else(|| PyValueError::new_err(format!("no payload has the form {parts:?}")))
}

/// A bytearray with the values as this machine keeps them: numpy may write to it.
fn array<'py, T: Copy, const N: usize>(
    py: Python<'py>,
    values: &[T],
    bytes_of: fn(T) -> [u8; N],
) -> PyResult<Bound<'py, PyByteArray>> {
    PyByteArray::new_with(py, N * values.len(), |bytes| {
        for (bytes, &value) in bytes.chunks_exact_mut(N).zip(values) {
            bytes.copy_from_slice(&bytes_of(value));
        }
        Ok(())
    })
}
