//! Vectors of who trains how much, and of what becomes of it.

use coordinator::machine::{
    batch::batch_sequences,
    shares::{first_weight, grown_weight, halved_weight, lower_median, share_ends, weight_limit},
    tally::{Outcome, Tally},
};
use serde_json::{json, Value};

use super::Golden;

/// Weights that differ, the same each time.
fn weights(count: u32) -> Vec<u16> {
    let weight = |index: u32| (index.wrapping_mul(2_654_435_761) >> 16) as u16 % 1000 + 1;
    (0..count).map(weight).collect()
}

/// Every function of `shares.rs`.
pub fn shares() -> Golden {
    Golden {
        name: "shares",
        reason: "Every trainer must know its own part of a round, and everybody else's.",
        lists: vec![
            ("ends", ends()),
            ("limit", limits()),
            ("median", medians()),
            ("weights", growth()),
        ],
    }
}

fn ends() -> Vec<Value> {
    let case = |(batch, percent, weights): (u32, u8, Vec<u16>)| {
        let mut ends = vec![0; weights.len()];
        share_ends(batch, percent, weights.iter().copied(), &mut ends);
        json!({"batch": batch, "percent": percent, "weights": weights, "ends": ends})
    };
    let lists = [
        (100, 25, vec![]),
        (100, 25, vec![0, 0]),
        (10, 50, vec![1, 1, 1]),
        (2, 100, vec![5, 5, 5]),
        (100, 25, vec![1000, 10, 10, 10, 10]),
        (64, 100, weights(7)),
        (1_000_003, 7, weights(40)),
        (u32::MAX, 100, weights(100)),
    ];
    lists.into_iter().map(case).collect()
}

fn limits() -> Vec<Value> {
    let case = |(sum, members, percent): (u32, u32, u8)| {
        json!([sum, members, percent, weight_limit(sum, members, percent)])
    };
    [
        (1000, 4, 25),
        (1000, 5, 25),
        (3, 200, 1),
        (99, 2, 51),
        (1_024_000, 1024, 1),
    ]
    .into_iter()
    .map(case)
    .collect()
}

fn medians() -> Vec<Value> {
    let case = |weights: Vec<u16>| {
        let median = lower_median(weights.iter().copied());
        json!({"weights": weights, "median": median})
    };
    let lists = [
        vec![],
        vec![7],
        vec![1, 1000],
        weights(9),
        weights(10),
        weights(64),
    ];
    lists.into_iter().map(case).collect()
}

fn growth() -> Vec<Value> {
    let mut cases = Vec::new();
    for (declared, weight) in [(1, 1), (7, 3), (1000, 501), (1000, 500), (40, 60), (5, 1)] {
        cases.push(json!({
            "declared": declared, "weight": weight,
            "first": first_weight(declared, Some(weight)),
            "first_alone": first_weight(declared, None),
            "grown": grown_weight(weight, declared), "halved": halved_weight(weight),
        }));
    }
    cases
}

/// The ramp of the batch.
pub fn batch() -> Golden {
    let mut cases = Vec::new();
    let ramps = [
        (8, 16, 0),
        (8, 16, 3),
        (8, 8, 5),
        (1, u32::MAX, 1 << 40),
        (64, 4096, 1000),
    ];
    for (start, end, ramp) in ramps {
        for step in [0, 1, 2, 3, 4, 999, 1 << 30, (1 << 40) - 1, 1 << 40] {
            cases.push(json!([
                start,
                end,
                ramp,
                step,
                batch_sequences(start, end, ramp, step)
            ]));
        }
    }
    Golden {
        name: "batch",
        reason: "The size of a round follows from its step alone.",
        lists: vec![("cases", cases)],
    }
}

/// Acceptance by votes: for each draw the outcome of every number of votes.
pub fn tally() -> Golden {
    let mut cases = Vec::new();
    for elected in [0, 1, 2, 3, 4, 5, 8, 9, 32] {
        for attested in 0..=elected {
            let tally = Tally::new(elected, attested);
            let by_votes = |rejected| -> Vec<&str> {
                (0..=attested)
                    .map(|votes| name(tally.outcome(true, rejected, votes)))
                    .collect()
            };
            cases.push(json!({
                "elected": elected, "attested": attested, "valid": tally.valid,
                "committed": by_votes(false), "rejected": by_votes(true),
                "uncommitted": name(tally.outcome(false, false, 0)),
            }));
        }
    }
    Golden {
        name: "tally",
        reason: "Which payloads are applied must be the same for everybody.",
        lists: vec![("cases", cases)],
    }
}

const fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Returned => "returned",
        Outcome::Missed => "missed",
    }
}
