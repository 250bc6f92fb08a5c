//! One thing that happens: an instruction, or time that goes by.

use anchor_lang::prelude::Pubkey;
use coordinator::{machine::phase::Phase, state::seeds};

use crate::{
    arguments::Maker,
    host::{Meta, Outcome},
    idl::{Idl, Instruction, Named, Seed},
    rng::Rng,
    scene::{Scene, RUN_ID},
};

/// What is likely to be accepted in a phase, the likeliest first.
const fn likely(phase: Phase) -> &'static [&'static str] {
    match phase {
        Phase::Paused => &[
            "resume",
            "join",
            "update_config",
            "set_checkpoint",
            "collect",
        ],
        Phase::WaitingForMembers => &["join", "tick", "leave", "collect"],
        Phase::Warmup => &["ready", "tick", "attest_state", "reveal_state", "join"],
        Phase::Train => &[
            "commit",
            "attest",
            "attest_state",
            "reveal_state",
            "verdict",
            "missing",
            "seal_verdict",
            "open_verdict",
        ],
        Phase::Witness => &[
            "attest",
            "tick",
            "verdict",
            "missing",
            "seal_verdict",
            "open_verdict",
        ],
        Phase::Cooldown => &[
            "attest_state",
            "reveal_state",
            "publish_checkpoint",
            "confirm_checkpoint",
            "verdict",
            "missing",
            "seal_verdict",
            "open_verdict",
        ],
        Phase::Finished => &["pause", "collect", "leave"],
    }
}

/// How arbitrary what happens is.
#[derive(Clone, Copy, Debug)]
pub struct Wildness {
    /// An argument is anything once in so many times; 0: never.
    pub arguments: usize,
    /// An account is another one once in so many times; 0: never.
    pub accounts: usize,
}

/// Lets the thing of this seed happen; says what came of it, if it was an instruction.
pub fn act(scene: &mut Scene, idl: &Idl, seed: u64, wild: Wildness) -> Option<(String, Outcome)> {
    let mut rng = Rng::new(seed);
    let choice = rng.below(100);
    if choice < 18 {
        pass_time(scene, &mut rng);
        return None;
    }
    let name = match scene.phase() {
        None => "create_run",
        Some(_) if scene.state().is_some_and(|run| run.complete == 0) => "allocate",
        Some(_) if choice < 36 => "tick",
        Some(phase) if choice < 84 => {
            let names = likely(phase);
            let first = if rng.once_in(3) {
                rng.below(names.len())
            } else {
                0
            };
            names[first]
        }
        Some(_) => &rng.pick(&idl.instructions).name,
    };
    // One that does not exist (yet) is any other.
    let instruction = match idl.find(name) {
        Some(instruction) => instruction,
        None => rng.pick(&idl.instructions),
    };
    let outcome = send(scene, idl, instruction, &mut rng, wild);
    Some((instruction.name.clone(), outcome))
}

/// Sends an instruction of somebody.
pub fn send(
    scene: &mut Scene,
    idl: &Idl,
    instruction: &Instruction,
    rng: &mut Rng,
    wild: Wildness,
) -> Outcome {
    let actor = rng.below(scene.actors.len());
    let mut metas = accounts(scene, instruction, actor, rng);
    if wild.accounts > 0 && rng.once_in(wild.accounts) {
        disturb(scene, &mut metas, rng);
    }
    let run = scene.state();
    let maker = Maker {
        idl,
        scene,
        run: run.as_ref(),
        instruction: &instruction.name,
        actor,
        wild: wild.arguments,
    };
    let mut data = instruction.discriminator.clone();
    for (name, ty) in &instruction.args {
        maker.value(rng, name, ty, &mut data);
    }
    if wild.accounts > 0 && rng.once_in(50) {
        data.truncate(rng.below(data.len()));
    }
    scene.ledger.run(&metas, &data)
}

/// Time goes by: some slots, a phase, very long, or a clock that jumps.
fn pass_time(scene: &mut Scene, rng: &mut Rng) {
    let (seconds, slots) = match rng.below(20) {
        0..=8 => (1, 3),
        9..=13 => (5, 13),
        14..=16 => (30, 75),
        17 => (rng.below(4_000), rng.below(10_000)),
        18 => (rng.below(4_000), 1),
        _ => (1, rng.below(700)),
    };
    scene.ledger.slot += slots as u64;
    scene.ledger.time += i64::try_from(seconds).unwrap_or(0);
    if rng.once_in(60) {
        scene.ledger.time -= 100;
    }
    scene.ledger.hashes_lost = rng.once_in(40);
}

/// The accounts that belong in an instruction's places, as far as their names tell.
fn accounts(scene: &mut Scene, of: &Instruction, actor: usize, rng: &mut Rng) -> Vec<Meta> {
    let mut chosen: Vec<(String, Pubkey)> = Vec::new();
    // Those with seeds name others, which may stand behind them.
    let (plain, derived): (Vec<&Named>, Vec<&Named>) =
        of.accounts.iter().partition(|one| one.seeds.is_empty());
    for named in plain.into_iter().chain(derived) {
        let key = address(scene, of, named, actor, &chosen, rng);
        chosen.push((named.name.clone(), key));
    }
    let metas = of.accounts.iter().map(|named| {
        let found = chosen.iter().find(|(name, _)| *name == named.name);
        let key = found.map_or(coordinator::ID, |(_, key)| *key);
        Meta {
            key,
            // In the place of one that is left out stands the program, which signs nothing.
            signer: named.signer && key != coordinator::ID,
            writable: named.writable,
        }
    });
    metas.collect()
}

fn address(
    scene: &mut Scene,
    of: &Instruction,
    named: &Named,
    actor: usize,
    chosen: &[(String, Pubkey)],
    rng: &mut Rng,
) -> Pubkey {
    let (owner, wallet) = (scene.owner, scene.actors[actor]);
    if let Some(fixed) = named.address {
        return fixed;
    }
    if named.optional && !rng.once_in(3) {
        return coordinator::ID;
    }
    match named.name.as_str() {
        "run" => return scene.run,
        "roster" => return scene.roster,
        "rounds" => return scene.rounds,
        "authority" | "creator" | "rent_payer" | "payer" => return owner,
        "wallet" => return wallet,
        _ => {}
    }
    if named.seeds.is_empty() {
        let run = scene.run;
        let who = if rng.once_in(6) {
            *rng.pick(&scene.actors)
        } else {
            wallet
        };
        return match named.name.as_str() {
            "pass" => scene.derive(&[seeds::PASS, run.as_ref(), who.as_ref()]),
            "participant" => scene.derive(&[seeds::PARTICIPANT, run.as_ref(), who.as_ref()]),
            "payee" => who,
            "join_authority" | "revoker" => permitter(scene).unwrap_or(owner),
            _ => who,
        };
    }
    let parts: Vec<Vec<u8>> = named
        .seeds
        .iter()
        .map(|seed| match seed {
            Seed::Const(bytes) => bytes.clone(),
            Seed::Arg(_) if of.name == "create_run" => RUN_ID.to_vec(),
            Seed::Arg(_) => wallet.to_bytes().to_vec(),
            Seed::Account(path) => chosen
                .iter()
                .find(|(name, _)| name == path)
                .map_or(wallet, |(_, key)| *key)
                .to_bytes()
                .to_vec(),
        })
        .collect();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    scene.derive(&parts)
}

/// The run's join authority, where it has one.
fn permitter(scene: &Scene) -> Option<Pubkey> {
    let authority = scene.state()?.join_authority;
    (authority != Pubkey::default()).then_some(authority)
}

/// Another account, a missing signature, one account too few, or one twice.
fn disturb(scene: &Scene, metas: &mut Vec<Meta>, rng: &mut Rng) {
    if metas.is_empty() {
        return;
    }
    let place = rng.below(metas.len());
    match rng.below(5) {
        0 => metas[place].signer = false,
        1 => metas[place].writable = false,
        2 => metas.truncate(place),
        3 => metas[place].key = metas[rng.below(metas.len())].key,
        _ => {
            let known: Vec<&Pubkey> = scene.ledger.accounts.keys().collect();
            metas[place].key = **rng.pick(&known);
        }
    }
}
