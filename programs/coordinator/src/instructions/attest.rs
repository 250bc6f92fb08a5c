//! `attest`.

use anchor_lang::prelude::*;

use super::{with_world, MemberAccounts};
use crate::{
    errors::CoordinatorError,
    machine::{
        bits::bit,
        bloom::{Filter, Form, Keys},
        config::ATTESTATION_BLOOM,
        phase::Phase,
    },
    state::Record,
    transition,
    world::World,
};

/// Arguments of `attest`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct AttestArgs {
    /// Epoch of the target.
    pub epoch: u32,
    /// Target: the round whose payloads are attested.
    pub round: u32,
    /// The witness's slot.
    pub slot: u16,
    /// Payloads that it holds and checked: a bit field by slot, or a Bloom filter of commitments.
    pub bits: Vec<u8>,
    /// Merkle root over the payloads that it holds; a repeat replaces it.
    pub custody_root: [u8; 32],
}

/// See [`crate::coordinator::attest`].
///
/// # Errors
/// As documented there.
pub fn attest(ctx: &Context<MemberAccounts>, args: &AttestArgs, transition: bool) -> Result<()> {
    let accounts = &ctx.accounts;
    let wallet = accounts.wallet.key();
    with_world(&accounts.run, &accounts.roster, &accounts.rounds, |world| {
        run(world, &wallet, args, transition)
    })
}

/// The instruction on an open run.
///
/// # Errors
/// Those of [`attest`].
pub fn run(world: &mut World, wallet: &Pubkey, args: &AttestArgs, advance: bool) -> Result<()> {
    transition::prepare(world, advance)?;
    let phase = world.phase()?;
    let overlapping = phase == Phase::Train && world.run.config.overlap == 1;
    require!(
        phase == Phase::Witness || overlapping,
        CoordinatorError::WrongPhase
    );
    let right = args.epoch == world.run.epoch && world.target() == Some(args.round);
    require!(right, CoordinatorError::WrongRound);
    let member_id = world.member(args.slot, wallet)?.member_id;
    let mut record = world.rounds.record(args.round)?;
    require!(record.header.settled == 0, CoordinatorError::WrongPhase);
    require!(
        record.header.committed > 0,
        CoordinatorError::NothingToAttest
    );
    require!(
        record.header.entropy_stored == 1 && !record.header.redraws(),
        CoordinatorError::EntropyNotStored
    );
    let witness = record
        .witness_index(args.slot, member_id)
        .ok_or(CoordinatorError::NotAWitness)?;
    let mask = 1_u32.wrapping_shl(witness);
    require!(
        record.header.witnesses_gone & mask == 0,
        CoordinatorError::NotAWitness
    );
    let place = witness as usize;
    if world.run.config.attestation_kind == ATTESTATION_BLOOM {
        let ppm = world.run.config.bloom_false_positive_ppm;
        let keys = bloom_keys(&world.run.instance, &record, witness);
        count_filter(&mut record, mask, ppm, &keys, &args.bits)?;
    } else {
        count(&mut record, mask, &args.bits)?;
    }
    if let Some(root) = record.header.custody_roots.get_mut(place) {
        *root = args.custody_root;
    }
    world.seen(args.slot)?;
    transition::conclude(world, advance)
}

/// Adds a witness's votes.
fn count(record: &mut Record, mask: u32, bits: &[u8]) -> Result<()> {
    require!(
        bits.len() == record.committed.len(),
        CoordinatorError::BitFieldLength
    );
    let plain = bits
        .iter()
        .zip(record.committed.iter())
        .all(|(bits, committed)| bits & !committed == 0);
    require!(plain, CoordinatorError::BitNotCommitted);
    for (byte, masks) in bits
        .iter()
        .zip(record.mask.as_chunks_mut::<8>().0.iter_mut())
    {
        let mut rest = *byte;
        for slot in masks {
            if rest == 0 {
                break;
            }
            if rest & 1 == 1 {
                *slot |= mask;
            }
            rest >>= 1;
        }
    }
    record.header.attested |= mask;
    Ok(())
}

/// The keys of a witness's filter; a second draw's come from that draw's own entropy.
fn bloom_keys(instance: &[u8; 32], record: &Record, witness: u32) -> Keys {
    let header = &*record.header;
    let entropy = if header.draws > 1 {
        &header.redraw_entropy
    } else {
        &header.entropy
    };
    // Witnesses are at most 32.
    let place = u8::try_from(witness).unwrap_or(u8::MAX);
    Keys::new(instance, header.epoch, header.round, entropy, place)
}

/// Adds a witness's votes: for every committed slot that its filter has.
fn count_filter(
    record: &mut Record,
    mask: u32,
    ppm: u32,
    keys: &Keys,
    filter: &[u8],
) -> Result<()> {
    let committed = u32::from(record.header.committed);
    let form = Form::new(committed, ppm);
    require!(
        filter.len() == form.bytes() as usize,
        CoordinatorError::BitFieldLength
    );
    let spare = (form.bits as usize..filter.len().saturating_mul(8)).any(|at| bit(filter, at));
    require!(!spare, CoordinatorError::BitFieldLength);
    let filter = Filter::new(filter);
    require!(
        filter.ones(form.bits) <= form.ones_max(committed),
        CoordinatorError::BloomTooFull
    );
    // Columns lie on whole words.
    let commitments: &[[u64; 4]] = bytemuck::try_cast_slice(record.commitment)
        .map_err(|_| error!(CoordinatorError::LayoutMismatch))?;
    let masks = record.mask.as_chunks_mut::<8>().0.iter_mut();
    let commitments = commitments.as_chunks::<8>().0.iter();
    let mut slot = 0_u64;
    for ((byte, masks), commitments) in record.committed.iter().zip(masks).zip(commitments) {
        let mut rest = *byte;
        for (voters, commitment) in masks.iter_mut().zip(commitments) {
            if rest & 1 == 1 {
                let [first, second, ..] = *commitment;
                let words = [u64::from_le(first), u64::from_le(second)];
                if keys.holds(&filter, form, slot, words) {
                    *voters |= mask;
                }
            }
            rest >>= 1;
            slot = slot.wrapping_add(1);
        }
    }
    record.header.attested |= mask;
    Ok(())
}
