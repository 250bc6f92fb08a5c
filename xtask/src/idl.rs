//! Writes idl/coordinator.json, as `anchor idl build` would.

use std::{fs, path::Path};

use anchor_lang_idl::build::IdlBuilder;
use anyhow::{Context, Result};

/// The program's folder, and where its interface goes.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../programs/coordinator");
const IDL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../idl/coordinator.json");

/// Builds the interface and writes it.
pub fn write() -> Result<()> {
    let program = Path::new(PROGRAM)
        .canonicalize()
        .context("no program folder")?;
    // rustup sets it for us; the builder would hand it on unexpanded.
    std::env::remove_var("RUSTUP_TOOLCHAIN");
    let idl = IdlBuilder::new()
        .program_path(program)
        .skip_lint(true)
        .build()?;
    let mut text = serde_json::to_string_pretty(&idl)?;
    text.push('\n');
    fs::write(IDL, text).context("cannot write the interface")?;
    eprintln!(
        "wrote {} types, {} instructions",
        idl.types.len(),
        idl.instructions.len()
    );
    Ok(())
}
