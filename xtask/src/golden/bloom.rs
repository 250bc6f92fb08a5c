//! Vectors of Bloom attestations.

use coordinator::machine::bloom::{first_words, Form, Keys};
use serde_json::{json, Value};

use super::{hex, some_hash, Golden};

const PPM: [u32; 9] = [1, 7, 100, 1_000, 10_000, 50_000, 123_456, 400_000, 500_000];

/// Forms by count and rate, and filters of some commitments.
pub fn bloom() -> Golden {
    let mut forms = Vec::new();
    let mut filters = Vec::new();
    for ppm in PPM {
        for count in [1, 8, 256, 1_024] {
            let form = Form::new(count, ppm);
            forms.push(json!([
                count,
                ppm,
                form.bits,
                form.keys,
                form.ones_max(count)
            ]));
        }
        filters.push(filter(ppm));
    }
    Golden {
        name: "bloom",
        reason:
            "A witness makes the filter that the program reads: both must place every bit alike.",
        lists: vec![("forms", forms), ("filters", filters)],
    }
}

fn filter(ppm: u32) -> Value {
    let (epoch, round, witness, count) = (ppm % 11, ppm % 13, (ppm % 32) as u8, 1 + ppm % 40);
    let (instance, entropy) = (some_hash(70), some_hash(71 + u64::from(ppm)));
    let form = Form::new(count, ppm);
    let keys = Keys::new(&instance, epoch, round, &entropy, witness);
    let mut bits = vec![0; form.bytes() as usize];
    let held: Vec<[u8; 32]> = (0..count.div_ceil(2))
        .map(|number| some_hash(2_000 + u64::from(number)))
        .collect();
    for (slot, commitment) in (0..).step_by(3).zip(&held) {
        keys.add(&mut bits, form, slot, first_words(commitment));
    }
    let slots = (0..).step_by(3);
    let held: Vec<Value> = slots
        .zip(&held)
        .map(|(slot, commitment): (u32, _)| json!([slot, hex(commitment)]))
        .collect();
    json!({
        "instance": hex(&instance), "epoch": epoch, "round": round, "entropy": hex(&entropy),
        "witness": witness, "committed": count, "ppm": ppm, "held": held, "bits": hex(&bits),
    })
}
