//! The update's arithmetic for Python.

use psyche_transform::{Misfit, Place, Plan, Step, Votes};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::memory::{numbers, numbers_mut};
use crate::{array, Arrays};

type Payload = (PyBuffer<u16>, PyBuffer<u16>, PyBuffer<i16>);

fn refused(misfit: Misfit) -> PyErr {
    PyValueError::new_err(misfit.0)
}

/// `generate` and `update` over one layout, on float32 arrays of this machine's memory.
#[pyclass(frozen)]
pub struct Transform(Plan);

#[pymethods]
impl Transform {
    /// Takes (start, rows, columns, edge rows, edge columns, decays) of each place in the order of
    /// starts, and the int16 table of every edge from 1 to 64 on.
    #[new]
    fn new(
        places: Vec<(usize, usize, usize, usize, usize, bool)>,
        table: PyBuffer<i16>,
    ) -> PyResult<Self> {
        let places = places.into_iter();
        let places = places.map(
            |(start, rows, columns, edge_rows, edge_columns, decays)| Place {
                start,
                rows,
                columns,
                edge_rows,
                edge_columns,
                decays,
            },
        );
        let plan = Plan::new(places.collect(), numbers(&table)?);
        Ok(Self(plan.map_err(refused)?))
    }

    /// Takes gradients into the momentum; bytes of what is taken out: counts, indices, values.
    #[expect(clippy::too_many_arguments)]
    fn generate<'py>(
        &self,
        py: Python<'py>,
        momentum: PyBuffer<f32>,
        gradients: Vec<PyBuffer<f32>>,
        beta: f32,
        scale: f32,
        topk: u16,
        threads: usize,
    ) -> PyResult<Arrays<'py>> {
        let read: Vec<&[f32]> = gradients.iter().map(numbers).collect::<PyResult<_>>()?;
        let mut written = [momentum];
        let momentum = numbers_mut(&mut written, &read)?.pop().unwrap_or_default();
        let picked = py
            .detach(|| {
                let factors = (beta, scale);
                psyche_transform::generate(&self.0, momentum, &read, factors, topk, threads)
            })
            .map_err(refused)?;
        Ok((
            array(py, &picked.counts, u16::to_ne_bytes)?,
            array(py, &picked.indices, u16::to_ne_bytes)?,
            array(py, &picked.values, f32::to_ne_bytes)?,
        ))
    }

    /// Moves parameters by the votes of payloads: counts, indices and int16 values of each.
    #[expect(clippy::too_many_arguments)]
    fn update(
        &self,
        py: Python<'_>,
        mut parameters: Vec<PyBuffer<f32>>,
        payloads: Vec<Payload>,
        cap: u16,
        rate: f32,
        shrink: f32,
        threads: usize,
    ) -> PyResult<()> {
        let parameters = numbers_mut(&mut parameters, &[])?;
        let votes = payloads.iter().map(|(counts, indices, values)| {
            Ok(Votes {
                counts: numbers(counts)?,
                indices: numbers(indices)?,
                values: numbers(values)?,
            })
        });
        let votes: Vec<Votes> = votes.collect::<PyResult<_>>()?;
        let step = Step { cap, rate, shrink };
        py.detach(|| psyche_transform::update(&self.0, parameters, &votes, step, threads))
            .map_err(refused)
    }
}

/// int8 signs of the inverse transform of whole blocks of int32 votes, by the code of `update`.
#[pyfunction]
pub fn block_signs<'py>(
    py: Python<'py>,
    edges: (usize, usize),
    down: PyBuffer<i16>,
    across: PyBuffer<i16>,
    votes: PyBuffer<i32>,
) -> PyResult<Bound<'py, pyo3::types::PyByteArray>> {
    let tables = (numbers(&down)?, numbers(&across)?);
    let signs = psyche_transform::block_signs(edges, tables, numbers(&votes)?);
    array(py, &signs.map_err(refused)?, i8::to_ne_bytes)
}
