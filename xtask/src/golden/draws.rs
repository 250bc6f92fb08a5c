//! Vectors of what is drawn: words, roles, witnesses, audits, and the order of the data.

use coordinator::machine::{
    audit::{committee_seed, draw_committee, draw_targets},
    draw::{draw_roles, draw_witnesses, shuffle, verifier_count, Words},
    hash::{draw_seed, Purpose},
    permutation::Permutation,
};
use serde_json::{json, Value};

use super::{hex, some_hash, Golden};

/// Every draw of `draw.rs` and `audit.rs`, and the seeds that they are fed.
pub fn draw() -> Golden {
    Golden {
        name: "draw",
        reason: "Whoever takes part must draw the same roles from the same entropy.",
        lists: vec![
            ("seeds", seeds()),
            ("words", vec![words()]),
            ("uniform", uniform()),
            ("shuffle", shuffles()),
            ("verifier_count", verifier_counts()),
            ("roles", roles()),
            ("witnesses", witnesses()),
            ("targets", targets()),
            ("committees", committees()),
        ],
    }
}

fn seeds() -> Vec<Value> {
    let purposes = [
        Purpose::Roles,
        Purpose::Witnesses,
        Purpose::SecondWitnesses,
        Purpose::TickOrder,
        Purpose::VerifierTargets,
        Purpose::Samples,
        Purpose::Challenges,
        Purpose::BloomKeys,
        Purpose::CheckpointPublishers,
        Purpose::Committees,
    ];
    let (instance, entropy) = (some_hash(1), some_hash(2));
    let case = |purpose: Purpose| {
        let (epoch, round) = (3, 0x0102_0304);
        json!({
            "instance": hex(&instance), "epoch": epoch, "round": round,
            "purpose": purpose as u8, "entropy": hex(&entropy),
            "seed": hex(&draw_seed(&instance, epoch, round, purpose, &entropy)),
        })
    };
    purposes.into_iter().map(case).collect()
}

fn words() -> Value {
    let mut words = Words::new(some_hash(3));
    let drawn: Vec<u32> = (0..20).map(|_| words.word()).collect();
    json!({"seed": hex(&some_hash(3)), "words": drawn})
}

fn uniform() -> Vec<Value> {
    let case = |n: u32| {
        let mut words = Words::new(some_hash(4));
        let numbers: Vec<u32> = (0..20).map(|_| words.uniform(n)).collect();
        json!({"seed": hex(&some_hash(4)), "n": n, "numbers": numbers})
    };
    [0, 1, 2, 3, 7, 256, 1000, (1 << 31) + 1, 3 << 30, u32::MAX]
        .into_iter()
        .map(case)
        .collect()
}

fn shuffles() -> Vec<Value> {
    let case = |(length, count): (u16, usize)| {
        let mut items: Vec<u16> = (0..length).collect();
        shuffle(&mut Words::new(some_hash(5)), &mut items, count);
        json!({"seed": hex(&some_hash(5)), "length": length, "count": count, "items": items})
    };
    [(0, 3), (1, 1), (2, 2), (9, 4), (9, 9), (9, 20), (40, 40)]
        .into_iter()
        .map(case)
        .collect()
}

fn verifier_counts() -> Vec<Value> {
    let mut cases = Vec::new();
    for members in [0, 1, 2, 3, 16, 256, 1024] {
        for percent in [0, 1, 5, 33, 100] {
            for fraction in [0, 32_768, 65_535] {
                let count = verifier_count(members, percent, fraction);
                cases.push(json!([members, percent, fraction, count]));
            }
        }
    }
    cases
}

fn roles() -> Vec<Value> {
    let case = |(number, members, percent): (u64, u16, u8)| {
        let seed = some_hash(number);
        let slots: Vec<u16> = (0..members).map(|index| index * 3 + 1).collect();
        let mut order = slots.clone();
        let count = draw_roles(seed, &mut order, percent);
        json!({
            "seed": hex(&seed), "members": slots, "percent": percent,
            "verifiers": order[..count], "trainers": order[count..],
        })
    };
    [
        (10, 0, 0),
        (11, 1, 50),
        (12, 2, 50),
        (13, 7, 0),
        (14, 7, 20),
        (15, 64, 5),
    ]
    .into_iter()
    .map(case)
    .collect()
}

fn witnesses() -> Vec<Value> {
    let case = |(number, members, count): (u64, u16, u8)| {
        let seed = some_hash(number);
        let eligible: Vec<u16> = (0..members).map(|index| index * 2).collect();
        let mut order = eligible.clone();
        let drawn = draw_witnesses(seed, &mut order, count);
        json!({
            "seed": hex(&seed), "eligible": eligible, "count": count, "slots": order[..drawn],
        })
    };
    [
        (20, 0, 8),
        (21, 1, 8),
        (22, 5, 8),
        (23, 12, 4),
        (24, 100, 32),
        (25, 100, 40),
    ]
    .into_iter()
    .map(case)
    .collect()
}

/// Who audits whom: fewer auditors than payloads, as many, more; some would have drawn themselves.
fn targets() -> Vec<Value> {
    let case = |(number, committed, auditors): (u64, u16, Vec<u16>)| {
        let seed = some_hash(number);
        let slots: Vec<u16> = (0..committed).map(|index| index * 2 + 1).collect();
        let mut order = slots.clone();
        let drawn = draw_targets(seed, &mut order, &auditors);
        json!({
            "seed": hex(&seed), "committed": slots, "auditors": auditors,
            "targets": order[..drawn],
        })
    };
    let mut cases: Vec<Value> = [
        (200, 0, vec![4]),
        (201, 1, vec![1]),
        (202, 1, vec![1, 3]),
        (203, 1, vec![3, 1]),
        (204, 2, vec![]),
        (205, 100, (0..64).map(|index| index * 2).collect()),
        (206, 100, (0..64).map(|index| index * 3 + 1).collect()),
    ]
    .into_iter()
    .map(case)
    .collect();
    // Auditors that trained, too: each of them might draw itself.
    cases.extend((0..8).map(|number| case((210 + number, 2, vec![3]))));
    cases.extend((0..24).map(|number| case((220 + number, 4, vec![7, 1, 3, 5]))));
    cases
}

/// Who judges: all where there are few, none below three or where the seats are taken.
fn committees() -> Vec<Value> {
    let case = |(number, eligible, size, room): (u64, u16, u8, usize)| {
        let (seed, target) = (some_hash(number), 300 + eligible);
        let slots: Vec<u16> = (0..eligible).map(|index| index * 3).collect();
        let mut order = slots.clone();
        let seats = draw_committee(committee_seed(&seed, target), &mut order, size, room);
        json!({
            "seed": hex(&seed), "target": target, "eligible": slots, "size": size, "room": room,
            "seats": order[..seats],
        })
    };
    [
        (300, 0, 15, 64),
        (301, 2, 15, 64),
        (302, 3, 15, 64),
        (303, 14, 15, 64),
        (304, 100, 15, 64),
        (305, 100, 15, 15),
        (306, 100, 15, 14),
        (307, 100, 64, 64),
        (308, 6, 3, 64),
    ]
    .into_iter()
    .map(case)
    .collect()
}

/// The order of the data, for small, odd and large data sets.
pub fn permutation() -> Golden {
    let lengths = [
        1,
        2,
        1000,
        65_536,
        65_537,
        1_000_003,
        1 << 40,
        1 << 48,
        u64::MAX,
    ];
    let mut cases = Vec::new();
    for length in lengths {
        for pass in [0, 1, u64::MAX] {
            let order = Permutation::new(&some_hash(30), pass, length);
            let most = length - 1;
            let offsets = [0, 1 % length, 2 % length, most / 3, most / 2, most];
            let ids = offsets.map(|offset| order.forward(offset));
            cases.push(json!({
                "data_seed": hex(&some_hash(30)), "pass": pass, "n": length,
                "offsets": offsets, "sequence_ids": ids,
            }));
        }
    }
    Golden {
        name: "permutation",
        reason: "A position must mean the same sequence to every trainer.",
        lists: vec![("cases", cases)],
    }
}
