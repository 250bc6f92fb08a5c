//! Arbitrary sequences of instructions on a real run.
//!
//! Nothing panics, overflows or takes long; what must hold holds after each; no error says that an
//! account is broken; and a run is never stuck: with time alone it comes to rest.

use std::time::{Duration, Instant};

use coordinator::machine::phase::Phase;

use crate::{
    act::{act, send, Wildness},
    checks,
    host::Outcome,
    idl::Idl,
    rng::Rng,
    scene::Scene,
    Finding,
};

/// Things that happen in a case.
const LENGTH: usize = 400;
/// Longest that an instruction may take, many times what it does take.
const SLOW: Duration = Duration::from_secs(5);
/// Ticks within which a run without anybody comes to rest.
const TICKS_MAX: usize = 200;
const WILD: Wildness = Wildness {
    arguments: 12,
    accounts: 20,
};
const TAME: Wildness = Wildness {
    arguments: 0,
    accounts: 0,
};

/// What cases came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Instructions sent.
    pub sent: u64,
    /// Of them, accepted.
    pub done: u64,
    /// Rounds that runs started.
    pub rounds: u64,
}

/// Runs the case of a seed.
///
/// # Errors
/// What it found, made as short as it gets.
pub fn case(idl: &Idl, seed: u64, tally: &mut Tally) -> Result<(), Box<Finding>> {
    let mut rng = Rng::new(seed);
    let steps: Vec<u64> = (0..LENGTH).map(|_| rng.word()).collect();
    let Err(found) = play(idl, seed, &steps, tally) else {
        return Ok(());
    };
    Err(Box::new(shorten(idl, seed, steps, found)))
}

/// Leaves out what the finding does not need.
fn shorten(idl: &Idl, seed: u64, mut steps: Vec<u64>, mut found: Finding) -> Finding {
    let mut piece = steps.len() / 2;
    while piece > 0 {
        let mut first = 0;
        while first < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(first..(first + piece).min(steps.len()));
            match play(idl, seed, &fewer, &mut Tally::default()) {
                Err(again) if again.what == found.what => (steps, found) = (fewer, again),
                _ => first += piece,
            }
        }
        piece /= 2;
    }
    found
}

fn play(idl: &Idl, seed: u64, steps: &[u64], tally: &mut Tally) -> Result<(), Finding> {
    let mut scene = Scene::new(&mut Rng::new(seed));
    let mut trace = Vec::new();
    let found = |trace: &[String], what: String| Finding {
        seed,
        trace: trace.to_vec(),
        what,
    };
    for step in steps {
        let begun = Instant::now();
        // The beginning goes well, so that what follows has a run to break.
        let wild = if scene.phase().is_none() { TAME } else { WILD };
        let happened = act(&mut scene, idl, *step, wild);
        trace.push(format!("{} {:?}", told(&scene), happened));
        tally.sent += u64::from(happened.is_some());
        judge(&scene, happened.as_ref(), begun.elapsed(), tally)
            .map_err(|what| found(&trace, what))?;
    }
    tally.rounds += scene.state().map_or(0, |run| run.step);
    settle_down(&mut scene, idl, &mut trace).map_err(|what| found(&trace, what))
}

fn told(scene: &Scene) -> String {
    let at = scene.state().map(|run| (run.epoch, run.round, run.step));
    format!("{:?} {at:?} slot {}:", scene.phase(), scene.ledger.slot)
}

fn judge(
    scene: &Scene,
    happened: Option<&(String, Outcome)>,
    took: Duration,
    tally: &mut Tally,
) -> Result<(), String> {
    if took > SLOW {
        return Err(format!("took {took:?}"));
    }
    match happened {
        None => Ok(()),
        Some((name, Outcome::Broke(what))) => Err(format!("{name}: {what}")),
        Some((name, Outcome::Refused(code))) => match checks::broken(*code) {
            Some(error) => Err(format!("{name} says {error}")),
            None => Ok(()),
        },
        Some((name, Outcome::Done)) => {
            tally.done += 1;
            checks::check(scene).map_err(|what| format!("after {name}: {what}"))
        }
    }
}

/// Nobody acts any more but a keeper: the run comes to rest by itself.
fn settle_down(scene: &mut Scene, idl: &Idl, trace: &mut Vec<String>) -> Result<(), String> {
    scene.ledger.hashes_lost = false;
    let tick = idl.find("tick").ok_or("there is no tick")?;
    let complete = scene.state().is_some_and(|run| run.complete == 1);
    for turn in 0..TICKS_MAX {
        let rests = [Phase::Paused, Phase::Finished, Phase::WaitingForMembers];
        if !complete || scene.phase().is_none_or(|phase| rests.contains(&phase)) {
            return Ok(());
        }
        // Entropy first, then what a long time brings.
        let seconds = if turn % 2 == 0 { 1 } else { longest(scene) };
        scene.ledger.slot += u64::from(seconds) * 5 / 2 + 2;
        scene.ledger.time += i64::from(seconds);
        let outcome = send(scene, idl, tick, &mut Rng::new(0), TAME);
        trace.push(format!("{} alone {outcome:?}", told(scene)));
        let happened = ("tick".to_owned(), outcome);
        judge(
            scene,
            Some(&happened),
            Duration::ZERO,
            &mut Tally::default(),
        )?;
    }
    Err("the run does not come to rest".into())
}

/// A second more than the longest phase of the run takes.
fn longest(scene: &Scene) -> u32 {
    let Some(run) = scene.state() else {
        return 1;
    };
    let config = run.config;
    let phases = [
        config.warmup_seconds,
        config.train_seconds,
        config.witness_seconds,
        config.cooldown_seconds,
    ];
    phases.into_iter().max().unwrap_or(0).saturating_add(1)
}
