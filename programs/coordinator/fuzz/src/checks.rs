//! What must hold after every instruction on a real run, whatever was sent.

use std::collections::BTreeSet;

use anchor_lang::prelude::Rent;
use coordinator::{
    errors::CoordinatorError,
    machine::{audit::CaseStage, bits::bit, phase::Phase},
    state::{seeds::PARTICIPANT, Auditor, MemberState, Record, Run, RECORDS},
    world::World,
};

use crate::scene::Scene;

/// Errors that say that an account is broken: on a run that the program made itself, never.
const BROKEN: [CoordinatorError; 6] = [
    CoordinatorError::LayoutMismatch,
    CoordinatorError::IndexOutOfRange,
    CoordinatorError::Overflow,
    CoordinatorError::InvariantMembers,
    CoordinatorError::InvariantPositions,
    CoordinatorError::InvariantBonds,
];

/// The name of an error that no instruction on a real run may end in.
#[must_use]
pub fn broken(code: u32) -> Option<String> {
    let found = BROKEN.iter().find(|one| u32::from(**one) == code);
    found.map(|one| format!("{one:?}"))
}

/// Checks a run; nothing to check where there is none, or where it is not complete.
///
/// # Errors
/// What does not hold.
pub fn check(scene: &Scene) -> Result<(), String> {
    scene.look(check_world).unwrap_or(Ok(()))?;
    check_bonds(scene)
}

/// The run holds its rent, the bonds on its roster and what is forfeited; who holds a slot, or has
/// something on one, has an account.
fn check_bonds(scene: &Scene) -> Result<(), String> {
    let (Some(run), Some(account)) = (scene.state(), scene.ledger.accounts.get(&scene.run)) else {
        return Ok(());
    };
    let entries = scene.entries();
    let bonds: u64 = entries.iter().map(|entry| entry.bond_lamports).sum();
    need(bonds == run.bonds_lamports, "the sum of the bonds")?;
    let rent = Rent::default().minimum_balance(account.data.len());
    let held = rent + bonds + run.forfeited_lamports;
    need(account.lamports == held, "lamports of the run")?;
    for entry in entries.iter().filter(|entry| entry.member_id != 0) {
        let seeds: [&[u8]; 3] = [PARTICIPANT, scene.run.as_ref(), entry.wallet.as_ref()];
        let key = scene.derived.get(&seeds.join(&0xff));
        let stands = key.is_some_and(|key| scene.ledger.accounts.contains_key(key));
        need(stands, "a holder without an account")?;
    }
    Ok(())
}

fn need(holds: bool, what: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(what.to_owned())
    }
}

fn check_world(world: &mut World) -> Result<(), String> {
    world.invariant().map_err(|error| error.to_string())?;
    check_members(world)?;
    check_backlog(world.run)?;
    check_phase(world)?;
    let mut in_flight = 0_u64;
    let mut exact = true;
    let (epoch, capacity) = (world.run.epoch, usize::from(world.run.capacity));
    for index in 0..RECORDS {
        let index = u32::try_from(index).unwrap_or(0);
        let record = world.rounds.record(index).map_err(|e| e.to_string())?;
        if record.header.valid == 0 {
            continue;
        }
        need(record.header.epoch == epoch, "a record of another epoch")?;
        check_record(&record, capacity)?;
        check_audits(world, index)?;
        let record = world.rounds.record(index).map_err(|e| e.to_string())?;
        if record.header.settled == 0 {
            in_flight += u64::from(record.header.sequences);
        } else {
            exact &= record.header.returned_to == record.header.sequences;
        }
    }
    let fits = if exact {
        world.run.in_flight == in_flight
    } else {
        world.run.in_flight > in_flight
    };
    need(fits, "in flight is not what unsettled rounds hold")
}

/// Nobody audits or judges itself, nor judges what it flagged; the counters are those of the rows.
fn check_audits(world: &World, round: u32) -> Result<(), String> {
    let audits = world.rounds.audits(round).map_err(|e| e.to_string())?;
    let header = audits.header;
    let count =
        |holds: &dyn Fn(&Auditor) -> bool| audits.auditors.iter().filter(|one| holds(one)).count();
    let said = count(&|one| one.verdict != 0);
    need(usize::from(header.verdicts) == said, "verdicts")?;
    let cases = count(&|one| one.case_stage != 0);
    need(usize::from(header.cases) == cases, "cases")?;
    let opened = count(&|one| one.case_stage == CaseStage::Opened as u8);
    need(usize::from(header.cases_undrawn) == opened, "undrawn cases")?;
    let own = count(&|one| one.slot == one.target);
    need(own == 0, "who audits itself")?;
    for seat in audits.seats {
        let case = audits.auditors.get(usize::from(seat.case));
        let case = case.ok_or("a seat of no case")?;
        let apart = seat.slot != case.slot && seat.slot != case.target;
        need(apart, "who judges itself, or what it flagged")?;
    }
    Ok(())
}

fn check_members(world: &World) -> Result<(), String> {
    let run = &*world.run;
    let count = |state: MemberState| {
        let held = |entry: &&coordinator::state::RosterEntry| entry.state == state as u8;
        world.roster.iter().filter(held).count()
    };
    let counts = [
        (run.joined, MemberState::Joined),
        (run.ready, MemberState::Ready),
        (run.active, MemberState::Active),
        (run.behind, MemberState::Behind),
    ];
    for (noted, state) in counts {
        let same = usize::from(noted) == count(state);
        need(same, &format!("the number of members that are {state:?}"))?;
    }
    let (mut ids, mut wallets) = (BTreeSet::new(), BTreeSet::new());
    for entry in world.roster.iter() {
        need(entry.state <= MemberState::Ejected as u8, "a member state")?;
        if entry.member_id != 0 {
            need(ids.insert(entry.member_id), "a member id twice")?;
            need(entry.member_id < run.next_member_id, "a member id too high")?;
        }
        if MemberState::is_member(entry.state) {
            need(wallets.insert(entry.wallet), "a wallet in two slots")?;
            need(entry.weight <= entry.declared_weight, "a weight too high")?;
        }
    }
    let vote = &run.vote;
    if vote.kind == 0 || vote.opened_slot == 0 {
        return Ok(());
    }
    need(vote.revealed <= vote.committed, "more revealed than sealed")?;
    let spoken = u32::from(vote.committed) + u32::from(vote.absent);
    need(spoken <= u32::from(vote.eligible), "more votes than voters")
}

fn check_backlog(run: &Run) -> Result<(), String> {
    let used = run.backlog.get(..run.backlog_count as usize);
    let mut before = None;
    for interval in used.ok_or("the backlog is longer than its room")? {
        let (start, end) = (interval.start, interval.end);
        need(start < end, "an empty interval waits")?;
        need(
            before.is_none_or(|last| last < start),
            "intervals in disorder",
        )?;
        need(
            end <= run.fresh_cursor,
            "positions wait that were never drawn",
        )?;
        before = Some(end);
    }
    Ok(())
}

fn check_phase(world: &World) -> Result<(), String> {
    let run = &*world.run;
    let phase = Phase::from_byte(run.phase).ok_or("a phase byte that is none")?;
    let timed = matches!(
        phase,
        Phase::Warmup | Phase::Train | Phase::Witness | Phase::Cooldown
    );
    need(
        timed == (run.phase_deadline != 0),
        "a deadline and its phase",
    )?;
    if matches!(phase, Phase::Train | Phase::Witness) {
        let header = world.rounds.header(run.round).map_err(|e| e.to_string())?;
        let right = header.valid == 1 && header.round == run.round;
        need(right, "the present round has no record")?;
    }
    Ok(())
}

fn check_record(record: &Record, capacity: usize) -> Result<(), String> {
    let header = &*record.header;
    let ones = |field: &[u8]| field.iter().map(|byte| byte.count_ones()).sum::<u32>();
    let committed = ones(record.committed);
    need(u32::from(header.committed) == committed, "committed count")?;
    need(
        u32::from(header.accepted) == ones(record.accepted),
        "accepted count",
    )?;
    need(u32::from(header.gone) == ones(record.gone), "gone count")?;
    need(
        header.sequences_accepted <= header.sequences,
        "too many accepted",
    )?;
    need(
        header.returned_to <= header.sequences,
        "too many given back",
    )?;
    let trainers = usize::from(header.trainers);
    need(trainers <= capacity, "more trainers than slots")?;
    let elected = 1_u64.wrapping_shl(header.witnesses.into()).wrapping_sub(1);
    let attested = u64::from(header.attested);
    need(
        attested & !elected == 0,
        "somebody attested who was not elected",
    )?;
    for slot in 0..capacity {
        let one = bit(record.committed, slot);
        need(
            one || !bit(record.accepted, slot),
            "accepted, not committed",
        )?;
        need(one || record.mask[slot] == 0, "attested, not committed")?;
        let votes = record.mask[slot] & !header.attested;
        need(votes == 0, "a vote of somebody who did not attest")?;
    }
    let mut last = 0;
    let mut drawn = BTreeSet::new();
    for (slot, end) in record
        .order
        .iter()
        .zip(record.share_end.iter())
        .take(trainers)
    {
        need(drawn.insert(*slot), "a trainer twice")?;
        need(*end >= last, "shares in disorder")?;
        last = *end;
    }
    need(
        trainers == 0 || last == header.sequences,
        "shares and the round's size",
    )
}
