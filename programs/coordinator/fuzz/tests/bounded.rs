//! Both targets for a little while, from fixed seeds; see docs/TESTING.md for longer.

use std::process::{Command, Stdio};

fn fuzz(target: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_coordinator-fuzz"))
        .args([target, "--seconds", "10"])
        .stdout(Stdio::null())
        .output()
        .expect("the harness starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    // Enough happened for the silence to mean something.
    let count = |before: &str| {
        let number = words.split(before).next()?.rsplit(", ").next()?;
        number.trim().parse::<u64>().ok()
    };
    assert!(count(" accepted") > Some(100), "{words}");
    assert!(count(" rounds") > Some(10), "{words}");
}

#[test]
fn arbitrary_sequences_of_instructions_keep_what_must_hold() {
    fuzz("sequences");
}

#[test]
fn arbitrary_account_bytes_never_panic_and_are_refused() {
    fuzz("bytes");
}
