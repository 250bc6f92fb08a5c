//! Writes tests/golden/layout.json: where every field of every account lies.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use coordinator::state::{
    columns_bytes, columns_offset, roster_bytes, rounds_bytes, Auditor, Checkpoint, Column,
    Participant, Pass, Roster, RosterEntry, RosterHeader, RoundHeader, Rounds, RoundsHeader, Run,
    Seat, StateRecord, StateVote,
};
use serde_json::{json, Map, Value};

/// Where the vectors go.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/layout.json");

/// Lists name, offset and size of fields, and the size of the whole.
macro_rules! fields {
    ($type:ty: $($field:ident),* $(,)?) => {{
        let value: $type = bytemuck::Zeroable::zeroed();
        let fields = vec![$(field(
            stringify!($field),
            core::mem::offset_of!($type, $field),
            core::mem::size_of_val(&value.$field),
        )),*];
        json!({ "size": core::mem::size_of::<$type>(), "fields": fields })
    }};
}

fn field(name: &str, offset: usize, size: usize) -> Value {
    json!({ "name": name, "offset": offset, "size": size })
}

/// Writes the vectors.
pub fn write() -> Result<()> {
    let document = json!({
        "made_by": "cargo run -p xtask -- golden",
        "discriminator_bytes": 8,
        "types": types(),
        "capacities": ([8_u16, 256, 1024].map(capacity)),
    });
    let path = Path::new(GOLDEN);
    fs::create_dir_all(path.parent().context("no folder")?)?;
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    fs::write(path, text).context("cannot write the layout")
}

fn capacity(capacity: u16) -> Value {
    let mut columns = Map::new();
    for (column, name) in Column::ALL {
        let place = json!({ "offset": column.offset(capacity), "bytes": column.bytes(capacity) });
        columns.insert(name.to_owned(), place);
    }
    json!({
        "capacity": capacity,
        "roster_bytes": roster_bytes(capacity),
        "rounds_bytes": rounds_bytes(capacity),
        "columns_bytes": columns_bytes(capacity),
        "columns_offsets": ([0, 1, 2, 3].map(|index| columns_offset(capacity, index))),
        "columns": columns,
    })
}

fn types() -> Value {
    json!({
        "Run": fields!(Run: version, bump, roster_bump, rounds_bump, capacity, run_id_len, complete, creation_slot, instance, creator, rent_payer, authority, proposed_authority, join_authority, roster, rounds, run_id, config, model_hash, model_uri, metadata, metadata_len, model_uri_len, rates_pending, next_points_per_sequence, next_points_per_attestation, next_points_per_verdict, phase_started_at, phase_started_slot, phase_deadline, grace_since, grace_since_slot, waiting_since, waiting_since_slot, step, fresh_cursor, repeated, accepted, in_flight, transitions, entropy_target_slot, entropy, chain_hash, epoch, round, rounds_in_epoch, next_member_id, joined, ready, active, behind, phase, pause_requested, warmup_failures, entropy_stored, end_reason, padding, grace_seconds, backlog_count, backlog, agreed, snapshots, vote, checkpoints, pending_checkpoint, warmup_member_id, padding2, bonds_lamports, forfeited_lamports, cooldown_entropy_slot, cooldown_entropy, publisher_member_ids, publisher_slots, publishers, cooldown_entropy_stored, padding3, reserved),
        "StateRecord": fields!(StateRecord: step, epoch, round, digest, chain_hash, valid, reserved),
        "StateVote": fields!(StateVote: step, opened_at, opened_slot, reveal_at, chain_hash, epoch, round, reveal_round, close_round, eligible, committed, revealed, absent, kind, agreed, reserved),
        "Checkpoint": fields!(Checkpoint: step, published_at, epoch, round, digest, publishers, confirmed_by, uri_len, confirmations, valid, reserved, uri_first, uri_second),
        "RosterHeader": fields!(RosterHeader: version, padding, capacity, padding2, run, reserved),
        "Roster": fields!(Roster: header, entries),
        "RosterEntry": fields!(RosterEntry: wallet, node_key, vote, points, bond_lamports, joined_at, state_since, state_since_slot, last_seen, last_seen_slot, member_id, admitted_epoch, admitted_round, named_epoch, named_round, declared_weight, weight, state, misses, silences, strikes, vote_stage, strikes_collected, padding, points_slashed, rounds_served, epochs_served, reserved),
        "RoundsHeader": fields!(RoundsHeader: version, padding, capacity, padding2, run, reserved),
        "RoundHeader": fields!(RoundHeader: epoch, round, step, train_started_at, train_started_slot, train_closed_at, entropy_target_slot, weight_total, entropy, roles_entropy, chain_hash_before, chain_hash_after, segments, sequences, sequences_committed, sequences_gone, sequences_accepted, attested, witnesses_gone, trainers, expected, committed, gone, accepted, verifiers, valid, is_drain, settled, entropy_stored, draws, witnesses, segment_count, failed, witness_slots, witness_member_ids, returned_to, redraw_target_slot, redraw_entropy, auditors, targets_drawn, verdicts, cases, cases_undrawn, seats, finalised, judged, custody_roots, reserved),
        "Auditor": fields!(Auditor: member_id, committee_delay, slot, target, jaccard_permille, hamming_permille, manhattan_permille, alignment_permille, verdict, case_stage, first_seat, seats),
        "Seat": fields!(Seat: sealed, member_id, slot, jaccard_permille, hamming_permille, manhattan_permille, alignment_permille, case, stage, verdict, reserved),
        "Rounds": fields!(Rounds: header, records),
        "Participant": fields!(Participant: version, bump, address_len, barred, slot, strikes, padding, member_id, joins, run, wallet, payee, rent_payer, address, points_earned, points_slashed, padding2, claims, epochs_served, rounds_served, bond_lamports, instance, reserved),
        "Pass": fields!(Pass: version, bump, padding, expiry, run, wallet, issuer, rent_payer, instance, reserved),
    })
}
