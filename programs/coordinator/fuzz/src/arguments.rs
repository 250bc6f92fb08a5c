//! What an instruction is given: mostly what fits the run as it stands, sometimes anything.

use coordinator::{
    machine::{
        audit::{Finding, Scores},
        hash::sha256,
    },
    state::{Run, RECORDS},
};
use serde_json::Value;

use crate::{idl::Idl, rng::Rng, scene::Scene};

/// What committees hash with their verdicts, and say that they measured.
const SALT: [u8; 32] = [7; 32];
const DETAIL: [u8; 32] = [8; 32];

/// What arguments are made from.
pub struct Maker<'a> {
    /// The types.
    pub idl: &'a Idl,
    /// The run and its people.
    pub scene: &'a Scene,
    /// The run, where there is one.
    pub run: Option<&'a Run>,
    /// The name of the instruction.
    pub instruction: &'a str,
    /// Index of the actor who sends it.
    pub actor: usize,
    /// How often an argument is anything: once in so many times (0: never).
    pub wild: usize,
}

impl Maker<'_> {
    /// Appends a value of type `ty` for the field `name`, as borsh writes it.
    pub fn value(&self, rng: &mut Rng, name: &str, ty: &Value, out: &mut Vec<u8>) {
        if let Some(primitive) = ty.as_str() {
            return self.primitive(rng, name, primitive, out);
        }
        let inner = |key: &str| ty.get(key);
        if let Some(inner) = inner("option") {
            let some = rng.once_in(4);
            out.push(u8::from(some));
            if some {
                self.value(rng, name, inner, out);
            }
        } else if let Some(inner) = inner("vec") {
            self.list(rng, name, inner, out);
        } else if let Some(Value::Array(array)) = inner("array") {
            let count = array[1].as_u64().and_then(|n| usize::try_from(n).ok());
            let count = count.unwrap_or(0);
            if array[0] == "u8" {
                out.extend(self.bytes(rng, name, count));
            } else {
                (0..count).for_each(|_| self.value(rng, name, &array[0], out));
            }
        } else if let Some(defined) = inner("defined") {
            self.defined(rng, defined["name"].as_str().unwrap_or_default(), out);
        }
    }

    fn defined(&self, rng: &mut Rng, name: &str, out: &mut Vec<u8>) {
        if name == "RunConfig" {
            // Nothing is padded: the bytes in memory are what borsh writes.
            let mut config = bytemuck::bytes_of(&self.scene.config).to_vec();
            if self.is_wild(rng) {
                let place = rng.below(config.len());
                config[place] = rng.word().to_le_bytes()[0];
            }
            return out.extend(config);
        }
        let ty = self.idl.defined(name);
        match ty["kind"].as_str() {
            Some("struct") => {
                for field in ty["fields"].as_array().into_iter().flatten() {
                    let name = field["name"].as_str().unwrap_or_default();
                    self.value(rng, name, &field["type"], out);
                }
            }
            _ => {
                let variants = ty["variants"].as_array().map_or(1, Vec::len);
                out.push(u8::try_from(rng.below(variants)).unwrap_or(0));
            }
        }
    }

    fn is_wild(&self, rng: &mut Rng) -> bool {
        self.wild > 0 && rng.once_in(self.wild)
    }

    fn primitive(&self, rng: &mut Rng, name: &str, ty: &str, out: &mut Vec<u8>) {
        let size = match ty {
            "bool" if name == "passes" => return out.push(u8::from(self.passes(rng))),
            "bool" => return out.push(u8::from(!rng.once_in(4))),
            "string" => return put_bytes(out, &self.text(rng, name)),
            "bytes" => return self.list(rng, name, &Value::from("u8"), out),
            // A pass is for who acts: its address is made from it.
            "pubkey" if name == "wallet" => {
                return out.extend(self.scene.actors[self.actor].to_bytes())
            }
            "pubkey" => return out.extend(rng.pick(&self.scene.actors).to_bytes()),
            "u8" | "i8" => 1,
            "u16" | "i16" => 2,
            "u32" | "i32" => 4,
            _ => 8,
        };
        let number = if self.is_wild(rng) {
            rng.awkward()
        } else {
            self.number(rng, name)
        };
        out.extend(&number.to_le_bytes()[..size]);
    }

    fn text(&self, rng: &mut Rng, name: &str) -> Vec<u8> {
        if name == "run_id" && !self.is_wild(rng) {
            return crate::scene::RUN_ID.to_vec();
        }
        let length = *rng.pick(&[0, 5, 32, 96, 97, 128, 256, 257]);
        let letter = |_| b'a' + rng.word().to_le_bytes()[0] % 26;
        let mut text: Vec<u8> = (0..length).map(letter).collect();
        if self.is_wild(rng) {
            text = rng.bytes(length);
        }
        text
    }

    /// A number that makes sense for a field of this name.
    fn number(&self, rng: &mut Rng, name: &str) -> u64 {
        let Some(run) = self.run else {
            return match name {
                "capacity" => u64::from(self.scene.capacity),
                _ => rng.word() % 8,
            };
        };
        let of_vote = self.instruction.ends_with("_state");
        match name {
            "epoch" if of_vote => u64::from(run.vote.epoch),
            "round" if of_vote => u64::from(run.vote.round),
            "epoch" => u64::from(run.epoch),
            "digest_epoch" => u64::from(run.agreed.epoch),
            "digest_round" => u64::from(run.agreed.round),
            "round" => self.round(rng, run),
            "slot" => self.slot(rng),
            "weight" => 1 + rng.word() % 1_000,
            "bytes" => 1 + rng.word() % 1_000,
            "bond_lamports_max" => u64::MAX,
            "expiry" | "expires_at" => u64::try_from(self.scene.ledger.time + 1_000).unwrap_or(0),
            "target" => self.target(rng, run),
            "jaccard_permille" | "hamming_permille" | "manhattan_permille"
            | "alignment_permille" => 0,
            // Which URI of a checkpoint: there are two.
            "place" => rng.word() % 3,
            _ => rng.word() % 8,
        }
    }

    fn round(&self, rng: &mut Rng, run: &Run) -> u64 {
        let before = match self.instruction {
            "attest" => u32::from(run.config.overlap),
            "verdict" => 1,
            // What was sealed about one round can be opened in the next two.
            "seal_verdict" | "open_verdict" => 1 + u32::try_from(rng.below(3)).unwrap_or(0),
            "missing" => u32::try_from(rng.below(RECORDS)).unwrap_or(0),
            _ => 0,
        };
        u64::from(run.round.saturating_sub(before))
    }

    /// The slot that the actor holds, or a free one for joining.
    fn slot(&self, rng: &mut Rng) -> u64 {
        let entries = self.scene.entries();
        let me = self.scene.actors[self.actor];
        let held = entries.iter().position(|entry| entry.wallet == me);
        if self.instruction == "join" {
            let first = rng.below(entries.len());
            let held = |index: &usize| (1..=4).contains(&entries[*index].state);
            let mut places = (first..entries.len()).chain(0..first);
            return places.find(|index| !held(index)).unwrap_or(first) as u64;
        }
        held.unwrap_or_else(|| rng.below(entries.len())) as u64
    }

    /// Auditors flag as often as not; a committee says what it sealed.
    fn passes(&self, rng: &mut Rng) -> bool {
        if self.is_wild(rng) {
            return rng.once_in(2);
        }
        self.instruction == "verdict" && rng.once_in(2)
    }

    /// The trainer whose payload the actor audits, or judges.
    fn target(&self, rng: &mut Rng, run: &Run) -> u64 {
        let found = self.judged();
        found.map_or_else(|| rng.word() % u64::from(run.capacity.max(1)), u64::from)
    }

    fn judged(&self) -> Option<u16> {
        let me = self.scene.actors[self.actor];
        let entries = self.scene.entries();
        let slot = entries.iter().position(|entry| entry.wallet == me)?;
        let slot = u16::try_from(slot).ok()?;
        let found = self.scene.look(|world| {
            let round = world.run.round;
            let rounds = (1..4).filter_map(|age| round.checked_sub(age));
            let mut audits = rounds.filter_map(|round| world.rounds.audits(round).ok());
            audits.find_map(|audits| {
                let mut auditors = audits.auditors.iter();
                if self.instruction == "verdict" {
                    return auditors.find(|one| one.slot == slot).map(|one| one.target);
                }
                let seat = audits.seats.iter().find(|seat| seat.slot == slot)?;
                auditors.nth(usize::from(seat.case)).map(|one| one.target)
            })
        });
        found.flatten()
    }

    /// The hash of a verdict that fails.
    fn sealed(&self, wallet: &[u8; 32]) -> [u8; 32] {
        let finding = Finding {
            target: self.judged().unwrap_or(0),
            pass: false,
            scores: Scores::default(),
            detail: DETAIL,
        };
        finding.sealed(&SALT, wallet)
    }

    /// Bytes of a fixed length: hashes that somebody could name.
    fn bytes(&self, rng: &mut Rng, name: &str, count: usize) -> Vec<u8> {
        if self.is_wild(rng) {
            return if rng.once_in(2) {
                vec![0; count]
            } else {
                rng.bytes(count)
            };
        }
        let (Some(run), 32) = (self.run, count) else {
            return rng.bytes(count);
        };
        let wallet = self.scene.actors[self.actor].to_bytes();
        // Most say the same of the parameters, some something else.
        let believed = sha256(&[&run.step.to_le_bytes(), &[u8::from(rng.once_in(6))]]);
        match name {
            "digest" if self.instruction == "ready" => run.agreed.digest,
            "chain_hash" => run.chain_hash,
            "digest" => believed,
            "vote" => sha256(&[&believed, &wallet]),
            "salt" => SALT,
            "detail" => DETAIL,
            "sealed" => self.sealed(&wallet),
            "commitment" => sha256(&[&wallet, &run.step.to_le_bytes()]),
            _ => [rng.word().to_le_bytes()[0] | 1; 32],
        }
        .to_vec()
    }

    fn list(&self, rng: &mut Rng, name: &str, inner: &Value, out: &mut Vec<u8>) {
        if *inner != "u8" {
            let count = rng.below(5);
            out.extend(u32::try_from(count).unwrap_or(0).to_le_bytes());
            return (0..count).for_each(|_| self.value(rng, name, inner, out));
        }
        let mut bytes = self.held(rng);
        if self.is_wild(rng) {
            let length = rng.below(130);
            bytes = rng.bytes(length);
        }
        put_bytes(out, &bytes);
    }

    /// The committed bits of the round that is attested, sometimes some of them.
    fn held(&self, rng: &mut Rng) -> Vec<u8> {
        let field = self.scene.look(|world| {
            let target = world.target()?;
            let record = world.rounds.record(target).ok()?;
            Some(record.committed.to_vec())
        });
        let mut bytes = field.flatten().unwrap_or_default();
        if rng.once_in(4) {
            bytes
                .iter_mut()
                .for_each(|byte| *byte &= rng.word().to_le_bytes()[0]);
        }
        bytes
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).unwrap_or(0).to_le_bytes());
    out.extend(bytes);
}
