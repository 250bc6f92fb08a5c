//! Audits and committees as steps of a run.

use super::world::{config, hash_at_hand, hash_lost, Memory};
use crate::{
    instructions::{verdict, Verdict, VerdictArgs},
    machine::{audit::CaseStage, phase::Phase},
    state::MemberState,
    transition::{plan, Step},
};

/// Eight members in Train of round 0, half of whom verify in the rounds after.
fn verified() -> Memory {
    let mut config = config();
    config.verification_percent = 50;
    config.committee_size = 3;
    config.init_min_members = 8;
    config.points_per_verdict = 5;
    config.slash_points = 9;
    config.hamming_max_permille = 1_000;
    Memory::started(config, 8)
}

/// What is due, one step at a time, until a round trains; the steps.
fn steps(memory: &mut Memory) -> Vec<Step> {
    let mut made = Vec::new();
    while let Some(step) = memory.open(|world| plan(world).expect("sound")) {
        memory
            .open(|world| crate::transition::apply(world, step))
            .expect("what is planned can be done");
        made.push(step);
    }
    made
}

/// Everybody commits and attests; the steps that bring the run to the next round.
fn play(memory: &mut Memory) -> Vec<Step> {
    for slot in 0..8 {
        let _ = memory.commit(slot);
    }
    let mut made = steps(memory);
    memory.pass(2);
    memory.tick().expect("entropy");
    for slot in 0..8 {
        memory.attest(slot).expect("everybody is a witness");
    }
    made.extend(steps(memory));
    made
}

/// Place, slot and target of the first auditor of round 0.
fn first(memory: &mut Memory) -> (u16, u16) {
    memory.open(|world| {
        let audits = world.rounds.audits(0).expect("a record");
        (audits.auditors[0].slot, audits.auditors[0].target)
    })
}

fn flag(memory: &mut Memory) {
    let (slot, target) = first(memory);
    let args = VerdictArgs {
        epoch: 0,
        round: 0,
        slot,
        verdict: Verdict {
            target,
            passes: false,
            jaccard_permille: 0,
            hamming_permille: 0,
            manhattan_permille: 0,
            alignment_permille: 0,
            detail: [0; 32],
        },
    };
    memory
        .open(|world| verdict::run(world, &Memory::wallet(slot), &args))
        .expect("an auditor in time");
}

fn stage(memory: &mut Memory) -> u8 {
    memory.open(|world| world.rounds.audits(0).expect("a record").auditors[0].case_stage)
}

#[test]
fn audits_are_drawn_before_anything_else_is_done() {
    let mut memory = verified();
    let made = play(&mut memory);

    assert_eq!(memory.phase(), Phase::Train);
    assert_eq!(made.last(), Some(&Step::DrawTargets { round: 0 }));
    let header = memory.open(|world| world.rounds.headers[0]);
    assert_eq!((header.targets_drawn, header.auditors), (1, 4));
    let verifying = memory.open(|world| world.rounds.headers[1].verifiers);
    assert_eq!(verifying, 4);
}

#[test]
fn a_run_without_verifiers_draws_no_audits() {
    let mut memory = verified();
    memory.run.config.verification_percent = 0;
    let made = play(&mut memory);

    assert!(!made
        .iter()
        .any(|step| matches!(step, Step::DrawTargets { .. })));
    assert_eq!(
        memory.open(|world| world.rounds.headers[0].targets_drawn),
        0
    );
}

#[test]
fn cases_are_decided_then_the_round_is_final_then_the_run_goes_on() {
    let mut memory = verified();
    play(&mut memory);
    flag(&mut memory);
    play(&mut memory);
    play(&mut memory);
    let made = play(&mut memory);

    let order: Vec<&Step> = made
        .iter()
        .filter(|step| {
            matches!(
                step,
                Step::Judge { .. } | Step::Finalise { .. } | Step::Advance { .. }
            )
        })
        .collect();
    assert_eq!(
        order,
        [
            &Step::Judge { round: 0 },
            &Step::Finalise { round: 0 },
            &Step::Advance { failed: false },
        ]
    );
}

#[test]
fn a_committee_is_drawn_once_its_hash_is_known_and_a_lost_one_is_noted_anew() {
    let mut memory = verified();
    play(&mut memory);
    flag(&mut memory);
    assert!(memory.tick().is_err(), "nothing is due before the hash");
    memory.pass(2);
    memory.slot_hash = hash_lost;
    memory.tick().expect("stores that it was lost");
    assert_eq!(stage(&mut memory), CaseStage::Opened as u8);
    memory.slot_hash = hash_at_hand;
    assert!(memory.tick().is_err(), "another slot is noted");
    memory.pass(2);
    memory.tick().expect("draws it");

    assert_eq!(stage(&mut memory), CaseStage::Drawn as u8);
}

#[test]
fn a_committee_without_three_members_lapses() {
    let mut memory = verified();
    play(&mut memory);
    flag(&mut memory);
    let (slot, target) = first(&mut memory);
    memory.open(|world| {
        let others = (0..8).filter(|one| *one != slot && *one != target);
        for one in others.skip(2) {
            world.set_state(one, MemberState::Behind).expect("a member");
        }
    });
    memory.pass(2);
    memory.tick().expect("looks for one");

    assert_eq!(stage(&mut memory), CaseStage::Lapsed as u8);
    assert_eq!(memory.open(|world| world.rounds.headers[0].seats), 0);
}

#[test]
fn an_abort_decides_the_cases_of_settled_rounds() {
    let mut memory = verified();
    play(&mut memory);
    flag(&mut memory);
    memory.pass(11 * 20);
    memory.open(crate::transition::abort).expect("it hangs");

    assert_eq!(memory.phase(), Phase::Paused);
    assert_eq!(memory.open(|world| world.rounds.headers[0].valid), 0);
}
