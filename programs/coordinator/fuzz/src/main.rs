//! `cargo run --release -p coordinator-fuzz -- sequences|bytes [--seconds N] [--seed S] [--case C]`
//!
//! Case after case from seed S on, until the time is over; the first finding ends it with status 1
//! and with what makes it again. What the program logs is thrown away: words are on stderr.

use std::{
    process::{exit, Command, Stdio},
    time::{Duration, Instant},
};

use coordinator_fuzz::{account_bytes, idl::Idl, sequences, Finding};

const USAGE: &str = "usage: coordinator-fuzz sequences|bytes [--seconds N] [--seed S] [--case C]";
/// Set in the child that does the work.
const CHILD: &str = "--child";

struct Options {
    target: String,
    seconds: u64,
    seed: u64,
    case: Option<u64>,
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let Some(options) = parse(&given) else {
        eprintln!("{USAGE}");
        exit(2);
    };
    if !given.iter().any(|one| one == CHILD) {
        // Anchor prints each refusal on stdout: too much of it to keep.
        let me = std::env::current_exe().expect("the path of this program");
        let mut child = Command::new(me);
        child.args(&given).arg(CHILD).stdout(Stdio::null());
        let status = child.status().expect("this program runs once more");
        exit(status.code().unwrap_or(1));
    }
    if let Err(finding) = work(&options) {
        eprintln!("{finding}");
        eprintln!(
            "again: coordinator-fuzz {} --case {}",
            options.target, finding.seed
        );
        exit(1);
    }
}

fn parse(given: &[String]) -> Option<Options> {
    let mut options = Options {
        target: String::new(),
        seconds: 10,
        seed: 1,
        case: None,
    };
    let mut rest = given.iter();
    while let Some(one) = rest.next() {
        match one.as_str() {
            "sequences" | "bytes" => options.target.clone_from(one),
            "--seconds" => options.seconds = rest.next()?.parse().ok()?,
            "--seed" => options.seed = rest.next()?.parse().ok()?,
            "--case" => options.case = Some(rest.next()?.parse().ok()?),
            CHILD => {}
            _ => return None,
        }
    }
    (!options.target.is_empty()).then_some(options)
}

fn work(options: &Options) -> Result<(), Box<Finding>> {
    let idl = Idl::load();
    let run = match options.target.as_str() {
        "sequences" => sequences::case,
        _ => account_bytes::case,
    };
    let mut tally = sequences::Tally::default();
    if let Some(case) = options.case {
        return run(&idl, case, &mut tally);
    }
    let begun = Instant::now();
    // Seeds of different --seed do not meet.
    let first = options.seed << 32;
    let mut cases = 0;
    while cases == 0 || begun.elapsed() < Duration::from_secs(options.seconds) {
        run(&idl, first + cases, &mut tally)?;
        cases += 1;
    }
    eprintln!(
        "{}: {cases} cases, {} instructions sent, {} accepted, {} rounds, nothing found",
        options.target, tally.sent, tally.done, tally.rounds
    );
    Ok(())
}
