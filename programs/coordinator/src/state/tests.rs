//! Every account, byte by byte: names, order and sizes are written out by hand, and never change.

use bytemuck::{bytes_of, from_bytes};

use super::*;

/// Fills a struct with bytes that differ from one to the next, then looks for each field.
macro_rules! assert_layout {
    ($type:ty: $(($field:ident, $size:expr)),* $(,)?) => {{
        let size = core::mem::size_of::<$type>();
        let mut words = vec![0_u64; size.div_ceil(8)];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = (index % 251) as u8;
        }
        let bytes = &bytes[..size];
        let value: &$type = from_bytes(bytes);
        let mut offset = 0_usize;
        $(
            let end = offset + $size;
            assert_eq!(bytes_of(&value.$field), &bytes[offset..end], stringify!($field));
            offset = end;
        )*
        assert_eq!(offset, size, "the fields fill {} without padding", stringify!($type));
    }};
}

#[test]
fn a_run_lies_byte_by_byte() {
    assert_layout!(Run: (version, 1), (bump, 1), (roster_bump, 1), (rounds_bump, 1), (capacity, 2), (run_id_len, 1), (complete, 1), (creation_slot, 8), (instance, 32), (creator, 32), (rent_payer, 32), (authority, 32), (proposed_authority, 32), (join_authority, 32), (roster, 32), (rounds, 32), (run_id, 32), (config, 192), (model_hash, 32), (model_uri, 128), (metadata, 256), (metadata_len, 2), (model_uri_len, 1), (rates_pending, 1), (next_points_per_sequence, 4), (next_points_per_attestation, 4), (next_points_per_verdict, 4), (phase_started_at, 8), (phase_started_slot, 8), (phase_deadline, 8), (grace_since, 8), (grace_since_slot, 8), (waiting_since, 8), (waiting_since_slot, 8), (step, 8), (fresh_cursor, 8), (repeated, 8), (accepted, 8), (in_flight, 8), (transitions, 8), (entropy_target_slot, 8), (entropy, 32), (chain_hash, 32), (epoch, 4), (round, 4), (rounds_in_epoch, 4), (next_member_id, 4), (joined, 2), (ready, 2), (active, 2), (behind, 2), (phase, 1), (pause_requested, 1), (warmup_failures, 1), (entropy_stored, 1), (end_reason, 1), (padding, 3), (grace_seconds, 4), (backlog_count, 4), (backlog, 512), (agreed, 88), (snapshots, 176), (vote, 112), (checkpoints, 576), (pending_checkpoint, 288),
        (warmup_member_id, 4),
        (padding2, 4), (bonds_lamports, 8), (forfeited_lamports, 8), (cooldown_entropy_slot, 8), (cooldown_entropy, 32), (publisher_member_ids, 8), (publisher_slots, 4), (publishers, 1), (cooldown_entropy_stored, 1), (padding3, 2), (reserved, 176));
}

#[test]
fn a_state_record_lies_byte_by_byte() {
    assert_layout!(StateRecord: (step, 8), (epoch, 4), (round, 4), (digest, 32), (chain_hash, 32), (valid, 1), (reserved, 7));
}

#[test]
fn a_state_vote_lies_byte_by_byte() {
    assert_layout!(StateVote: (step, 8), (opened_at, 8), (opened_slot, 8), (reveal_at, 8), (chain_hash, 32), (epoch, 4), (round, 4), (reveal_round, 4), (close_round, 4), (eligible, 2), (committed, 2), (revealed, 2), (absent, 2), (kind, 1), (agreed, 1), (reserved, 22));
}

#[test]
fn a_checkpoint_lies_byte_by_byte() {
    assert_layout!(Checkpoint: (step, 8), (published_at, 8), (epoch, 4), (round, 4), (digest, 32), (publishers, 8), (confirmed_by, 16), (uri_len, 2), (confirmations, 1), (valid, 1), (reserved, 12), (uri_first, 96), (uri_second, 96));
}

#[test]
fn a_rosters_header_lies_byte_by_byte() {
    assert_layout!(RosterHeader: (version, 1), (padding, 1), (capacity, 2), (padding2, 4), (run, 32), (reserved, 24));
}

#[test]
fn a_roster_lies_byte_by_byte() {
    assert_layout!(Roster: (header, 64), (entries, 1856));
}

#[test]
fn a_roster_entry_lies_byte_by_byte() {
    assert_layout!(RosterEntry: (wallet, 32), (node_key, 32), (vote, 32), (points, 8), (bond_lamports, 8), (joined_at, 8), (state_since, 8), (state_since_slot, 8), (last_seen, 8), (last_seen_slot, 8), (member_id, 4), (admitted_epoch, 4), (admitted_round, 4), (named_epoch, 4), (named_round, 4), (declared_weight, 2), (weight, 2), (state, 1), (misses, 1), (silences, 1), (strikes, 1), (vote_stage, 1), (strikes_collected, 1), (padding, 2), (points_slashed, 8), (rounds_served, 4), (epochs_served, 4), (reserved, 32));
}

#[test]
fn a_rounds_header_lies_byte_by_byte() {
    assert_layout!(RoundsHeader: (version, 1), (padding, 1), (capacity, 2), (padding2, 4), (run, 32), (reserved, 24));
}

#[test]
fn a_records_header_lies_byte_by_byte() {
    assert_layout!(RoundHeader: (epoch, 4), (round, 4), (step, 8), (train_started_at, 8), (train_started_slot, 8), (train_closed_at, 8), (entropy_target_slot, 8), (weight_total, 8), (entropy, 32), (roles_entropy, 32), (chain_hash_before, 32), (chain_hash_after, 32), (segments, 128), (sequences, 4), (sequences_committed, 4), (sequences_gone, 4), (sequences_accepted, 4), (attested, 4), (witnesses_gone, 4), (trainers, 2), (expected, 2), (committed, 2), (gone, 2), (accepted, 2), (verifiers, 2), (valid, 1), (is_drain, 1), (settled, 1), (entropy_stored, 1), (draws, 1), (witnesses, 1), (segment_count, 1), (failed, 1), (witness_slots, 64), (witness_member_ids, 128), (returned_to, 4), (redraw_target_slot, 8), (redraw_entropy, 32), (auditors, 1), (targets_drawn, 1), (verdicts, 1), (cases, 1), (cases_undrawn, 1), (seats, 1), (finalised, 1), (judged, 1), (custody_roots, 1024), (belied, 4), (complaint_slots, 6), (complaints, 1), (reserved, 157));
}

#[test]
fn an_auditor_lies_byte_by_byte() {
    assert_layout!(Auditor: (member_id, 4), (committee_delay, 4), (slot, 2), (target, 2), (jaccard_permille, 2), (hamming_permille, 2), (manhattan_permille, 2), (alignment_permille, 2), (verdict, 1), (case_stage, 1), (first_seat, 1), (seats, 1));
}

#[test]
fn a_seat_lies_byte_by_byte() {
    assert_layout!(Seat: (sealed, 32), (member_id, 4), (slot, 2), (jaccard_permille, 2), (hamming_permille, 2), (manhattan_permille, 2), (alignment_permille, 2), (case, 1), (stage, 1), (verdict, 1), (reserved, 7));
}

#[test]
fn the_fixed_part_of_the_records_lies_byte_by_byte() {
    assert_layout!(Rounds: (header, 64), (records, 7168));
}

#[test]
fn a_participant_lies_byte_by_byte() {
    assert_layout!(Participant: (version, 1), (bump, 1), (address_len, 1), (barred, 1), (slot, 2), (strikes, 1), (padding, 1), (member_id, 4), (joins, 4), (run, 32), (wallet, 32), (payee, 32), (rent_payer, 32), (address, 96), (points_earned, 8), (points_slashed, 8), (padding2, 8), (claims, 8), (epochs_served, 4), (rounds_served, 4),
        (bond_lamports, 8), (instance, 32), (reserved, 48));
}

#[test]
fn a_pass_lies_byte_by_byte() {
    assert_layout!(Pass: (version, 1), (bump, 1), (padding, 6), (expiry, 8), (run, 32), (wallet, 32), (issuer, 32), (rent_payer, 32), (instance, 32), (reserved, 32));
}

#[test]
fn a_configuration_lies_byte_by_byte() {
    use crate::machine::config::RunConfig;
    assert_layout!(RunConfig: (total_steps, 8), (batch_ramp_steps, 8), (data_sequences, 8), (bond_lamports, 8), (slash_points, 8), (data_seed, 32), (waiting_seconds, 4), (warmup_seconds, 4), (train_seconds, 4), (grace_seconds, 4), (witness_seconds, 4), (cooldown_seconds, 4), (ready_seconds, 4), (epoch_rounds, 4), (snapshot_rounds, 4), (batch_sequences_start, 4), (batch_sequences_end, 4), (sequence_tokens, 4), (payload_bytes_max, 4), (bloom_false_positive_ppm, 4), (points_per_sequence, 4), (points_per_attestation, 4), (points_per_verdict, 4), (init_min_members, 2), (min_members, 2), (jaccard_min_permille, 2), (hamming_max_permille, 2), (manhattan_max_permille, 2), (alignment_min_permille, 2), (overlap, 1), (attestation_kind, 1), (admit_anytime, 1), (witness_count, 1), (verification_percent, 1), (committee_size, 1), (misses_max, 1), (share_percent_max, 1), (reserved, 32));
}

#[test]
fn columns_follow_each_other_without_a_gap() {
    for capacity in [8_u16, 256, 1024] {
        let mut offset = 0;
        for (column, name) in Column::ALL {
            assert_eq!(column.offset(capacity), offset, "{name}");
            offset += column.bytes(capacity);
        }
        assert_eq!(offset, columns_bytes(capacity));
        assert_eq!(columns_offset(capacity, 0), 8 + 64 + 4 * 1792);
        assert_eq!(rounds_bytes(capacity), columns_offset(capacity, 3) + offset);
    }
}

#[test]
fn columns_have_these_sizes_at_eight_slots() {
    let sizes = Column::ALL.map(|(column, _)| column.bytes(8));
    assert_eq!(
        sizes,
        [256, 32, 32, 32, 32, 32, 32, 32, 16, 16, 1, 1, 1, 1, 4, 5120]
    );
}

#[test]
fn accounts_have_these_sizes() {
    assert_eq!(8 + core::mem::size_of::<Run>(), 3160);
    assert_eq!([8, 256, 1024].map(roster_bytes), [1_928, 59_464, 237_640]);
    assert_eq!([8, 256, 1024].map(rounds_bytes), [29_800, 94_280, 293_960]);
}

/// Seeds are hashed one after the other without their lengths: what begins an address must tell
/// the kinds apart, whatever a run id says.
#[test]
fn no_first_seed_begins_another() {
    let all = [
        seeds::RUN,
        seeds::ROSTER,
        seeds::ROUNDS,
        seeds::PARTICIPANT,
        seeds::PASS,
    ];
    for one in all {
        let begun = all.iter().filter(|other| other.starts_with(one));
        assert_eq!(begun.count(), 1, "{one:?}");
    }
}
