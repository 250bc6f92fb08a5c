//! Arbitrary bytes in a run's accounts: of the right length and of others.
//!
//! Nothing panics, overflows or takes long. An account that is not what it must be (another
//! program's, another kind, another version, another length) is refused by every instruction, and
//! positions and members still add up after an instruction if they did before.

use std::time::{Duration, Instant};

use anchor_lang::prelude::Pubkey;

use crate::{
    act::{act, send, Wildness},
    host::Outcome,
    idl::Idl,
    rng::Rng,
    scene::Scene,
    sequences::Tally,
    Finding,
};

/// Things that happen before the bytes are changed, at most.
const BEFORE_MAX: usize = 120;
/// Instructions on each set of bytes.
const AFTER: usize = 12;
/// Sets of bytes from one beginning.
const SETS: usize = 20;
const SLOW: Duration = Duration::from_secs(5);
const TAME: Wildness = Wildness {
    arguments: 0,
    accounts: 0,
};
const WILD: Wildness = Wildness {
    arguments: 10,
    accounts: 0,
};

/// What was done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Bytes behind discriminator and version, of the right length.
    Content,
    /// Something by which it is no account of its kind any more.
    Kind,
}

/// Runs the case of a seed.
///
/// # Errors
/// What it found.
pub fn case(idl: &Idl, seed: u64, tally: &mut Tally) -> Result<(), Box<Finding>> {
    let mut rng = Rng::new(seed);
    let mut scene = Scene::new(&mut rng);
    for _ in 0..20 + rng.below(BEFORE_MAX) {
        let _ = act(&mut scene, idl, rng.word(), TAME);
    }
    tally.rounds += scene.state().map_or(0, |run| run.step);
    for _ in 0..SETS {
        let mut changed = scene.clone();
        let mut trace = Vec::new();
        play(&mut changed, idl, &mut rng, &mut trace, tally)
            .map_err(|what| Box::new(Finding { seed, trace, what }))?;
    }
    Ok(())
}

fn play(
    scene: &mut Scene,
    idl: &Idl,
    rng: &mut Rng,
    trace: &mut Vec<String>,
    tally: &mut Tally,
) -> Result<(), String> {
    let keys: Vec<Pubkey> = ours(scene);
    if keys.is_empty() {
        return Ok(());
    }
    let key = *rng.pick(&keys);
    let mut change = Change::Content;
    for _ in 0..1 + rng.below(4) {
        let (made, told) = mutate(scene, &key, rng);
        trace.push(format!("{key} {told}"));
        if made == Change::Kind {
            change = Change::Kind;
            break;
        }
    }
    let core = [scene.run, scene.roster, scene.rounds];
    let refused = change == Change::Kind && core.contains(&key);
    let sized = |one: &String| one.ends_with("longer") || one.ends_with("shorter");
    let resized = trace.last().is_some_and(sized);
    for _ in 0..AFTER {
        let instruction = rng.pick(&idl.instructions);
        let held = scene.look(|world| world.invariant().is_ok());
        let begun = Instant::now();
        let outcome = send(scene, idl, instruction, rng, WILD);
        trace.push(format!("{} {outcome:?}", instruction.name));
        tally.sent += 1;
        tally.done += u64::from(outcome == Outcome::Done);
        if let Outcome::Broke(what) = outcome {
            return Err(format!("{}: {what}", instruction.name));
        }
        if begun.elapsed() > SLOW {
            return Err(format!("{} took {:?}", instruction.name, begun.elapsed()));
        }
        if outcome == Outcome::Done {
            // A run that is not complete can be closed or completed: there a length says nothing.
            let fits = resized && mends(&instruction.name);
            if refused && !fits && names(scene, instruction, &key) {
                return Err(format!("{} took what is no account", instruction.name));
            }
            if mends(&instruction.name) {
                // What follows would be on other accounts, or on whole ones.
                return Ok(());
            }
            let holds = scene.look(|world| world.invariant().is_ok());
            if held == Some(true) && holds == Some(false) {
                return Err(format!("{} broke the run", instruction.name));
            }
        }
        scene.ledger.slot += 3;
        scene.ledger.time += *rng.pick(&[1, 5, 1_000]);
    }
    Ok(())
}

/// The program's accounts.
fn ours(scene: &Scene) -> Vec<Pubkey> {
    let all = scene.ledger.accounts.iter();
    all.filter(|(_, account)| account.owner == coordinator::ID)
        .map(|(key, _)| *key)
        .collect()
}

/// Whether an instruction has a place in which this account of the run stands.
fn names(scene: &Scene, instruction: &crate::idl::Instruction, key: &Pubkey) -> bool {
    let mut places = instruction.accounts.iter();
    places.any(|named| match named.name.as_str() {
        "run" => *key == scene.run,
        "roster" => *key == scene.roster,
        "rounds" => *key == scene.rounds,
        _ => false,
    })
}

fn mutate(scene: &mut Scene, key: &Pubkey, rng: &mut Rng) -> (Change, String) {
    let Some(account) = scene.ledger.accounts.get_mut(key) else {
        return (Change::Content, "nothing".into());
    };
    let data = &mut account.data;
    if rng.once_in(5) {
        let told = match rng.below(4) {
            0 => {
                account.owner = Pubkey::new_from_array([3; 32]);
                "another's"
            }
            1 => {
                data[rng.below(8)] ^= 1 << rng.below(8);
                "another kind"
            }
            2 => {
                let length = data.len();
                data.truncate(length - 1 - rng.below(length));
                "shorter"
            }
            _ => {
                let more = 1 + rng.below(2_000);
                data.extend(rng.bytes(more));
                "longer"
            }
        };
        return (Change::Kind, told.into());
    }
    // Past discriminator and version; now and then all of it.
    let first = 9;
    if data.len() <= first + 8 {
        return (Change::Content, "nothing".into());
    }
    let place = first + rng.below(data.len() - first);
    let told = match rng.below(6) {
        0 | 1 => {
            data[place] ^= 1 << rng.below(8);
            format!("bit at {place}")
        }
        2 => {
            data[place] = rng.awkward().to_le_bytes()[0];
            format!("byte at {place} is {}", data[place])
        }
        3 | 4 => {
            let size = *rng.pick(&[2, 4, 8]);
            let place = place
                .min(data.len() - size)
                .next_multiple_of(size)
                .min(data.len() - size);
            let word = rng.awkward();
            data[place.max(first)..][..size.min(8)].copy_from_slice(&word.to_le_bytes()[..size]);
            format!("{size} bytes at {place} are {word:#x}")
        }
        _ => {
            let end = place + 1 + rng.below((data.len() - place).min(300));
            let end = end.min(data.len());
            let fill = rng.bytes(end - place);
            data[place..end].copy_from_slice(&fill);
            format!("bytes {place}..{end} are random")
        }
    };
    (Change::Content, told)
}

/// Whether an instruction that succeeded leaves nothing of what was changed.
fn mends(name: &str) -> bool {
    ["close_run", "allocate"].contains(&name)
}
