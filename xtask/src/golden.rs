//! Golden vectors: what the rules in `coordinator::machine` answer, for others to agree with.
//!
//! Each file of tests/golden says who made it and why; Rust and Python both read it.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

mod backlog;
mod bloom;
mod draws;
mod hashes;
mod phases;
mod shares;

/// A file: its name, why it exists, and its lists of cases by name.
pub struct Golden {
    name: &'static str,
    reason: &'static str,
    lists: Vec<(&'static str, Vec<Value>)>,
}

impl Golden {
    /// The file's text: one line a case, so that a change shows as what it is.
    fn text(&self) -> Result<String> {
        let mut text = format!(
            "{{\n \"made_by\": \"cargo run -p xtask -- golden\",\n \"reason\": {}",
            serde_json::to_string(self.reason)?
        );
        for (name, cases) in &self.lists {
            text.push_str(&format!(",\n \"{name}\": [\n"));
            let lines: Result<Vec<String>, _> = cases.iter().map(serde_json::to_string).collect();
            text.push_str("  ");
            text.push_str(&lines?.join(",\n  "));
            text.push_str("\n ]");
        }
        text.push_str("\n}\n");
        Ok(text)
    }

    fn path(&self) -> PathBuf {
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        root.join("tests/golden")
            .join(format!("{}.json", self.name))
    }
}

fn all() -> Vec<Golden> {
    vec![
        draws::draw(),
        draws::permutation(),
        shares::shares(),
        shares::batch(),
        shares::tally(),
        backlog::backlog(),
        phases::phase(),
        hashes::chain_hash(),
        hashes::vote(),
        bloom::bloom(),
    ]
}

/// Writes all files of vectors.
///
/// # Errors
/// A file cannot be written.
pub fn write() -> Result<()> {
    for golden in all() {
        let path = golden.path();
        fs::write(&path, golden.text()?).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Bytes as lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A hash that stands for anything, told apart by a number.
fn some_hash(number: u64) -> [u8; 32] {
    coordinator::machine::hash::sha256(&[b"golden", &number.to_le_bytes()])
}

#[cfg(test)]
mod tests {
    use super::{all, fs};

    #[test]
    fn the_committed_files_are_what_the_rules_answer() {
        for golden in all() {
            let committed = fs::read_to_string(golden.path()).unwrap_or_default();
            let same = committed == golden.text().unwrap_or_default();
            assert!(same, "{}: run `make golden`", golden.path().display());
        }
    }
}
