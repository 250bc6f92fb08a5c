//! Writes the golden vectors of the rules.

use anyhow::Result;

/// Writes nothing yet.
pub fn write() -> Result<()> {
    Ok(())
}
