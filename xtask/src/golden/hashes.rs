//! Vectors of the chain hash and of votes on digests.

use coordinator::machine::{
    bits::bit,
    hash::{chain_hash as next, chain_head, chain_parts, first_chain_hash, reset_chain_hash},
    vote::{agreed_digest, sealed_digest},
};
use serde_json::{json, Value};

use super::{hex, some_hash, Golden};

/// A chain of rounds from an instance on, and a reset.
pub fn chain_hash() -> Golden {
    let instance = some_hash(50);
    let first = first_chain_hash(&instance);
    let mut previous = first;
    let mut rounds = Vec::new();
    let fields: [&[u8]; 5] = [&[0], &[0xff], &[0b0101_0011], &[0, 0], &[0x80, 0x01]];
    for (round, field) in fields.into_iter().enumerate() {
        let (epoch, round) = (7, round as u32);
        let commitments: Vec<[u8; 32]> = (0..field.len() as u64 * 8)
            .map(|slot| some_hash(1000 + slot))
            .collect();
        let head = chain_head(&previous, epoch, round);
        let mut parts: Vec<&[u8]> = vec![&[]; chain_parts(commitments.len())];
        let hash = next(&head, field, &commitments, &mut parts).unwrap_or_default();
        let accepted = (0..commitments.len()).filter(|slot| bit(field, *slot));
        let accepted: Vec<String> = accepted.map(|slot| hex(&commitments[slot])).collect();
        rounds.push(json!({
            "previous": hex(&previous), "epoch": epoch, "round": round,
            "accepted": hex(field), "commitments": accepted, "chain_hash": hex(&hash),
        }));
        previous = hash;
    }
    let start = json!({"instance": hex(&instance), "chain_hash": hex(&first)});
    let reset = json!({
        "previous": hex(&previous), "digest": hex(&some_hash(51)),
        "chain_hash": hex(&reset_chain_hash(&previous, &some_hash(51))),
    });
    Golden {
        name: "chain_hash",
        reason: "Equal chain hashes mean equal parameters, so all must compute them alike.",
        lists: vec![
            ("first", vec![start]),
            ("rounds", rounds),
            ("reset", vec![reset]),
        ],
    }
}

/// Agreement on digests: rows of revealed words.
pub fn vote() -> Golden {
    let case = |(said, voters, min_members): (&[u64], u32, u32)| -> Value {
        let revealed: Vec<[u8; 32]> = said.iter().map(|word| some_hash(60 + word)).collect();
        let agreed = agreed_digest(revealed.iter(), voters, min_members).map(|digest| hex(digest));
        let revealed: Vec<String> = revealed.iter().map(|digest| hex(digest)).collect();
        json!({
            "revealed": revealed, "voters": voters, "min_members": min_members, "agreed": agreed,
        })
    };
    let rows: [(&[u64], u32, u32); 8] = [
        (&[], 0, 1),
        (&[1], 1, 1),
        (&[1], 3, 1),
        (&[1, 2, 1], 4, 2),
        (&[1, 2, 1], 5, 2),
        (&[2, 1, 1, 2, 1, 1], 6, 2),
        (&[2, 1, 1, 2, 1], 6, 2),
        (&[1, 1, 1], 6, 4),
    ];
    let sealed = json!({
        "digest": hex(&some_hash(61)), "wallet": hex(&some_hash(62)),
        "sealed": hex(&sealed_digest(&some_hash(61), &some_hash(62))),
    });
    Golden {
        name: "vote",
        reason: "When a digest is agreed must be known to clients before they say so.",
        lists: vec![
            ("sealed", vec![sealed]),
            ("agreed", rows.into_iter().map(case).collect()),
        ],
    }
}
