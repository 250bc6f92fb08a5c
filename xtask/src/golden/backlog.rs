//! Vectors of the backlog: a long row of takings and givings, with the list after each.

use coordinator::machine::{
    backlog::{Backlog, Interval},
    draw::Words,
};
use serde_json::{json, Value};

use super::{hex, some_hash, Golden};

/// Rows for a list that overflows soon and for the size that accounts have.
pub fn backlog() -> Golden {
    Golden {
        name: "backlog",
        reason: "What has to be trained again, in which order, follows from what failed.",
        lists: vec![("rows", vec![row(40, 5), row(41, 32)])],
    }
}

fn ranges(intervals: &[Interval]) -> Vec<[u64; 2]> {
    intervals.iter().map(|one| [one.start, one.end]).collect()
}

/// Each step takes a batch and gives some of its shares back, drawn from the seed.
fn row(number: u64, entries: usize) -> Value {
    let mut words = Words::new(some_hash(number));
    let mut intervals = vec![Interval::default(); entries];
    let mut count = 0;
    let mut cursor = 0;
    let mut steps = Vec::new();
    for _ in 0..40 {
        let mut backlog = Backlog {
            intervals: &mut intervals,
            count: &mut count,
        };
        let batch = words.uniform(60) + 1;
        let taken = backlog.take(batch, &mut cursor);
        let segments = &taken.segments[..taken.count as usize];
        let after_taking = ranges(backlog.as_slice());
        let mut given = Vec::new();
        for share in 0..6 {
            if words.uniform(3) == 0 {
                let first = taken.sequences * share / 6;
                let end = taken.sequences * (share + 1) / 6;
                let back = backlog.give_back_share(segments, first, end);
                given.push(json!([first, end, back.repeated, back.overlapped]));
            }
        }
        steps.push(json!({
            "batch": batch, "segments": ranges(segments), "sequences": taken.sequences,
            "fresh": taken.fresh, "after_taking": after_taking, "given": given,
            "after_giving": ranges(backlog.as_slice()),
        }));
    }
    json!({"seed": hex(&some_hash(number)), "entries": entries, "steps": steps})
}
