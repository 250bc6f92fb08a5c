//! Host-side chores. `cargo run -p xtask -- idl | layout | golden`.

use std::{env, process::ExitCode};

mod golden;
mod idl;
mod layout;

fn main() -> ExitCode {
    let task = env::args().nth(1).unwrap_or_default();
    let done = match task.as_str() {
        "idl" => idl::write(),
        "layout" => layout::write(),
        "golden" => layout::write().and_then(|()| golden::write()),
        _ => {
            eprintln!("error: unknown task `{task}`\n\nhint: one of idl, layout, golden");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
