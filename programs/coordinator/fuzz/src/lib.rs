//! Fuzzing on a host, with stable Rust: arbitrary sequences of instructions on a run, and
//! arbitrary bytes in its accounts. What is called is the program's own entry point; what there is
//! to call comes from the IDL.
#![allow(clippy::missing_panics_doc)] // A harness stops where it must not go on.

pub mod account_bytes;
pub mod act;
pub mod arguments;
pub mod checks;
pub mod host;
pub mod idl;
pub mod rng;
pub mod scene;
pub mod sequences;
pub mod system;

/// A case that found something: how to make it again, and what is wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The case's seed.
    pub seed: u64,
    /// What happened before, in order.
    pub trace: Vec<String>,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "case {}: {}", self.seed, self.what)?;
        for (index, line) in self.trace.iter().enumerate() {
            writeln!(out, "  {index:3}  {line}")?;
        }
        Ok(())
    }
}
